"""JSON records out of a file of any size: one a line, an array of them, or documents in a row.

A file is read piece by piece, so memory holds one record and not the file. What cannot be read is
said with its line, and reading goes on behind it where lines tell records apart.
"""

import codecs
import json
import re
from collections.abc import Generator, Iterator
from enum import Enum, auto
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from subgoal.errors import DataCorrupt
from subgoal.plain_text import numbered_lines
from subgoal.storage.unpacking import LONGEST_LINE, chunks, counted, lines

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Located(NamedTuple):
    """A record and where it stands."""

    line: int
    """Number of its first line, from 1."""
    value: Any
    """The JSON value."""


class Damaged(NamedTuple):
    """What is no record."""

    line: int
    """Number of its first line, from 1."""
    why: str
    """What is wrong with it."""


def records(path: Path) -> Generator[Located | Damaged]:
    """Read the JSON records of a file.

    Args:
        path: JSON lines, an array of records, or records of many lines, one after another, as
            OpenTelemetry's console exporter prints them; `.gz` and `.zst` are unpacked.

    Yields:
        Records in order, and what is none.

    Raises:
        DataCorrupt, OSError, EOFError, zlib.error, zstandard.ZstdError: It cannot be read at all.
    """
    with counted(lambda _: None):  # what is read for this is read once more
        shape = _shape(path)
    match shape:
        case _Shape.ARRAY:
            yield from _array(path)
        case _Shape.DOCUMENTS:
            yield from _documents(path)
        case _Shape.LINES:
            yield from _lines(path)


class _Shape(Enum):
    ARRAY = auto()
    DOCUMENTS = auto()
    LINES = auto()


def _shape(path: Path) -> _Shape:
    """Tell how a file holds its records, by its first two lines."""
    start = _beginning(path)
    try:
        two = [line for _, line in islice(numbered_lines(lines(path)), 2)]
    except DataCorrupt:  # a line without end; arrays are read in pieces
        if start == "[":
            return _Shape.ARRAY
        raise
    whole = bool(two) and _is_json(two[0])
    if start == "[" and (len(two) == 1 or not whole):
        return _Shape.ARRAY
    if start == "{" and not whole and not (two[1:] and two[1].startswith(b"{")):
        return _Shape.DOCUMENTS
    return _Shape.LINES


def _beginning(path: Path) -> str:
    """Return the first character that is no blank; empty: there is none."""
    for chunk in chunks(path):
        text = chunk.removeprefix(codecs.BOM_UTF8).lstrip()
        if text:
            return text[:1].decode("latin-1")
    return ""


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(path: Path) -> Iterator[Located | Damaged]:
    for number, line in numbered_lines(lines(path)):
        try:
            yield Located(number, json.loads(line))
        except (ValueError, RecursionError) as error:
            yield Damaged(number, f"no JSON ({error})")


def _documents(path: Path) -> Iterator[Located | Damaged]:
    """Read values that follow each other; what follows a damaged one cannot be told."""
    reader = _Reader(path)
    while reader.left():
        yield (one := _next(reader))
        if isinstance(one, Damaged):
            return


def _array(path: Path) -> Iterator[Located | Damaged]:
    """Read the elements of an array as they come; what follows a damaged one cannot be told."""
    reader = _Reader(path)
    reader.skip("[")
    while not reader.at("]"):
        yield (one := _next(reader))
        if isinstance(one, Damaged):
            return
        if not reader.skip(",") and not reader.at("]"):
            yield Damaged(reader.line, "the array ends too early; what follows is lost")
            return
    reader.skip("]")
    if reader.left():
        yield Damaged(reader.line, "something follows the array")


def _next(reader: "_Reader") -> Located | Damaged:
    line = reader.line
    try:
        return Located(line, reader.value())
    except (ValueError, RecursionError) as error:
        return Damaged(line, f"no JSON ({error}); what follows it is lost")


class _Reader:
    """Text of a file, as much of it as a value needs.

    Attributes:
        line: The line that reading has come to.
    """

    def __init__(self, path: Path) -> None:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._more = (decoder.decode(chunk) for chunk in chunks(path))
        self._text, self._at, self.line = "", 0, 1

    def at(self, character: str) -> bool:
        return self._blanks() and self._text.startswith(character, self._at)

    def skip(self, character: str) -> bool:
        found = self.at(character)
        self._at += found
        return found

    def left(self) -> bool:
        return self._blanks()

    def value(self) -> Any:
        self._blanks()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if not self._grow(2 * (len(self._text) - self._at)):
                    raise
                continue
            if end < len(self._text) or not self._grow(1):  # a number may go on
                self.line += self._text.count("\n", self._at, end)
                self._at = end
                return value

    def _blanks(self) -> bool:
        """Go past blanks; False at the end."""
        while True:
            end = _SPACE.match(self._text, self._at).end()  # pyright: ignore[reportOptionalMemberAccess]
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            if end < len(self._text):
                return True
            if not self._grow(1):
                return False

    def _grow(self, wanted: int) -> bool:
        """Read on until so many characters wait; False where nothing came."""
        held = [self._text[self._at :]]
        size = before = len(held[0])
        while size < wanted or size == before:
            more = next(self._more, None)
            if more is None:
                break
            held.append(more)
            size += len(more)
        if size > LONGEST_LINE:
            raise DataCorrupt(
                f"line {self.line}: a record of more than {LONGEST_LINE:,} characters"
            )
        self._text, self._at = "".join(held), 0
        return size > before
