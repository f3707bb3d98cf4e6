"""The store behind a stand-in hub: what `hf_xet` uploads, put together again.

As https://huggingface.co/docs/xet has it: a xorb holds compressed chunks, a shard says of which
chunks of which xorbs a file is made, and what its SHA-256 is.
"""

import hashlib
import struct
from collections.abc import Iterator

import pyarrow

TOKEN = "xet_of_the_test"
"""What the hub lends for writing here; the hub's own token has no business here."""
_NAMED = struct.Struct("<32s4I")
"""An entry of a shard: a hash, and four numbers."""
_HEAD, _LAST = 48, b"\xff" * 32
_VERIFIED, _WITH_SHA256 = 1 << 31, 1 << 30


class XetStore:
    """Xorbs as they came, and the files that shards describe."""

    def __init__(self) -> None:
        self.xorbs: dict[str, list[bytes]] = {}
        self.files: dict[str, bytes] = {}

    def add_xorb(self, name: str, body: bytes) -> bool:
        """Keep the chunks of a xorb; False: it was there."""
        new = name not in self.xorbs
        self.xorbs[name] = list(_chunks(body))
        return new

    def add_shard(self, body: bytes) -> None:
        """Put the files of a shard together, by SHA-256."""
        place = _HEAD
        while True:
            name, flags, count, *_ = _NAMED.unpack_from(body, place)
            if name == _LAST:
                return
            place += _NAMED.size
            parts = [_NAMED.unpack_from(body, place + at * _NAMED.size) for at in range(count)]
            place += count * _NAMED.size * (2 if flags & _VERIFIED else 1)
            assert flags & _WITH_SHA256, "the hub finds a file by its SHA-256"
            said = _text(_NAMED.unpack_from(body, place)[0])
            place += _NAMED.size
            chunks = [
                chunk
                for xorb, _, _, first, end in parts
                for chunk in self.xorbs[_text(xorb)][first:end]
            ]
            whole = b"".join(chunks)
            assert hashlib.sha256(whole).hexdigest() == said
            self.files[said] = whole


def _text(raw: bytes) -> str:
    """Return a hash as text: four numbers of eight bytes."""
    return "".join(f"{part:016x}" for part in struct.unpack("<4Q", raw))


def _chunks(body: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(body) and body[place : place + 7] != b"XETBLOB":  # an index may follow
        packed, size = (
            int.from_bytes(body[place + at : place + at + 3], "little") for at in (1, 5)
        )
        held, scheme = body[place + 8 : place + 8 + packed], body[place + 4]
        yield _unpacked(held, scheme, size)
        place += 8 + packed


def _unpacked(held: bytes, scheme: int, size: int) -> bytes:
    if scheme == 0:
        return held
    plain = bytes(pyarrow.decompress(held, size, codec="lz4"))
    if scheme == 1:
        return plain
    whole, place = bytearray(size), 0
    for group in range(4):  # first bytes of four, then second bytes, ...
        count = len(range(group, size, 4))
        whole[group::4] = plain[place : place + count]
        place += count
    return bytes(whole)
