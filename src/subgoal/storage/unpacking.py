"""Files of lines, plain or compressed, read in bounded memory: `.zst`, `.gz`, anything else.

A few bytes can unpack to gigabytes. So what comes out is read piece by piece, a line has a length
and a compressed file a ratio that it may not pass; both are far above what real records reach.
"""

import gzip
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, cast

import zstandard

from subgoal.errors import DataCorrupt

LONGEST_LINE = 2**26
"""Most bytes of a line; the longest trajectories have about 2 MB."""
RATIO = 2_000
"""Most bytes that one compressed byte may stand for; annotations of 134 MB reach 156."""
_FREE = 2**26
"""So many bytes may come out of any compressed file, however small it is."""
_CHUNK = 65536
_PACKED = 128
"""Bytes of zstd that are unpacked at a time: 4 MB at most, as each 4 of them make up to 128 KB."""


def lines(place: Path | Traversable) -> Generator[bytes]:
    """Read a file line by line, unpacked.

    Args:
        place: The file; its name tells how it is packed.

    Yields:
        Each line with its line feed; the last one as it stands.

    Raises:
        DataCorrupt: A line is too long, or a compressed file unpacks to too much.
        zstandard.ZstdError: A `.zst` is damaged.
        EOFError: A `.gz` ends too early; zlib.error and OSError where it is damaged otherwise.
    """
    yield from _split(chunks(place), str(place))


def chunks(place: Path | Traversable) -> Generator[bytes]:
    """Read a file piece by piece, unpacked.

    Args:
        place: The file; its name tells how it is packed.

    Raises:
        DataCorrupt, zstandard.ZstdError, EOFError, zlib.error, OSError: As `lines`.
    """
    with place.open("rb") as raw:
        file, told, before = cast("IO[bytes]", raw), _told, 0
        for chunk in _unpacked(file, place):
            yield chunk
            if told is not None and file.tell() - before >= _CHUNK:
                told(file.tell() - before)
                before = file.tell()
        if told is not None:
            told(file.tell() - before)


_told: Callable[[int], None] | None = None


@contextmanager
def counted(tell: Callable[[int], None]) -> Generator[None]:
    """Within the block, tell how many bytes of files were read, as they lie on the disk."""
    global _told  # noqa: PLW0603
    before, _told = _told, tell
    try:
        yield
    finally:
        _told = before


def _unpacked(file: IO[bytes], place: Path | Traversable) -> Generator[bytes]:
    if place.name.endswith(".zst"):
        yield from _bounded(_zstd(file), file, str(place))
    elif place.name.endswith(".gz"):
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield from _bounded(iter(partial(unpacked.read, _CHUNK), b""), file, str(place))
    else:
        yield from iter(partial(file.read, _CHUNK), b"")


def unpack_zstd(packed: bytes, source: str, window_log: int) -> bytes:
    """Unpack one frame of zstd that says how much comes out of it.

    Args:
        packed: The frame.
        source: Where it comes from, for the message.
        window_log: Base-2 logarithm of the furthest distance, in bytes, that it may look back.

    Raises:
        DataCorrupt: It unpacks to too much.
        zstandard.ZstdError: It is damaged, or does not say how much.
    """
    if zstandard.frame_content_size(packed) > _allowance(len(packed)):
        raise _too_much(source, len(packed))
    return zstandard.ZstdDecompressor(max_window_size=2**window_log).decompress(packed)


def _zstd(file: IO[bytes]) -> Generator[bytes]:
    """Unpack frames that follow each other, as they do in files that were appended to."""
    unpacker = zstandard.ZstdDecompressor()
    frame, rest = unpacker.decompressobj(), b""
    while rest or (rest := file.read(_PACKED)):
        if frame.eof:
            frame = unpacker.decompressobj()
        yield frame.decompress(rest)
        rest = frame.unused_data
    if not frame.eof:  # the library does not report it, and records would be missing
        raise zstandard.ZstdError("it ends too early")


def _bounded(chunks: Iterable[bytes], file: IO[bytes], source: str) -> Generator[bytes]:
    size = os.fstat(file.fileno()).st_size
    left = _allowance(size)
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise _too_much(source, size)
        yield chunk


def _allowance(packed: int) -> int:
    return max(_FREE, RATIO * packed)


def _too_much(source: str, packed: int) -> DataCorrupt:
    return DataCorrupt(
        f"{source} has {packed:,} bytes but unpacks to more than {_allowance(packed):,}, which no "
        "file of this kind does; get it again, or unpack it yourself if you know what is in it"
    )


def _split(chunks: Iterable[bytes], source: str) -> Generator[bytes]:
    rest, number = bytearray(), 1
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for part in whole:
            yield bytes(rest + part) + b"\n"
            rest.clear()
            number += 1
        rest += last
        if len(rest) > LONGEST_LINE:
            raise DataCorrupt(
                f"{source} line {number} is longer than {LONGEST_LINE:,} bytes; it is no file of "
                "records, a line each"
            )
    if rest:
        yield bytes(rest)
