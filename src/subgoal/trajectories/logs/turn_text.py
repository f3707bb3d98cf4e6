"""One turn of an agent as text, and back: what it says, then each call on a line of its own.

    I will look that up.
    -> get_user_details(user_id="mia_li_3668")

Arguments keep their order; values are JSON, so text stands in quotes and numbers do not. Where
thoughts are learned, what was thought comes first, between two lines of their own:

    <think>
    Her bookings stand in her profile.
    </think>
    I will look that up.

A line of what it says that begins like a call is set off by a backslash, and so are a first line
`<think>` of what it says and a line `</think>` of what it thought. `read_turn(write_turn(...))`
returns what was given, for any text and any JSON values.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from subgoal.errors import DataCorrupt
from subgoal.trajectories.logs.conversation import Call

CALL = "-> "
"""How the line of a call begins."""
_SET_OFF = re.compile(r"^(?=\\*-> )", re.MULTILINE)
_SET_BACK = re.compile(r"^\\(?=\\*-> )", re.MULTILINE)
_THINK, _THOUGHT = "<think>\n", "\n</think>"
_SET_OFF_THINK = re.compile(r"\A(?=\\*<think>$)", re.MULTILINE)
_SET_BACK_THINK = re.compile(r"\A\\(?=\\*<think>$)", re.MULTILINE)
_SET_OFF_THOUGHT = re.compile(r"^(?=\\*</think>$)", re.MULTILINE)
_SET_BACK_THOUGHT = re.compile(r"^\\(?=\\*</think>$)", re.MULTILINE)
_END_OF_THOUGHT = re.compile(r"\n</think>(?:\n|\Z)")
_PLAIN_NAME = re.compile(r"[^\W\d][\w.-]*")
_DECODER = json.JSONDecoder()


class Turn(NamedTuple):
    """What an agent does in one turn."""

    text: str
    """What it says; empty where it only calls."""
    calls: tuple[Call, ...]
    """What it calls, without ids."""
    thought: str = ""
    """What it thought before; empty where that is not learned."""


class ThoughtApart(NamedTuple):
    """A turn's text, its thought apart."""

    thought: str
    """What was thought; empty: nothing."""
    rest: str
    """What is said and called."""
    ended: bool = True
    """False where the thought has no end: then nothing is said."""


def write_turn(text: str, calls: tuple[Call, ...], thought: str = "") -> str:
    """Write a turn as text.

    Args:
        text: What the agent says; empty where it only calls.
        calls: What it calls; their ids are left out.
        thought: What it thought before; empty: nothing, or nothing that is learned.

    >>> print(write_turn("One moment.", (Call(name="find", arguments={"city": "Rome", "n": 2}),)))
    One moment.
    -> find(city="Rome", n=2)
    """
    said = [_SET_OFF.sub(r"\\", text)] if text or not calls else []
    rest = "\n".join([*said, *(f"{CALL}{write_call(call)}" for call in calls)])
    return with_thought(thought, rest)


def with_thought(thought: str, rest: str) -> str:
    """Write a thought before what is said and called.

    Args:
        thought: What was thought; empty: nothing.
        rest: What is said and called, in whatever form.
    """
    rest = _SET_OFF_THINK.sub(r"\\", rest)
    kept = _SET_OFF_THOUGHT.sub(r"\\", thought)
    return f"{_THINK}{kept}{_THOUGHT}\n{rest}" if thought else rest


def thought_apart(written: str) -> ThoughtApart:
    """Read what `with_thought` wrote.

    Args:
        written: The text of a turn.
    """
    thought, rest = "", written
    if written.partition("\n")[0] == "<think>":
        end = _END_OF_THOUGHT.search(written)
        if end is None:
            return ThoughtApart(written[len(_THINK) :], "", ended=False)
        thought, rest = written[len(_THINK) : end.start()], written[end.end() :]
    return ThoughtApart(_SET_BACK_THOUGHT.sub("", thought), _SET_BACK_THINK.sub("", rest))


def write_call(call: Call) -> str:
    """Write a call: `find(city="Rome", n=2)`.

    Args:
        call: The call; its id is left out.
    """
    return f"{_name(call.name)}({_arguments(call.arguments)})"


def read_turn(written: str) -> Turn:
    """Read what `write_turn` wrote.

    Args:
        written: The text of a turn.

    Raises:
        DataCorrupt: A line begins like a call and is none, or a thought has no end.
    """
    thought, rest, ended = thought_apart(written)
    if not ended:
        raise DataCorrupt(f"a thought has no end: {thought[:80]!r}")
    lines = rest.split("\n")
    first = len(lines)
    while first and lines[first - 1].startswith(CALL):
        first -= 1
    text = "\n".join(lines[:first])
    misplaced = next((line for line in lines[:first] if line.startswith(CALL)), None)
    if misplaced is not None:
        raise DataCorrupt(f"a turn goes on in words after a call: {misplaced!r}")
    calls = tuple(read_call(line.removeprefix(CALL)) for line in lines[first:])
    return Turn(_SET_BACK.sub("", text), calls, thought)


def read_call(written: str) -> Call:
    """Read what `write_call` wrote.

    Args:
        written: Such as `find(city="Rome", n=2)`.

    Raises:
        DataCorrupt: It is no call.
    """
    try:
        name, at = _read_name(written, 0, "(")
        arguments = dict[str, Any]()
        while not written.startswith(")", at):
            if arguments:
                at = _past(written, at, ", ")
            key, at = _read_name(written, at, "=")
            if key in arguments:
                raise ValueError(f"{key!r} stands twice")
            arguments[key], at = _DECODER.raw_decode(written, at)
        if at + 1 != len(written):
            raise ValueError("something follows its end")
    except (ValueError, RecursionError) as error:
        raise DataCorrupt(f"no call of a tool: {written[:80]!r} ({error})") from error
    return Call(name=name, arguments=arguments)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{_name(key)}={_json(value)}" for key, value in arguments.items())


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _json(name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _read_name(written: str, at: int, after: str) -> tuple[str, int]:
    plain = _PLAIN_NAME.match(written, at)
    if plain:
        return plain[0], _past(written, plain.end(), after)
    name, end = _DECODER.raw_decode(written, at)
    if not isinstance(name, str):
        raise ValueError("a name is missing")
    return name, _past(written, end, after)


def _past(written: str, at: int, wanted: str) -> int:
    if not written.startswith(wanted, at):
        raise ValueError(f"{wanted.strip()!r} is missing after {written[:at][-20:]!r}")
    return at + len(wanted)
