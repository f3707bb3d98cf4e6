"""An elementary action taken apart, and a path folded into units.

Text worlds share a grammar: a verb, perhaps a particle, one or two names with a preposition in
between (`pour cup into bowl`). Answers repeat it: `You move the thermometer to the inventory.`
Folding joins what nobody would set apart: a walk through rooms, one action many times over, and
a number that only answers the question which of several things is meant.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_TWO_WORDS = frozenset(
    {
        ("go", "to"),
        ("teleport", "to"),
        ("pick", "up"),
        ("put", "down"),
        ("put", "on"),
        ("look", "at"),
        ("look", "in"),
        ("look", "around"),
        ("focus", "on"),
        ("switch", "on"),
        ("switch", "off"),
        ("turn", "on"),
        ("turn", "off"),
    }
)
_THREE_WORDS = frozenset({("open", "door", "to"), ("close", "door", "to")})
_BETWEEN: dict[str, tuple[str, ...]] = {
    "move": (" to ",),
    "pour": (" into ", " in "),
    "dunk": (" into ",),
    "use": (" on ",),
    "connect": (" to ",),
    "put": (" into ", " in ", " on "),
    "insert": (" into ",),
    "place": (" into ", " in ", " on "),
    "take": (" from ",),
    "give": (" to ",),
    "unlock": (" with ",),
    "cook": (" with ",),
}
"""Prepositions that part a verb's two arguments, the likelier first."""
_DETAIL = re.compile(r" (?:in|on|containing) .*$")
_ANSWER = re.compile(r"You (.+?)\.(?:\s|$)")

GO = frozenset({"go to", "go", "teleport to"})
"""Verbs that bring the agent into another place."""
WALK = "walk"
"""The verb of a unit that walks through rooms; its one argument is the room that is reached."""


class Phrase(NamedTuple):
    """A verb and what it acts on, in lower case."""

    verb: str
    arguments: tuple[str, ...] = ()


class Unit(NamedTuple):
    """Consecutive steps of a path that belong together, taken as one action."""

    first: int
    """First step, counted from 1."""
    last: int
    """Last step, included."""
    phrase: Phrase
    """The action; of a walk, the room that is reached."""


@lru_cache(100_000)
def take_apart(action: str) -> Phrase:
    """Split `pour cup into bowl` into `pour` and `cup`, `bowl`.

    A verb that is not known is the first word; what follows is its argument.
    """
    words = action.lower().split()
    size = 3 if tuple(words[:3]) in _THREE_WORDS else 2 if tuple(words[:2]) in _TWO_WORDS else 1
    verb, rest = " ".join(words[:size]), " ".join(words[size:])
    for between in _BETWEEN.get(verb, ()):
        if between in rest:
            # What is poured may itself be `in` something: `pour cup in table in bowl`.
            parts = rest.rpartition(between) if between == " in " else rest.partition(between)
            return Phrase(verb, (parts[0], parts[2]))
    return Phrase(verb, (rest,) if rest else ())


@lru_cache(100_000)
def answered(observation: str) -> Phrase | None:
    """Take an answer such as `You focus on the water.` apart, or return None for any other."""
    match = _ANSWER.match(observation)
    return take_apart(re.sub(r"\bthe ", "", match[1])) if match else None


@lru_cache(100_000)
def short(name: str) -> str:
    """Return a thing's name without where it is or what it holds: `jug in sink` -> `jug`."""
    return _DETAIL.sub("", name)


@lru_cache(100_000)
def content_words(name: str) -> tuple[str, ...]:
    """Return the words of a thing's short name that are no number or single letter."""
    return tuple(word for word in short(name).split() if len(word) > 1 and not word.isdigit())


def head(name: str) -> str:
    """Return the noun of a thing's name: `flower pot 3` -> `pot`."""
    words = content_words(name)
    return words[-1] if words else name


def fold(actions: Sequence[str]) -> list[Unit]:
    """Fold a path into units, in order and covering it."""
    phrases = [take_apart(action) for action in actions]
    units: list[Unit] = []
    first = 0
    while first < len(phrases):
        last, phrase = _walk(phrases, first)
        if last < first:
            last, phrase = first, phrases[first]
            while last + 1 < len(phrases) and phrases[last + 1] == phrase:
                last += 1
            while last + 1 < len(phrases) and phrases[last + 1].verb.isdigit():
                last += 1
        units.append(Unit(first + 1, last + 1, phrase))
        first = last + 1
    return units


def _walk(phrases: Sequence[Phrase], first: int) -> tuple[int, Phrase]:
    """Return the last step of the walk that begins at `first` (before it, if none) and its room."""
    last, room = first - 1, ""
    for step in range(first, len(phrases)):
        verb, arguments = phrases[step]
        if verb in GO and arguments:
            last, room = step, arguments[0]
        elif verb != "open door to":
            break
        else:
            last = step
    if not room:
        return first - 1, Phrase("")
    return last, Phrase(WALK, (room,))
