"""Other plans: what is done with another thing is tried first, and the world says why it fails.

Paths of one task type differ by what the thing is: a solid is placed in a pot, a liquid is poured.
Who imitates them learns by heart which thing is which, and has to guess for one that training never
named; after the guess was wrong it goes on as if nothing had happened, since no path shows what to
do then. Here the plan of another path of the type is followed from where the two part, with this
path's thing for the other's, until the world answers otherwise than there and nothing has changed
(`You can't pick up a liquid directly`). Then the path goes on. What was tried is read and never
learned, as all mistakes that are put in (`mistakes`); a copy counts only if it solves its task.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from rapidfuzz.fuzz import ratio

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal
from subgoal.augmentation.part import Move, Part, spans_of
from subgoal.augmentation.shortening import Replay
from subgoal.environments.base import StopReason
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step

OTHER_PLAN = "other plan"
"""How the `variant` of such copies begins."""
_TRIED = 8
"""Most actions of the other plan that are tried."""
_OTHERS = 4
"""So many paths with another plan are tried for a copy."""
_ALIKE = 60
"""Percent by which answers are alike where a recipe or a name alone is another."""
_LONGEST = 100
"""Steps of a path that gets copies, at most."""
_WORD = re.compile(r"\w[\w-]*")


def other_plan(
    one: AnnotatedTrajectory, others: Sequence[AnnotatedTrajectory], replay: Replay, copy: int
) -> AnnotatedTrajectory | None:
    """Return a path on which another path's plan is tried first; None where none was found.

    Args:
        one: A solved path.
        others: Solved paths of the same task type.
        replay: Replays actions in the path's world.
        copy: Which copy, from 1; another number takes another path's plan.
    """
    path = one.trajectory
    if path.stop_reason is not StopReason.SOLVED or len(path.steps) > _LONGEST or one.variant:
        return None
    differing = [(other, at) for other in others if (at := _parting(one, other)) is not None]
    order = random.Random(f"{one.key}/{OTHER_PLAN}").sample(differing, len(differing))
    seen: list[tuple[str, ...]] = []
    for other, at in order[: _OTHERS * copy]:
        tried = _tried(one, other, at, replay)
        actions = tuple(move.action for part in tried for move in part.moves)
        if not tried or actions in seen:
            continue
        made = _put_in(one, at, tried, replay)
        if made is not None:
            seen.append(actions)
        if made is not None and len(seen) == copy:
            return made.model_copy(update={"variant": f"{OTHER_PLAN} {copy}"})
    return None


def _parting(one: AnnotatedTrajectory, other: AnnotatedTrajectory) -> int | None:
    """Return the sub-goal, from 0, from which another path's plan differs; None where none does."""
    exchange = _exchange(one, other)
    mine = [span.subgoal for span in one.spans]
    theirs = [_renamed(span.subgoal, exchange) for span in other.spans]
    for at, (goal, its) in enumerate(zip(mine, theirs, strict=False)):
        if goal != its:
            return at if at and goal.name != its.name else None
    return None


def _exchange(one: AnnotatedTrajectory, other: AnnotatedTrajectory) -> dict[str, str]:
    """Return what the words of another task become where the two tasks differ."""
    mine = _WORD.findall(one.trajectory.task.description.lower())
    theirs = _WORD.findall(other.trajectory.task.description.lower())
    pairs = SequenceMatcher(None, theirs, mine, autojunk=False).get_opcodes()
    return {
        " ".join(theirs[i:j]): " ".join(mine[k:n]) for op, i, j, k, n in pairs if op == "replace"
    }


def _said(text: str, exchange: Mapping[str, str]) -> str:
    if not exchange:
        return text.lower()
    known = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(exchange, key=len)[::-1]))})\b")
    return known.sub(lambda match: exchange[match[0]], text.lower())


def _renamed(goal: Subgoal, exchange: Mapping[str, str]) -> Subgoal:
    arguments = tuple(_said(argument, exchange) for argument in goal.arguments)
    return goal.model_copy(update={"arguments": arguments})


def _tried(
    one: AnnotatedTrajectory, other: AnnotatedTrajectory, at: int, replay: Replay
) -> list[Part]:
    """Follow another plan until the world answers otherwise, unchanged; empty: it does not."""
    exchange, spoken = _exchange(one, other), language(one.trajectory.task.environment)
    before = one.trajectory.actions[: one.spans[at].first - 1]
    first = other.spans[at].first - 1
    theirs = other.trajectory.steps[first : first + _TRIED]
    actions = [_said(step.action, exchange) for step in theirs]
    new = replay([*before, *actions, spoken.looking]).steps[len(before) :]
    for number, (step, then, its) in enumerate(zip(new, new[1:], theirs, strict=False)):
        verb = take_apart(step.action, spoken).verb
        if step.accepted and (
            verb in {spoken.looking, *spoken.watching}
            or ratio(step.observation.lower(), _said(its.observation, exchange)) > _ALIKE
        ):
            continue
        return _parts(other, first, actions[: number + 1], exchange) if _idle(step, then) else []
    return []


def _idle(step: Step, then: Step) -> bool:
    return (step.look, step.inventory) == (then.look, then.inventory) and step.score >= 0


def _parts(
    other: AnnotatedTrajectory, first: int, actions: Sequence[str], exchange: Mapping[str, str]
) -> list[Part]:
    """Return the tried actions under their sub-goals, all of them mistakes."""

    def parts() -> Iterator[Part]:
        for span in other.spans:
            moves = actions[max(0, span.first - 1 - first) : max(0, span.last - first)]
            if moves:
                goal = _renamed(span.subgoal, exchange)
                wrong = span.model_copy(update={"subgoal": goal, "injected": True})
                yield Part(wrong, tuple(Move(action, injected=True) for action in moves))

    return list(parts())


def _put_in(
    one: AnnotatedTrajectory, at: int, tried: Sequence[Part], replay: Replay
) -> AnnotatedTrajectory | None:
    """Put what is tried before a sub-goal; None where the path does not solve its task then."""
    path = one.trajectory
    mine = [
        Part(span, tuple(map(Move, path.actions[span.first - 1 : span.last]))) for span in one.spans
    ]
    parts = [*mine[:at], *tried, *mine[at:]]
    moves = [move for part in parts for move in part.moves]
    new = replay([move.action for move in moves])
    if len(new.steps) != len(moves) or new.stop_reason is not StopReason.SOLVED:
        return None
    steps = tuple(
        step.model_copy(update={"injected": move.injected})
        for step, move in zip(new.steps, moves, strict=True)
    )
    if [s.accepted for s in steps if not s.injected] != [s.accepted for s in path.steps]:
        return None
    told = new.model_copy(update={"steps": steps, "variant": path.variant})
    return one.model_copy(update={"trajectory": told, "spans": spans_of(parts)})
