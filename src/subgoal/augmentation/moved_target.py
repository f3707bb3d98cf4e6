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
from subgoal.augmentation.part import Move, Part, going, spans_of, teleport
from subgoal.augmentation.shortening import Replay
from subgoal.environments.base import StopReason
from subgoal.environments.language import WorldLanguage
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step

SOURCE = "elsewhere"
"""The `source` of such trajectories."""
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
    path, spoken = one.trajectory, around.language
    met = _meeting(one, around)
    if (
        met is None
        or not (around.going and spoken.teleport)
        or path.stop_reason is not StopReason.SOLVED
    ):
        return None
    if len(path.steps) > _LONGEST:
        return None
    tour = _tour(around.places, met.places)
    targets = random.Random(one.key).sample(tour, len(tour))
    if copy > len(targets):
        return None
    tour = tour[: tour.index(targets[copy - 1]) + 1]
    before = _carried(one, met, tour[-1], around)
    parts = _searched(one, met, tour, around)
    walked = [move.action for part in parts for move in part.moves]
    new = replay([*before, *walked])
    steps = new.steps[len(before) :]
    if len(steps) != len(walked) or new.stop_reason is not StopReason.SOLVED:
        return None
    carry = {spoken.take, spoken.drop}
    moved = [s for s in new.steps[: len(before)] if take_apart(s.action, spoken).verb in carry]
    if not all(step.accepted for step in moved) or _refused(steps) > _refused(path.steps):
        return None
    spent = new.steps[len(before) - 1].moves
    told = tuple(step.model_copy(update={"moves": step.moves - spent}) for step in steps)
    found = new.model_copy(update={"steps": told, "source": SOURCE})
    update = {"trajectory": found, "spans": spans_of(parts), "variant": f"{SOURCE} {copy}"}
    return one.model_copy(update=update)


def _meeting(one: AnnotatedTrajectory, around: WorldFacts) -> _Meeting | None:
    """Find the thing of a task that says what to find, and not where."""
    places, spoken = around.places, around.language
    asked = one.trajectory.task.description.lower()
    if any(_named(place, asked) for place in places):
        return None
    starts = {span.first - 1: number for number, span in enumerate(one.spans)}
    been = [_place(one.trajectory.steps[0].look, places)]
    for number, step in enumerate(one.trajectory.steps):
        verb, arguments = take_apart(step.action, spoken)
        if verb in spoken.movement and step.entered and arguments:
            been.append(arguments[0])
        if verb in {spoken.focus, spoken.take} and arguments and _named(arguments[0], asked):
            if number not in starts or not been[0]:
                return None
            return _Meeting(arguments[0], starts[number], number, tuple(been))
    return None


def _carried(one: AnnotatedTrajectory, met: _Meeting, target: str, around: WorldFacts) -> list[str]:
    """Return what comes before the path: the thing is taken away, and all else put back."""
    actions, spoken = one.trajectory.actions, around.language
    verbs = [(action, take_apart(action, spoken).verb) for action in actions[: met.step]]
    way = [(a, verb) for a, verb in verbs if verb in {*spoken.movement, spoken.open}]
    last = max((i for i, (_, verb) in enumerate(way) if verb in spoken.movement), default=-1)
    opened = [action.removeprefix(spoken.open) for action, _ in way[last + 1 :]]
    held = _holder(actions[met.step :], met.thing, spoken)
    return [
        *(action for action, _ in way),
        f"{spoken.take} {held}",
        *(f"{spoken.close}{name}" for name in opened),
        teleport(around, target).action,
        f"{spoken.drop} {held}",
        teleport(around, met.places[0]).action,
    ]


def _holder(actions: Sequence[str], thing: str, spoken: WorldLanguage) -> str:
    """Return what is carried: the thing, or what the path pours it from."""
    for action in actions:
        verb, arguments = take_apart(action, spoken)
        if verb == spoken.pour and _named(thing, arguments[0]):
            return arguments[0]
    return thing


def _searched(
    one: AnnotatedTrajectory, met: _Meeting, tour: Sequence[str], around: WorldFacts
) -> list[Part]:
    """Put the search for the thing into a path."""
    actions, spoken = one.trajectory.actions, around.language
    parts = [
        Part(span, tuple(map(Move, actions[span.first - 1 : span.last]))) for span in one.spans
    ]
    search = [going(around, place) for place in tour]
    with_it = met.span + 1
    while with_it < len(parts) and _deals(parts[with_it], met.thing, spoken):
        with_it += 1
    rest = parts[with_it:]
    leaves = rest and take_apart(rest[0].moves[0].action, spoken).verb in spoken.movement
    back = [] if leaves or not rest else [going(around, met.places[-1])]
    return [*parts[: met.span], *search, *parts[met.span : with_it], *back, *rest]


def _tour(places: Sequence[str], been: Sequence[str]) -> list[str]:
    """Return where the path has not been yet, in the order of the places, from where it is on."""
    at = places.index(been[-1]) if been[-1] in places else 0
    return [place for place in (*places[at:], *places[:at]) if place not in been]


def _deals(part: Part, thing: str, spoken: WorldLanguage) -> bool:
    """Return whether each action of a sub-goal names the thing and moves it."""
    moving = {spoken.carry, spoken.pour, spoken.take}
    return all(
        take_apart(move.action, spoken).verb in moving and _named(thing, move.action)
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
