"""The contract of a format of logs: which records are its own, and what they hold."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

from subgoal.plain_text import storable
from subgoal.trajectories.logs.conversation import Call, LoggedConversation
from subgoal.trajectories.logs.json_records import Located

DEEPEST = 100
"""So many values of a record may hold each other."""


class SkipKind(StrEnum):
    """Why something of a log is not taken."""

    DAMAGED = "no JSON"
    """A line that cannot be read."""
    FORMAT = "another format"
    """A record of another format than the file's, or of none that is known."""
    EMPTY = "no turn of an agent"
    """A conversation in which no agent does anything."""
    SPAN = "a span without a model's messages"
    """A span that is no call of a model, or whose content was not recorded."""
    MESSAGE = "not a message"
    """A conversation with a message that is none."""
    ARGUMENTS = "arguments that are no JSON object"
    """A conversation with a call that cannot be read."""
    RESULT = "a result without its call"
    """A conversation with the result of a call that was not made."""
    PART = "a part that is no text"
    """An image, a sound or a file; the rest of its conversation is taken."""
    REWARD = "a reward that is no number"
    """A conversation whose reward cannot be read."""
    TWICE = "an id for the second time"
    """A conversation that was there before."""
    HISTORY = "the beginning of a longer conversation"
    """A conversation that another one repeats and goes on from."""


class Skipped(NamedTuple):
    """What of a log is not taken."""

    kind: SkipKind
    """Why."""
    place: str
    """Where it stands: file and line."""
    why: str = ""
    """What exactly, where the kind does not say it."""


class Unreadable(Exception):
    """A conversation that cannot be taken, raised by whoever reads it.

    Args:
        kind: Why.
        why: What exactly.
    """

    def __init__(self, kind: SkipKind, why: str = "") -> None:
        super().__init__(why)
        self.kind, self.why = kind, storable(why)


class LogFormat(ABC):
    """One format of logs.

    Attributes:
        name: What it is called in a configuration.
    """

    name: str

    @abstractmethod
    def fits(self, record: Any) -> bool:
        """Return whether a JSON value is a record of this format."""

    @abstractmethod
    def read(self, record: Any) -> Iterator[LoggedConversation | Unreadable]:
        """Yield the conversations that a record holds, without their place; an id may be empty.

        Yields:
            Conversations, and why others between them are not taken.

        Raises:
            Unreadable: One cannot be taken, nor what follows it.
        """

    def conversations(
        self, records: Iterable[Located], file: str
    ) -> Iterator[LoggedConversation | Skipped]:
        """Read the conversations of a file.

        Args:
            records: Its records, all of which fit.
            file: What the file is called.
        """
        for line, value in records:
            place = f"{file}:{line}"
            try:
                for one in self.read(clean(value)):
                    if isinstance(one, Unreadable):
                        yield Skipped(one.kind, place, one.why)
                    else:
                        yield one.model_copy(update={"place": place})
                        for kind in (kind for said in one.messages for kind in said.unsaid):
                            yield Skipped(SkipKind.PART, place, kind)
            except Unreadable as why:
                yield Skipped(why.kind, place, why.why)


def table(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, and anything else as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows(value: Any) -> Sequence[Any]:
    """Return a JSON array as it is, and anything else as an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def call(name: Any, arguments: Any, number: Any = "") -> Call:
    """Return a call, whose arguments may be an object, its JSON, or the JSON of that.

    Args:
        name: The tool.
        arguments: Its arguments.
        number: The call's id.

    Raises:
        Unreadable: They are no JSON object, or there is no name.
    """
    if not isinstance(name, str) or not name:
        raise Unreadable(SkipKind.MESSAGE, "a call names no tool")
    read = arguments
    for _ in range(2):  # some libraries encode them twice
        if isinstance(read, str):
            read = _decoded(read, name)
    if read is None:
        read = {}
    if not isinstance(read, dict):
        raise Unreadable(SkipKind.ARGUMENTS, f"those of {name}: {str(arguments)[:60]!r}")
    kept = cast("dict[str, Any]", read)
    return Call(name=name, arguments=clean(kept), id=identity(number))


def tools(value: Any) -> tuple[dict[str, Any], ...]:
    """Return descriptions of tools as a chat template takes them.

    Args:
        value: A list of them, each whole or only its `function`; or the JSON of that.
    """
    listed = rows(parsed(value))
    held = (table(parsed(one)) for one in listed)
    return tuple(
        one if "function" in one else {"type": "function", "function": _untyped(one)}
        for one in held
        if one
    )


def _untyped(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a function without the word that it is one, as some write both in one object."""
    return rest(tool, "type") if tool.get("type") == "function" else tool


def parsed(value: Any) -> Any:
    """Return what a text holds as JSON; anything else, and a text that is none, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return clean(json.loads(value))
    except (ValueError, RecursionError):
        return value


def identity(value: Any) -> str:
    """Return an id or a name as a text; empty: it is none.

    Args:
        value: A text, or a number.
    """
    return str(value) if isinstance(value, str | int) else ""


def _decoded(text: str, name: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(SkipKind.ARGUMENTS, f"those of {name}: {text[:60]!r}") from None


def clean(value: Any, depth: int = DEEPEST) -> Any:
    """Return a JSON value with texts that files can hold; numbers that JSON has not become texts.

    Args:
        value: The value.
        depth: How many values may hold each other.

    Raises:
        Unreadable: More do.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | dict) and not depth:
        raise Unreadable(SkipKind.MESSAGE, f"more than {DEEPEST} values hold each other")
    if isinstance(value, list):
        return [clean(one, depth - 1) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        return {storable(key): clean(one, depth - 1) for key, one in held.items()}
    return value


def rest(record: Mapping[str, Any], *read: str) -> dict[str, Any]:
    """Return the other fields of a record, for what a user may choose by.

    Args:
        record: The record.
        read: Fields that are read otherwise.
    """
    return {key: value for key, value in record.items() if key not in read}
