"""Renamed copies of a log's conversations: other codes, so that students copy what they read.

A code is what identifies a thing: a booking (`4WQ150`, `HATHAT`), a user (`mia_li_3668`), a card.
Those that a call has from what was said before become others of the same shape, everywhere in the
conversation. Words, dates, amounts, names of tools and of their arguments stay.
"""

import random
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any, cast

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.errors import DataCorrupt
from subgoal.trajectories.logs.turn_text import read_turn

_WORD = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_IS_CODE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).{4,}|[A-Z]{5,}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KINDS = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_TRIES = 20


def other_codes(one: AnnotatedTrajectory, chance: random.Random) -> dict[str, str]:
    """Choose what each code of a conversation becomes; no two become the same.

    One of few possible codes may stay as it is.

    Args:
        one: The conversation.
        chance: What draws them.
    """
    exchange: dict[str, str] = {}
    found = dict.fromkeys(_copied(one))
    for code in found:
        for new in (_alike(code, chance) for _ in range(_TRIES)):
            if new not in found and new not in exchange.values():
                exchange[code] = new
                break
    return exchange


def _copied(one: AnnotatedTrajectory) -> Iterator[str]:
    """Yield the codes in calls that stand in what was said before."""
    said = set[str]()
    for step in one.trajectory.steps:
        said.update(_WORD.findall(step.look))
        try:
            calls = read_turn(step.action).calls
        except DataCorrupt:
            calls = ()
        for text in (text for call in calls for text in _texts(call.arguments)):
            for word in _WORD.findall(text):
                if word in said and _IS_CODE.fullmatch(word) and not _DATE.match(word):
                    yield word
        said.update(_WORD.findall(step.observation))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in cast("Mapping[str, Any]", value).values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from _texts(one)


def _alike(code: str, chance: random.Random) -> str:
    """Return a code with each character another of its kind; words in it stay."""

    def drawn(found: re.Match[str]) -> str:
        piece = found[0]
        if not code.isupper() and piece.isalpha():
            return piece
        return "".join(chance.choice(next(kind for kind in _KINDS if c in kind)) for c in piece)

    return _PIECE.sub(drawn, code)
