"""What of a path is compared with other paths: each unit's verb, and its things by role.

A new path names other things than the annotated ones (`red box` for `green box`), in other rooms.
So a thing counts as alike where its name is, where its noun is, or where the task description
mentions it in the same place.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import (
    SAY,
    WALK,
    Phrase,
    Unit,
    content_words,
    fold,
    head,
    short,
)
from subgoal.trajectories.trajectory import Trajectory

_OTHER_VERB = 6.0
_OTHER_FORM = 3.0
_OTHER_THING = 2.0
_OTHER_ROOM = 0.5
_SAME_ROLE = 0.9
_SAME_NOUN = 0.6


class Thing(NamedTuple):
    """An argument of an action."""

    name: str
    """Its short name."""
    role: str
    """The two words before it in the task description; empty where it is not mentioned."""


class Template(NamedTuple):
    """A unit as it is compared."""

    verb: str
    things: tuple[Thing, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """The verb and the noun of what it leads to: what runs of like units share."""
        return (self.verb, *(head(thing.name) for thing in self.things[1:]))


def templates(trajectory: Trajectory) -> tuple[list[Unit], list[Template]]:
    """Fold a path into units and return them with their templates."""
    spoken = language(trajectory.task.environment)
    units = fold(trajectory.actions, spoken)
    description = trajectory.task.description.lower()
    return units, [
        Template(
            unit.phrase.verb,
            tuple(_thing(argument, description) for argument in _compared(unit.phrase, spoken)),
        )
        for unit in units
    ]


def _compared(phrase: Phrase, spoken: WorldLanguage) -> tuple[str, ...]:
    """Return the arguments that tell units apart; what tools are given is another in every log."""
    return () if spoken.turns and phrase.verb != SAY else phrase.arguments


def _thing(argument: str, description: str) -> Thing:
    name = short(argument)
    at = description.find(name)
    return Thing(name, " ".join(description[:at].split()[-2:]) if at >= 0 else "")


@lru_cache(200_000)
def cost(one: Template, other: Template) -> float:
    """Return how unlike two templates are: 0 for equal ones, in units of -log probability."""
    if one.verb != other.verb:
        return _OTHER_VERB
    if len(one.things) != len(other.things):
        return _OTHER_FORM
    if one.verb == WALK:
        rooms = ([thing.name for thing in each.things] for each in (one, other))
        return 0.0 if next(rooms) == next(rooms) else _OTHER_ROOM
    pairs = zip(one.things, other.things, strict=True)
    return _OTHER_THING * sum(1 - _likeness(mine, theirs) for mine, theirs in pairs)


@lru_cache(200_000)
def _likeness(one: Thing, other: Thing) -> float:
    if one.name == other.name:
        return 1.0
    mine, theirs = set(content_words(one.name)), set(content_words(other.name))
    return max(
        _SAME_ROLE if one.role and one.role == other.role else 0.0,
        _SAME_NOUN if head(one.name) == head(other.name) else 0.0,
        _SAME_ROLE * len(mine & theirs) / max(1, len(mine | theirs)),
    )


def loops(sequence: Sequence[Template]) -> tuple[list[Template], list[tuple[int, int]]]:
    """Fold runs of like units: a sub-goal that did something three times may do it five times.

    Returns:
        The sequence with each run (of up to four units) once, and the first and last index of
        each run in it.
    """
    kinds = [template.kind for template in sequence]
    folded: list[Template] = []
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(sequence):
        period, times = 1, 1
        for size in range(1, 5):
            count = 1
            while kinds[at + count * size : at + (count + 1) * size] == kinds[at : at + size]:
                count += 1
            if count > 1 and size * count > period * times:
                period, times = size, count
        if times > 1:
            runs.append((len(folded), len(folded) + period - 1))
        folded += sequence[at : at + period]
        at += period * times
    return folded, runs
