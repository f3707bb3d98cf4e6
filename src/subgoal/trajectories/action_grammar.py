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

from subgoal.environments.language import WorldLanguage
from subgoal.trajectories.logs.turn_text import read_turn

_PARTICLES = frozenset({"up", "down", "on", "off", "at", "in", "to", "around"})
"""What belongs to the verb before it, in a world that does not say how its actions are built."""
_PREPOSITIONS = (" into ", " onto ", " in ", " on ", " from ", " to ", " with ")
"""What parts two arguments there, the likelier first."""
_DETAIL = re.compile(r" (?:in|on|containing) .*$")
_ANSWER = re.compile(r"You (.+?)\.(?:\s|$)")

WALK = "walk"
"""The verb of a unit that walks; its argument is the room that is reached, if a world names it."""
SAY = "say"
"""The verb of a turn that only says something; its argument is what is said."""


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


class _Grammar(NamedTuple):
    """How the actions of a world are taken apart."""

    verbs: frozenset[tuple[str, ...]]
    """Verbs of several words."""
    between: dict[str, tuple[str, ...]]
    """By verb, what parts its two arguments, the likelier first."""

    def size(self, words: Sequence[str]) -> int:
        """Return how many words of an action are its verb."""
        longest = max(map(len, self.verbs), default=1)
        return next((n for n in range(longest, 1, -1) if tuple(words[:n]) in self.verbs), 1)


@lru_cache
def _grammar(language: WorldLanguage) -> _Grammar:
    verbs: set[tuple[str, ...]] = set()
    between: dict[str, tuple[str, ...]] = {}
    for built in language.actions:
        verb, *rest = (part.strip() for part in built.lower().split("{}"))
        if " " in verb:
            verbs.add(tuple(verb.split()))
        if len(rest) > 1:
            between[verb] = (*between.get(verb, ()), f" {rest[0]} ")
    return _Grammar(frozenset(verbs), between)


@lru_cache(100_000)
def take_apart(action: str, language: WorldLanguage) -> Phrase:
    """Split `pour cup into bowl` into `pour` and `cup`, `bowl`.

    A verb that is not known is the first word; what follows is its argument. Of a turn in a log the
    tool is the verb, and the values that it is given are the arguments.

    Args:
        action: An elementary action, or what an answer says was done.
        language: The world's words.

    Raises:
        DataCorrupt: It is a turn, and one of its calls is none.
    """
    if language.turns:
        return _turn(action)
    words = action.lower().split()
    if language.actions:
        grammar = _grammar(language)
        size = grammar.size(words)
    else:
        grammar, size = None, 2 if words[1:] and words[1] in _PARTICLES else 1
    verb, rest = " ".join(words[:size]), " ".join(words[size:])
    for between in _PREPOSITIONS if grammar is None else grammar.between.get(verb, ()):
        if between in rest:
            # What is poured may itself be `in` something: `pour cup in table in bowl`.
            parts = rest.rpartition(between) if between == " in " else rest.partition(between)
            return Phrase(verb, (parts[0], parts[2]))
    return Phrase(verb, (rest,) if rest else ())


def _turn(action: str) -> Phrase:
    text, calls, _ = read_turn(action)
    if not calls:
        return Phrase(SAY, (text.lower(),))
    values = (str(value).lower() for call in calls for value in call.arguments.values())
    return Phrase(", ".join(call.name for call in calls), tuple(values))


@lru_cache(100_000)
def answered(observation: str, language: WorldLanguage) -> Phrase | None:
    """Take an answer such as `You focus on the water.` apart, or return None for any other."""
    match = _ANSWER.match(observation)
    return take_apart(re.sub(r"\bthe ", "", match[1]), language) if match else None


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


def fold(actions: Sequence[str], language: WorldLanguage) -> list[Unit]:
    """Fold a path into units, in order and covering it."""
    phrases = [take_apart(action, language) for action in actions]
    units: list[Unit] = []
    first = 0
    while first < len(phrases):
        last, phrase = _walk(phrases, first, language)
        if last < first:
            last, phrase = first, phrases[first]
            while last + 1 < len(phrases) and phrases[last + 1] == phrase:
                last += 1
            while last + 1 < len(phrases) and phrases[last + 1].verb.isdigit():
                last += 1
        units.append(Unit(first + 1, last + 1, phrase))
        first = last + 1
    return units


def _walk(phrases: Sequence[Phrase], first: int, language: WorldLanguage) -> tuple[int, Phrase]:
    """Return the last step of the walk that begins at `first` (before it, if none) and its room."""
    last, room, moves = first - 1, tuple[str, ...](), False
    for step in range(first, len(phrases)):
        verb, arguments = phrases[step]
        if verb in language.movement:
            last, room, moves = step, arguments[:1] or room, True
        elif verb != language.open_door:
            break
        else:
            last = step
    return (last, Phrase(WALK, room)) if moves else (first - 1, Phrase(""))
