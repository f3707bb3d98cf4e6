"""Shortening: a solved path is rewritten to need fewer steps, where the world allows it.

An agent that imitates a path is at best as fast as the path, and episodes have a limit of moves.
Oracle paths look around where the room is in view, open what is open, walk through rooms where the
world lets one teleport, and look at a sliding block until it has arrived, a hundred times, where a
few looks tell how fast it is. The last of these looks goes to the end of its sub-goal: that is what
a folded text keeps of it, and what two slides are compared by. A look around that ends the steps of
a sub-goal stays: it is the evidence that the next one rests on (is the light bulb on?), without
which an imitator could only guess. A watch, readings taken in turn, is cut where it has said what
its last reading says (`watches`). A rewritten path counts only if its replay in the world solves
the task in fewer steps, and is refused no more often.

Sub-goals are kept: a new step belongs to the sub-goal of the step that it stands for. Of a path
with mistakes that were put in on purpose, only watches are cut: what else looks needless is the
mistake, or the way back from it.
"""

from collections.abc import Callable, Sequence, Set
from itertools import product
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.augmentation.watches import needless_readings
from subgoal.environments.base import StopReason
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import WALK, fold, take_apart
from subgoal.trajectories.trajectory import Step, Trajectory

LOOKS = 8
"""So many looks in a row at one thing tell what more would."""
WORTH = 0.9
"""A rewriting that keeps a larger share of the steps is not worth its replay."""


class NewStep(NamedTuple):
    """A step of a rewritten path."""

    action: str
    """What is sent."""
    origin: int
    """The step of the old path that it stands for, from 0."""


class _Boldness(NamedTuple):
    """What a rewriting dares."""

    looks: int | None
    """So many looks in a row are kept; None: all."""
    teleports: bool
    """Whether walks become teleports."""
    cut: Set[int]
    """Steps that are left out, from 0."""


Replay = Callable[[Sequence[str]], Trajectory]
"""Replays actions from the task's beginning."""


def shortened(one: AnnotatedTrajectory, replay: Replay) -> AnnotatedTrajectory:
    """Return a shorter annotated path that solves the same task, or the path itself.

    Args:
        one: A solved path.
        replay: Replays actions in the path's world.
    """
    old = one.trajectory
    if old.stop_reason is not StopReason.SOLVED:
        return one
    mistaken = any(part.injected for part in (*one.spans, *old.steps))
    for steps in rewrites(old, [span.last - 1 for span in one.spans], mistaken):
        new = replay([step.action for step in steps])
        if _better(new, old):
            origins = [step.origin for step in steps[: len(new.steps)]]
            spans = carried_spans(one.spans, origins)
            return one.model_copy(update={"trajectory": _marked(new, old, origins), "spans": spans})
    return one


def rewrites(
    path: Trajectory, ends: Sequence[int] = (), mistaken: bool = False
) -> list[list[NewStep]]:
    """Return shorter versions of a path to try, the boldest first.

    Args:
        path: The path.
        ends: The last step of each sub-goal, from 0.
        mistaken: Whether mistakes were put in: only watches are cut.
    """
    tried: list[list[NewStep]] = []
    spoken = language(path.task.environment)
    cut = needless_readings(path, ends)
    if mistaken:
        found = [[NewStep(a, i) for i, a in enumerate(path.actions) if i not in cut]]
    else:
        evidence = _evidence(path.steps, ends, spoken)
        walks = (True, False) if spoken.teleport else (False,)
        dares = map(_Boldness._make, product((LOOKS, None), walks, (cut, frozenset[int]())))
        found = [_rewritten(path.steps, bold, ends, evidence, spoken) for bold in dares]
    for steps in found:
        if len(steps) <= WORTH * len(path.steps) and steps not in tried:
            tried.append(steps)
    return tried


def carried_spans(spans: Sequence[SubgoalSpan], origins: Sequence[int]) -> tuple[SubgoalSpan, ...]:
    """Return the sub-goals of a rewritten path; one without a step is gone.

    Args:
        spans: Those of the old path.
        origins: For each new step the old step that it stands for, from 0, never falling.
    """
    carried: list[SubgoalSpan] = []
    for span in spans:
        mine = [
            new for new, old in enumerate(origins, start=1) if span.first <= old + 1 <= span.last
        ]
        if mine:
            carried.append(span.model_copy(update={"first": mine[0], "last": mine[-1]}))
    return tuple(carried)


def _marked(new: Trajectory, old: Trajectory, origins: Sequence[int]) -> Trajectory:
    """Return a rewritten path with the old one's name, its mistakes marked as there."""
    steps = tuple(
        step.model_copy(update={"injected": True}) if old.steps[origin].injected else step
        for step, origin in zip(new.steps, origins, strict=True)
    )
    return new.model_copy(update={"steps": steps, "variant": old.variant})


def _better(new: Trajectory, old: Trajectory) -> bool:
    refused, before = (sum(not step.accepted for step in path.steps) for path in (new, old))
    return (
        new.stop_reason is StopReason.SOLVED
        and new.final_score >= old.final_score
        and len(new.steps) < len(old.steps)
        and new.steps[-1].moves <= old.steps[-1].moves
        and refused <= before
    )


def _evidence(steps: Sequence[Step], ends: Sequence[int], spoken: WorldLanguage) -> frozenset[int]:
    """Return which looks around end the steps of a sub-goal, or show what was not shown before."""
    found = set[int]()
    shown = steps[0].look
    for number, step in enumerate(steps):
        if step.action == spoken.looking:
            alone = number == 0 or number - 1 in ends
            if number in ends and not (alone and step.observation == shown):
                found.add(number)
            shown = step.observation
        elif step.entered and number + 1 < len(steps):
            shown = steps[number + 1].look
    return frozenset(found)


def _rewritten(
    steps: Sequence[Step],
    bold: _Boldness,
    ends: Sequence[int],
    evidence: Set[int],
    spoken: WorldLanguage,
) -> list[NewStep]:
    looks, teleports, cut = bold
    kept: list[NewStep] = []
    later: list[NewStep] = []
    for unit in fold([step.action for step in steps], spoken):
        numbers = range(unit.first - 1, unit.last)
        while later and later[0].origin < numbers[0]:
            kept.append(later.pop(0))
        if unit.phrase.verb == WALK and teleports:
            verbs = {i: take_apart(steps[i].action, spoken).verb for i in numbers}
            arrived = [i for i, verb in verbs.items() if verb in spoken.movement][-1]
            kept.append(NewStep(f"{spoken.teleport} {unit.phrase.arguments[0]}", arrived))
            continue
        useful = [
            NewStep(steps[i].action, i)
            for i in numbers
            if i in evidence or not (i in cut or _useless(steps, i, teleports, spoken))
        ]
        if unit.phrase.verb not in spoken.examining or looks is None or len(useful) <= looks:
            kept += useful
            continue
        kept += useful[: looks - 1]
        end = next((end for end in ends if end >= numbers[-1]), numbers[-1])
        later.append(NewStep(useful[looks - 1].action, end))
    return [*kept, *later]


def _useless(steps: Sequence[Step], number: int, teleports: bool, spoken: WorldLanguage) -> bool:
    """Return whether a step changes nothing, or is not needed to get somewhere."""
    step, action = steps[number], steps[number].action
    before = steps[number - 1].score if number else 0
    answered = number + 1 < len(steps) and steps[number + 1].action.isdigit()
    if step.score != before or answered or action.isdigit():
        return False
    doors = (spoken.open_door, spoken.close_door)
    at_doors = teleports and take_apart(action, spoken).verb in doors
    in_vain = bool(spoken.in_vain) and spoken.in_vain in step.observation
    return at_doors or not step.accepted or action == spoken.looking or in_vain
