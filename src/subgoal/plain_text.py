"""Text that comes from outside: made storable once, where it enters, and read line by line.

Worlds, teachers, servers and people give text. A file, a database and a terminal hold UTF-8, and
half a surrogate pair (what is left where somebody cuts an emoji in two) is no UTF-8. What cannot be
asked for again, such as a reply that was paid for, is made storable; a file that a person wrote is
refused with a sentence, because the person can mend it.

A line ends at a line feed and nowhere else. `str.splitlines` also cuts at U+2028, U+0085 and
others, which stand inside JSON strings and in the answers of worlds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from subgoal.errors import DataCorrupt, SubgoalError, said_by
from subgoal.record import Record

R = TypeVar("R", bound=Record)

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Stands where a text had a character that no file can hold."""

_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ANY_LENGTH, _SHORTEST_MEAN = 2**16, 16
"""Lines that may have any length, and the bytes that more lines have at least on average: a packed
file of a few kB may hold hundreds of millions of line feeds."""


def storable(text: str) -> str:
    """Return a text as UTF-8 can hold it: halves of surrogate pairs become U+FFFD.

    Two halves that stand side by side are the one character that they mean. A text without halves
    is returned as it is. Names of files that are no UTF-8 are texts with such halves, too.

    Args:
        text: Any text from outside.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def changed_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return tables, lists and plain values, as of JSON, with every text in them changed.

    Args:
        value: The value; keys of tables stay.
        change: Returns the new text.
    """
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: changed_texts(one, change) for key, one in table.items()}
    if isinstance(value, list | tuple):
        return [changed_texts(one, change) for one in cast("Iterable[Any]", value)]
    return change(value) if isinstance(value, str) else value


def named(text: str) -> str:
    """Return the name of a file or folder in place of where it lies on this machine."""
    return Path(text).name if Path(text).is_absolute() else text


def read_text(path: Path | Traversable, wrong: type[SubgoalError] = DataCorrupt) -> str:
    """Read a text file that a person may have written, whatever the editor.

    Args:
        path: UTF-8, with or without a byte order mark; lines end in LF, CRLF or CR.
        wrong: The error of this boundary.

    Returns:
        The text without the mark, each line's end a line feed.

    Raises:
        SubgoalError: Of the class `wrong`; there is no such file, or it is no UTF-8 text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise wrong(f"there is no file {path}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no file can be called so
        raise wrong(f"there is no file {path}") from error
    try:
        text = _unmarked(data).decode()
    except ValueError as error:
        raise wrong(f"{path} cannot be read: {_explained(error, data)}") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise wrong(f"{path} line {line} holds a NUL byte, so it is no text; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_record(path: Path, record: type[R], wrong: type[SubgoalError], remedy: str) -> R:
    """Read a file that holds one record as JSON.

    Args:
        path: The file.
        record: What it holds.
        wrong: The error of this boundary.
        remedy: What to do about a damaged file, for the message.

    Raises:
        SubgoalError: Of the class `wrong`; it cannot be read, or holds no such record.
    """
    try:
        return record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise wrong(f"{path} is damaged ({said_by(error)}); {remedy}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be read: {error.strerror or error}; {remedy}") from error


def numbered_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number the lines of a JSONL file from 1, without its byte order mark and its blank lines.

    Args:
        lines: Lines as a binary file or `io.BytesIO` yields them: cut after each line feed.

    Raises:
        ValueError: The file is UTF-16 or UTF-32, or its lines are too many and too short for
            records.
    """
    read = 0
    for number, line in enumerate(lines, start=1):
        read += len(line)
        if number > _ANY_LENGTH and read < _SHORTEST_MEAN * number:
            raise ValueError(
                f"its first {number:,} lines have only {read:,} bytes; it is no file of records, a "
                "line each"
            )
        held = _unmarked(line) if number == 1 else line
        if held.strip():
            yield number, held


def _unmarked(data: bytes) -> bytes:
    if data.startswith(_OTHER_MARKS) or b"\0" in data[:4]:
        raise ValueError("it is UTF-16 or UTF-32; save it as UTF-8")
    return data.removeprefix(_MARK)


def _explained(error: ValueError, data: bytes) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    line = data.count(b"\n", 0, error.start) + 1
    return f"line {line} is no UTF-8; save it as UTF-8"
