"""Append-only record files that survive a kill at any byte, and seal when complete.

A journal is a JSONL file: a header line naming its kind and version, then one record a line.
While work runs it is plain and append-only; a torn last line (a kill in mid-write) is cut off when
the journal is opened again. A plain file that an editor saved (with a byte order mark, blank lines,
CRLF, or no line feed at its end) holds the same records. When complete it is *sealed*: records are
sorted by key, compressed with zstd to a temporary name, and renamed, so that the same records give
the same bytes.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Generic, TypeVar

import zstandard
from pydantic import ValidationError
from pydantic_core import from_json

from subgoal.errors import DataCorrupt, DiskFull, said_by
from subgoal.machine import is_alive
from subgoal.plain_text import numbered_lines
from subgoal.record import Record
from subgoal.storage.unpacking import lines

R = TypeVar("R", bound=Record)

_LEVEL = 10
_CHUNK = 65536


@contextmanager
def uninterrupted() -> Generator[None]:
    """Put Ctrl-C off until the block has ended, so that what is being written is written whole."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[FrameType | None] = []
    before = signal.signal(signal.SIGINT, lambda _, frame: pressed.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed and callable(before):
        before(signal.SIGINT, pressed[0])


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Say in one sentence that a file or folder cannot be written, and which disk has no room.

    Raises:
        DiskFull: The system refused to write within the block, whatever library was told so.
    """
    try:
        yield
    except Exception as error:
        said = _refusal(error)
        if said is None:
            raise
        number, reason = said
        room = f"; {_room(path)}" if number in {errno.ENOSPC, errno.EDQUOT} else ""
        raise DiskFull(
            f"{path} cannot be written ({reason}{room}); what was finished before is kept: make "
            "room and run the same command again, it goes on where it stopped"
        ) from error


def _refusal(error: Exception) -> tuple[int, str] | None:
    """Return the system's number and word for an error; None where it is no error of writing."""
    if isinstance(error, FileNotFoundError):  # of what is read: folders to write in are made
        return None
    if isinstance(error, OSError):
        return error.errno or 0, error.strerror or str(error)
    # safetensors and tokenizers have errors of their own, which end in the system's number
    found = re.search(r"\(os error (\d+)\)", str(error))
    return (int(found[1]), os.strerror(int(found[1]))) if found else None


def _room(path: Path) -> str:
    """Say how much room the disk has that a path lies on."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    while not place.is_mount():
        place = place.parent
    return f"the disk at {place} has {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.1f} MB left"


@contextmanager
def written_atomically(path: Path) -> Generator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` when the block ends well.

    Raises:
        DiskFull: It cannot be written; what `path` held before, it still holds.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)  # of a killed process: it may be a link by now
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # it is gone, or its disk is
            temporary.unlink()


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes left of files that they were writing, anywhere in a folder."""
    for file in list(folder.rglob(".*.*.tmp")):
        pid = file.name.split(".")[-2]
        if pid.isdecimal() and not is_alive(int(pid)):
            file.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file atomically, as UTF-8."""
    with written_atomically(path) as file:
        file.write(text.encode())


def file_digest(path: Path) -> str:
    """Return the first 16 hex digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


class Journal(Generic[R]):
    """The records of one kind in one file.

    Args:
        path: The plain file, such as `trajectories.jsonl`; sealed it is `path` + `.zst`.
        record: The record class of a line.
        kind: What the file holds, such as `trajectories`; written to and checked in the header.
        key: Identity of a record; a later record of the same key replaces the earlier one.
        version: Version of the record's format.
    """

    def __init__(
        self, path: Path, record: type[R], kind: str, key: Callable[[R], str], version: int = 1
    ) -> None:
        self.path = path
        self.sealed_path = path.with_name(path.name + ".zst")
        self._record = record
        self._key = key
        self._header = {"format": f"subgoal.{kind}", "version": version}
        self._file: IO[bytes] | None = None

    @property
    def sealed(self) -> bool:
        """True where the complete, compressed file is there and no plain one."""
        return self.sealed_path.exists() and not self.path.exists()

    @property
    def exists(self) -> bool:
        """True where either file is there."""
        return self.sealed_path.exists() or self.path.exists()

    def append(self, record: R) -> None:
        """Write one record as one line, flushed to the operating system before returning.

        A sealed journal is unsealed first: its records move back to the plain file. Ctrl-C waits
        until the line is whole.

        Raises:
            DataCorrupt: The file that is there is of another kind or version.
            DiskFull: There is no room; the records that were there still are, and nothing else.
        """
        with uninterrupted(), writing(self.path):
            if self._file is None:
                self._file = self._open_to_append()
            self._write_whole(self._file, record.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the plain file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def clear(self) -> None:
        """Delete the records, where there are any."""
        self.close()
        # the plain file is the newer one: a kill in between must not bring the older one back
        self.sealed_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[R]:
        """Stream the records, oldest first. A torn last line is skipped.

        Raises:
            DataCorrupt: The file is of another kind or version, or a line inside it is damaged.
        """
        yield from self._records()

    def check(self) -> None:
        """Read all records of a file that nobody writes any more, such as one that a user names.

        Raises:
            DataCorrupt: As when they are read; or the last line is torn.
        """
        for _ in self._records(ended=True):
            pass

    def by_key(self) -> dict[str, R]:
        """Return all records by key, in the order in which their keys came first."""
        return {self._key(record): record for record in self}

    def seal(self) -> Path:
        """Sort by key, compress, rename; return the sealed file's path."""
        self.close()
        held = {self._key(one): one.model_dump_json().encode() for one in self}  # small: no objects
        with written_atomically(self.sealed_path) as file:
            compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
            with compressor.stream_writer(file, closefd=False) as stream:
                stream.write(self._line(self._header))
                for key in sorted(held):
                    stream.write(held[key] + b"\n")
        self.path.unlink(missing_ok=True)
        return self.sealed_path

    @staticmethod
    def _write_whole(file: IO[bytes], line: bytes) -> None:
        end = os.fstat(file.fileno()).st_size
        try:
            while line:  # where room runs out, a part is written, and the next write says why
                line = line[file.write(line) :]
        except OSError:
            file.truncate(end)
            raise

    @staticmethod
    def _line(value: object) -> bytes:
        return json.dumps(value).encode() + b"\n"

    def _open_to_append(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            kept = list(self)
            with written_atomically(self.path) as file:
                file.write(self._line(self._header))
                for record in kept:
                    file.write(record.model_dump_json().encode() + b"\n")
        with self.path.open("rb") as file:
            _, header = next(numbered_lines(file), (0, b""))
        self._check_header(header, self.path)
        if header.endswith(b"\n"):
            self._end_last_line()
        else:  # missing or torn, and nothing follows it
            self.path.write_bytes(self._line(self._header))
        return self.path.open("ab", buffering=0)

    def _end_last_line(self) -> None:
        """Cut a torn last line off; give a whole one its line feed."""
        with self.path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            keep, position = 0, end
            while position > 0 and keep == 0:
                start = max(0, position - _CHUNK)
                file.seek(start)
                keep = start + file.read(position - start).rfind(b"\n") + 1
                keep = 0 if keep == start else keep
                position = start
            file.seek(keep)
            if self._whole(file.read()):
                file.write(b"\n")
            else:
                file.truncate(keep)

    def _records(self, *, ended: bool = False) -> Generator[R]:
        """Stream the records; where nobody writes them any more (`ended`), a torn line is wrong."""
        try:
            if self.path.exists():
                yield from self._read(self.path, ended)
            elif self.sealed_path.exists():
                yield from self._read(self.sealed_path, ended=True)
        except zstandard.ZstdError as error:
            raise DataCorrupt(
                f"{self.sealed_path} is damaged ({error}); delete it and run the stage that "
                "writes it again"
            ) from error
        except ValueError as error:
            raise DataCorrupt(f"{self.path} cannot be read: {error}") from error

    def _read(self, path: Path, ended: bool) -> Generator[R]:
        headed = False
        for number, line in numbered_lines(lines(path)):
            if not headed:
                self._check_header(line, path)
                headed = True
            elif line.endswith(b"\n") or self._whole(line):
                yield self._parse(line, path, number)
            elif ended:  # else torn by a kill; cut off at the next append
                raise DataCorrupt(
                    f"{path} breaks off in line {number}; get the whole file, or delete the line "
                    "to lose only that record"
                )

    def _whole(self, line: bytes) -> bool:
        """Tell whether a last line that has no line feed is a record all the same."""
        try:
            self._record.model_validate_json(line)
        except ValidationError:
            return False
        return True

    def _check_header(self, line: bytes, path: Path) -> None:
        if not line.endswith(b"\n") and self._line(self._header).startswith(line):
            return  # torn by a kill; written again at the next append
        try:
            header = from_json(line)
        except ValueError:
            header = None
        if header != self._header:
            wanted = f"{self._header['format']} version {self._header['version']}"
            found = line[:80].decode(errors="replace").strip()
            raise DataCorrupt(f"{path} line 1 should name {wanted} but reads {found!r}")

    def _parse(self, line: bytes, path: Path, number: int) -> R:
        try:
            return self._record.model_validate_json(line)
        except ValidationError as error:
            repair = (
                "delete it and run the stage that writes it again"
                if path == self.sealed_path
                else "delete the line to lose only that record"
            )
            raise DataCorrupt(
                f"{path} line {number} is damaged ({said_by(error)}); {repair}"
            ) from error
