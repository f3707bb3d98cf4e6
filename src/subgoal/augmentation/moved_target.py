"""Elsewhere: the thing that a task asks for is carried to another place first, and has to be found.

Oracle paths go straight to where a thing is, so that who imitates them knows places by heart and
never learns to look for one. Here the world is changed before the path begins: the thing is carried
to another room, and everything else is put back as it was. The path then goes as far as it went,
does not see the thing, and teleports through the rooms, in one order always, until it does; it goes
on with the thing and returns to where the rest of the path is walked. What is seen comes from the
world, and a path counts only if its replay still solves its task. Such paths teach; their tasks
begin otherwise than the world's own, so that none of them is played or counted as solved.
"""

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.surroundings import WorldFacts
from subgoal.augmentation.part import Move, Part, going, spans_of
from subgoal.augmentation.shortening import TELEPORT, Replay
from subgoal.environments.base import StopReason
from subgoal.trajectories.action_grammar import GO, take_apart
from subgoal.trajectories.trajectory import Step

SOURCE = "elsewhere"
"""The `source` of such trajectories."""
_MEET = frozenset({"focus on", "pick up"})
"""How a path first deals with the thing that its task asks for."""
_TAKE, _DROP, _OPEN, _CLOSE, _POUR = "pick up", "put down", "open", "close", "pour"
_CARRY = frozenset({_TAKE, _DROP})
_LONGEST = 100
"""Steps of a path that is rewritten so, at most."""


class _Meeting(NamedTuple):
    """Where a path first deals with the thing that its task asks for."""

    thing: str
    """The thing, as the path calls it."""
    span: int
    """The sub-goal that begins with it."""
    step: int
    """Its step, from 0."""
    places: tuple[str, ...]
    """Where the path has been until then, in order; the last is where that is."""


def elsewhere(
    one: AnnotatedTrajectory, replay: Replay, around: WorldFacts, copy: int
) -> AnnotatedTrajectory | None:
    """Return a path on which the thing stands in another place; None where that cannot be had.

    Args:
        one: A solved path.
        replay: Replays actions in the path's world.
        around: What is known of the world.
        copy: Which copy, from 1; another number takes the thing to another place.
    """
    path = one.trajectory
    met = _meeting(one, around.places)
    if met is None or not around.going or path.stop_reason is not StopReason.SOLVED:
        return None
    if len(path.steps) > _LONGEST:
        return None
    tour = _tour(around.places, met.places)
    targets = random.Random(one.key).sample(tour, len(tour))
    if copy > len(targets):
        return None
    tour = tour[: tour.index(targets[copy - 1]) + 1]
    before = _carried(one, met, tour[-1])
    parts = _searched(one, met, tour, around)
    walked = [move.action for part in parts for move in part.moves]
    new = replay([*before, *walked])
    steps = new.steps[len(before) :]
    if len(steps) != len(walked) or new.stop_reason is not StopReason.SOLVED:
        return None
    moved = [step for step in new.steps[: len(before)] if take_apart(step.action).verb in _CARRY]
    if not all(step.accepted for step in moved) or _refused(steps) > _refused(path.steps):
        return None
    spent = new.steps[len(before) - 1].moves
    told = tuple(step.model_copy(update={"moves": step.moves - spent}) for step in steps)
    found = new.model_copy(update={"steps": told, "source": SOURCE})
    update = {"trajectory": found, "spans": spans_of(parts), "variant": f"{SOURCE} {copy}"}
    return one.model_copy(update=update)


def _meeting(one: AnnotatedTrajectory, places: Sequence[str]) -> _Meeting | None:
    """Find the thing of a task that says what to find, and not where."""
    asked = one.trajectory.task.description.lower()
    if any(_named(place, asked) for place in places):
        return None
    starts = {span.first - 1: number for number, span in enumerate(one.spans)}
    been = [_place(one.trajectory.steps[0].look, places)]
    for number, step in enumerate(one.trajectory.steps):
        verb, arguments = take_apart(step.action)
        if verb in GO and step.entered and arguments:
            been.append(arguments[0])
        if verb in _MEET and arguments and _named(arguments[0], asked):
            if number not in starts or not been[0]:
                return None
            return _Meeting(arguments[0], starts[number], number, tuple(been))
    return None


def _carried(one: AnnotatedTrajectory, met: _Meeting, target: str) -> list[str]:
    """Return what comes before the path: the thing is taken away, and all else put back."""
    actions = one.trajectory.actions
    way = [a for a in actions[: met.step] if take_apart(a).verb in {*GO, _OPEN}]
    last = max((i for i, a in enumerate(way) if take_apart(a).verb in GO), default=-1)
    opened = [a.removeprefix(_OPEN) for a in way[last + 1 :]]
    held = _holder(actions[met.step :], met.thing)
    return [
        *way,
        f"{_TAKE} {held}",
        *(f"{_CLOSE}{name}" for name in opened),
        TELEPORT.format(target),
        f"{_DROP} {held}",
        TELEPORT.format(met.places[0]),
    ]


def _holder(actions: Sequence[str], thing: str) -> str:
    """Return what is carried: the thing, or what the path pours it from."""
    for action in actions:
        verb, arguments = take_apart(action)
        if verb == _POUR and _named(thing, arguments[0]):
            return arguments[0]
    return thing


def _searched(
    one: AnnotatedTrajectory, met: _Meeting, tour: Sequence[str], around: WorldFacts
) -> list[Part]:
    """Put the search for the thing into a path."""
    actions = one.trajectory.actions
    parts = [
        Part(span, tuple(map(Move, actions[span.first - 1 : span.last]))) for span in one.spans
    ]
    search = [going(around, place) for place in tour]
    with_it = met.span + 1
    while with_it < len(parts) and _deals(parts[with_it], met.thing):
        with_it += 1
    rest = parts[with_it:]
    leaves = rest and take_apart(rest[0].moves[0].action).verb in GO
    back = [] if leaves or not rest else [going(around, met.places[-1])]
    return [*parts[: met.span], *search, *parts[met.span : with_it], *back, *rest]


def _tour(places: Sequence[str], been: Sequence[str]) -> list[str]:
    """Return where the path has not been yet, in the order of the places, from where it is on."""
    at = places.index(been[-1]) if been[-1] in places else 0
    return [place for place in (*places[at:], *places[:at]) if place not in been]


def _deals(part: Part, thing: str) -> bool:
    """Return whether each action of a sub-goal names the thing and moves it."""
    return all(
        take_apart(move.action).verb in {"move", _POUR, _TAKE} and _named(thing, move.action)
        for move in part.moves
    )


def _place(look: str, places: Sequence[str]) -> str:
    """Return the place whose name comes first in what is seen; empty: none does."""
    found = {match.start(): place for place in places if (match := _word(place).search(look))}
    return found[min(found)] if found else ""


def _refused(steps: Sequence[Step]) -> int:
    return sum(not step.accepted for step in steps)


def _named(name: str, text: str) -> bool:
    return _word(name).search(text) is not None


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
