"""A part of a path that is rewritten: a sub-goal with its actions, before a replay numbers them."""

from collections.abc import Sequence
from typing import NamedTuple

from subgoal.annotation.subgoal import Subgoal, SubgoalSpan
from subgoal.annotation.surroundings import WorldFacts


class Move(NamedTuple):
    """A step to be."""

    action: str
    """What is done."""
    injected: bool = False
    """Whether it is a mistake that was put in: read, and never learned."""


def teleport(around: WorldFacts, place: str, injected: bool = False) -> Move:
    """Return the step that goes to a place at once.

    Args:
        around: What is known of the world.
        place: Where to.
        injected: Whether it is a mistake.
    """
    return Move(f"{around.language.teleport} {place}", injected)


class Part(NamedTuple):
    """A sub-goal and its steps."""

    span: SubgoalSpan
    """The sub-goal; its numbers of steps do not count."""
    moves: tuple[Move, ...]
    """The steps."""


def going(around: WorldFacts, place: str, injected: bool = False) -> Part:
    """Return the part that goes to a place.

    Args:
        around: What is known of the world.
        place: Where to.
        injected: Whether the sub-goal is a mistake.
    """
    goal = Subgoal(name=around.going, arguments=(place,))
    span = SubgoalSpan(subgoal=goal, first=1, last=1, injected=injected)
    return Part(span, (teleport(around, place),))


def spans_of(parts: Sequence[Part]) -> tuple[SubgoalSpan, ...]:
    """Return the sub-goals of parts that follow one another, their steps numbered from 1."""
    spans: list[SubgoalSpan] = []
    last = 0
    for part in parts:
        first, last = last + 1, last + len(part.moves)
        spans.append(part.span.model_copy(update={"first": first, "last": last}))
    return tuple(spans)
