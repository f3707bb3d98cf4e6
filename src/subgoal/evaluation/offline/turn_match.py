"""What of a turn is right: to speak or to call, its words, the tool, its arguments, all of it.

In logs a turn is what is said and what is called (`trajectories/logs/turn_text.py`). Arguments are
compared as JSON: neither the order of keys nor the spelling of numbers counts, nor the order of
calls that are made at once. What is said has many right wordings, so it is told how alike two
messages are, character by character (Indel similarity). In worlds the verb stands for the tool.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple, cast

from rapidfuzz import fuzz

from subgoal.environments.registry import LOG, language
from subgoal.errors import DataCorrupt
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.logs.turn_text import read_turn

SPOKEN = "(message)"
"""The kind of a turn that calls nothing."""


class TurnParts(NamedTuple):
    """A turn taken apart."""

    text: str
    """What it says."""
    tools: tuple[str, ...]
    """What it calls, sorted; in a world the verb."""
    calls: tuple[str, ...]
    """The same with arguments, in one spelling, sorted."""

    @property
    def kind(self) -> str:
        """Its tools, or `SPOKEN`."""
        return ", ".join(self.tools) or SPOKEN


class TurnMatch(NamedTuple):
    """What of a turn is right; None where there is nothing of it in the true turn."""

    exact: bool
    """All of it."""
    decision: bool | None
    """To speak or to call; None in worlds."""
    tool: bool | None
    """What is called; None of turns that only speak."""
    arguments: bool | None
    """What is called, with all arguments; None of turns that only speak."""
    words: float | None
    """How alike what is said is, 0 to 1, 0 for a call; None of turns that call, and in worlds."""


@lru_cache(100_000)
def turn_parts(action: str, environment: str) -> TurnParts | None:
    """Take a turn apart; None where a line begins like a call and is none.

    Args:
        action: The text of the turn.
        environment: The world, or the log (`log:airline`).
    """
    if not environment.startswith(LOG):
        phrase = take_apart(action, language(environment))
        return TurnParts("", (phrase.verb,), (str(tuple(phrase)),))
    try:
        turn = read_turn(action.strip())
        calls = sorted(f"{one.name} {_json(one.arguments)}" for one in turn.calls)
    except (DataCorrupt, RecursionError):
        return None
    return TurnParts(turn.text.strip(), tuple(sorted(c.name for c in turn.calls)), tuple(calls))


def match(truth: str, written: str | None, environment: str) -> TurnMatch:
    """Compare a turn with the true one.

    Args:
        truth: The text of the true turn.
        written: The text of the other; None: nothing was written.
        environment: The world or the log.

    >>> match('-> find(city="Rome", n=2)', '-> find(n=2.0, city="Rome")', "log:trips").exact
    True
    """
    is_log = environment.startswith(LOG)
    true = turn_parts(truth, environment)
    other = None if written is None else turn_parts(written, environment)
    same = written is not None and written.strip() == truth.strip()
    exact = same or (is_log and true is not None and other == true)
    calls = true is not None and bool(true.tools)
    return TurnMatch(
        exact=exact,
        decision=(other is not None and bool(other.tools) == calls) if is_log else None,
        tool=(other is not None and other.tools == true.tools) if true and calls else None,
        arguments=(other is not None and other.calls == true.calls) if true and calls else None,
        words=_alike(true, other) if is_log and true and not calls else None,
    )


def _alike(true: TurnParts, other: TurnParts | None) -> float:
    return 0.0 if other is None or other.tools else fuzz.ratio(true.text, other.text) / 100


def _json(value: Any) -> str:
    return json.dumps(_one_spelling(value), sort_keys=True)


def _one_spelling(value: Any) -> Any:
    """Write whole numbers without a point, wherever they stand."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _one_spelling(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_one_spelling(one) for one in cast("list[Any]", value)]
    return value
