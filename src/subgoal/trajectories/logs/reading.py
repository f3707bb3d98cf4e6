"""Conversations out of files: the format is found or named, and nothing is dropped in silence."""

import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import zstandard

from subgoal.errors import ConfigInvalid, nearest
from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.formats import FORMATS
from subgoal.trajectories.logs.formats.base import LogFormat, SkipKind, Skipped, table
from subgoal.trajectories.logs.formats.langchain import is_message as is_langchain
from subgoal.trajectories.logs.json_records import Damaged, Located, records
from subgoal.validation import checked_by

AUTO = "auto"
"""The format is found by a file's first record."""


SHIPPED = "package:"
"""How the name of a log begins that ships with the package: `package:airline`."""


def file_of(path: Path) -> Path:
    """Return the file of a log that ships with the package; any other path as it is.

    Args:
        path: As a user names it.

    Raises:
        ConfigInvalid: No such log ships with the package.
    """
    called = str(path)
    if not called.startswith(SHIPPED):
        return path
    folder = Path(str(resources.files("subgoal.trajectories.logs") / "shipped"))
    place = folder / f"{called.removeprefix(SHIPPED)}.jsonl.zst"
    if not place.is_file():
        known = ", ".join(one.name.partition(".")[0] for one in folder.glob("*.jsonl.zst"))
        raise ConfigInvalid(f"no log '{called}' ships with the package; there are: {known}")
    return place


def check_format(name: str) -> None:
    """Check the name of a format.

    Raises:
        ConfigInvalid: There is none.
    """
    if name != AUTO and name not in FORMATS:
        known = f"; there are: {AUTO}, {', '.join(FORMATS)}"
        raise ConfigInvalid(f"there is no format of logs '{name}'{nearest(name, FORMATS) or known}")


FormatName = Annotated[str, checked_by(check_format)]
"""The name of a format of logs, or `auto`."""


def conversations(
    path: Path, form: str = AUTO, seen: set[str] | None = None
) -> Iterator[LoggedConversation | Skipped]:
    """Read the conversations of a file.

    Args:
        path: The file; `.gz` and `.zst` are unpacked.
        form: Its format.
        seen: Ids of other files; those of this one are added.

    Yields:
        Conversations with unique ids, and what is not taken.

    Raises:
        ConfigInvalid: It cannot be read, holds nothing, or is of no format that is known.
        DataCorrupt: It unpacks to too much, or holds a record that is too long.
    """
    seen = set() if seen is None else seen
    nameless = Counter[str]()
    with _readable(path):
        for one in _read(path, form):
            if isinstance(one, LoggedConversation):
                yield _once(one, seen, path, nameless)
            else:
                yield one


def check_file(path: Path, form: str = AUTO) -> None:
    """Check that a file can be read and is of a format that is known, by its first record.

    Args:
        path: The file.
        form: Its format.

    Raises:
        ConfigInvalid: It cannot be read, holds nothing, or is of no format that is known.
        DataCorrupt: It unpacks to too much, or its first record is too long.
    """
    with _readable(path):
        first, _ = _first(records(path), path)
        _format(first.value, path, form)


@contextmanager
def _readable(path: Path) -> Generator[None]:
    try:
        yield
    except IsADirectoryError as error:
        raise ConfigInvalid(f"{path} is a folder; name the files in it: {path}/*") from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"the log {path} is no UTF-8; save it as UTF-8") from error
    except (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigInvalid(f"the log {path} cannot be read: {why}") from error


def _first(found: Iterator[Located | Damaged], path: Path) -> tuple[Located, list[Damaged]]:
    """Return the first record of a file, and the damage before it."""
    damaged = list[Damaged]()
    for one in found:
        if isinstance(one, Located):
            return one, damaged
        damaged.append(one)
    what = f"; line {damaged[0].line}: {damaged[0].why}" if damaged else ""
    raise ConfigInvalid(f"the log {path} holds no record{what}")


def _read(path: Path, form: str) -> Iterator[LoggedConversation | Skipped]:
    found = records(path)
    first, damaged = _first(found, path)
    whole = chain(damaged, [first], found)
    if _is_message(first.value):  # the array is one conversation
        listed = list(whole)
        first = Located(first.line, [one.value for one in listed if isinstance(one, Located)])
        whole = [first, *(one for one in listed if isinstance(one, Damaged))]
    reader = _format(first.value, path, form)
    aside = list[Skipped]()
    for one in reader.conversations(_fitting(whole, reader, path.name, aside), path.name):
        yield from _taken(aside)
        yield one
    yield from _taken(aside)


def _taken(aside: list[Skipped]) -> list[Skipped]:
    held = aside[:]
    aside.clear()
    return held


def _fitting(
    found: Iterable[Located | Damaged], reader: LogFormat, name: str, aside: list[Skipped]
) -> Iterator[Located]:
    """Yield the records of a format; what is not goes aside."""
    for one in found:
        place = f"{name}:{one.line}"
        if isinstance(one, Damaged):
            aside.append(Skipped(SkipKind.DAMAGED, place, one.why))
        elif reader.fits(one.value):
            yield one
        else:
            other = next((kind.name for kind in FORMATS.values() if kind.fits(one.value)), "")
            why = f"{other}; the file is read as {reader.name}" if other else "none that is known"
            aside.append(Skipped(SkipKind.FORMAT, place, why))


def _format(first: Any, path: Path, form: str) -> LogFormat:
    value = [first] if _is_message(first) else first
    if form != AUTO:
        return FORMATS[form]
    for kind in FORMATS.values():
        if kind.fits(value):
            return kind
    raise ConfigInvalid(
        f"the log {path} is of no format that is known: its first record is no "
        f"{', '.join(FORMATS)}; docs/logs.md shows each, and how to write one of your own"
    )


def _is_message(value: Any) -> bool:
    keys = table(value).keys()
    own = bool({"role", "from"} & keys) or {"kind", "parts"} <= keys
    return (len(keys) > 1 and own) or is_langchain(value)


def _once(
    one: LoggedConversation, seen: set[str], path: Path, nameless: Counter[str]
) -> LoggedConversation | Skipped:
    """Give a conversation an id; one without a turn, or with an id of before, is not taken."""
    number = one.id or _made_up(one, seen, path, nameless)
    if number in seen:
        return Skipped(SkipKind.TWICE, one.place, number)
    if not any(turn.text or turn.calls for turn in one.turns):
        return Skipped(SkipKind.EMPTY, one.place)
    seen.add(number)
    return one.model_copy(update={"id": number})


def _made_up(one: LoggedConversation, seen: set[str], path: Path, nameless: Counter[str]) -> str:
    """Name a conversation after its file and line, and its number where a line holds several.

    Files of one name are told by their folders.
    """
    nameless[one.place] += 1
    number = f"{path.name.partition('.')[0]}-{one.place.rpartition(':')[2]}"
    if nameless[one.place] > 1:
        number = f"{number}-{nameless[one.place]}"
    for folder in path.absolute().parents:
        if number not in seen:
            break
        number = f"{folder.name}/{number}"
    return number
