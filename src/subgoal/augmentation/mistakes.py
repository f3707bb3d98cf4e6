"""Noise: mistakes are put into a solved path, so that students see how one recovers from them.

An agent that has seen perfect paths alone does not know what to do after its first mistake. Here
a slip, a needless look, a wrong turn or a wrong sub-goal is put into a path, then the way back, and
the path goes on. The mistakes are read and never learned (`Step.injected`, `SubgoalSpan.injected`);
the way back is learned. A path with noise counts only if its replay still solves its task.
"""

import random
from collections.abc import Iterable
from enum import StrEnum

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.surroundings import WorldFacts
from subgoal.augmentation.part import Move, Part, going, spans_of, teleport
from subgoal.augmentation.shortening import Replay
from subgoal.environments.base import StopReason
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step

_CHANCE = 0.12
"""Chance of noise before a step."""
_MOST = 6
"""Most mistakes of a path."""
_TRIES = 3
"""How often other noise is tried where the path no longer solves its task."""
_LONGEST = 100
"""Steps of a path that gets noise, at most: a longer one costs much and is rarely solved again."""


class Mistake(StrEnum):
    """What is put in before a step."""

    SLIP = "slip"
    """The step's action with a word left out, doubled or exchanged: the world refuses it."""
    PAUSE = "pause"
    """An action that changes nothing."""
    WRONG_TURN = "wrong turn"
    """Into another place, and back."""
    WRONG_SUBGOAL = "wrong subgoal"
    """Before a sub-goal: to another place as a sub-goal of its own, and back by one."""


def noisy(
    one: AnnotatedTrajectory, replay: Replay, around: WorldFacts, copy: int
) -> AnnotatedTrajectory | None:
    """Return a path with noise that still solves its task; None where none was found.

    Args:
        one: A solved path.
        replay: Replays actions in the path's world.
        around: What is known of the world.
        copy: Which copy, from 1; another number gives other noise.
    """
    path = one.trajectory
    if path.stop_reason is not StopReason.SOLVED or len(path.steps) > _LONGEST:
        return None
    for attempt in range(_TRIES):
        parts = _disturbed(one, around, random.Random(f"{one.key}/{copy}/{attempt}"))
        moves = [move for part in parts for move in part.moves]
        if not any(move.injected for move in moves) and not any(p.span.injected for p in parts):
            continue
        new = replay([move.action for move in moves])
        if len(new.steps) != len(moves) or new.stop_reason is not StopReason.SOLVED:
            continue
        steps = tuple(
            step.model_copy(update={"injected": move.injected})
            for step, move in zip(new.steps, moves, strict=True)
        )
        if _refused(steps) > _refused(one.trajectory.steps):
            continue  # a mistake spoiled a step that is learned
        return one.model_copy(
            update={
                "trajectory": new.model_copy(update={"steps": steps, "variant": path.variant}),
                "spans": spans_of(parts),
                "variant": f"noise {copy}",
            }
        )
    return None


def _refused(steps: Iterable[Step]) -> int:
    return sum(not step.accepted and not step.injected for step in steps)


def _disturbed(one: AnnotatedTrajectory, around: WorldFacts, chance: random.Random) -> list[Part]:
    """Put mistakes into a path."""
    actions = one.trajectory.actions
    spoken = around.language
    teleports = any(spoken.teleport == take_apart(action, spoken).verb for action in actions)
    parts: list[Part] = []
    here, left = "", _MOST
    for span in one.spans:
        first = actions[span.first - 1]
        if teleports and around.going and here and left and chance.random() < _CHANCE:
            wrong = chance.choice([p for p in around.places if p != here] or [here])
            parts.append(going(around, wrong, injected=True))
            if take_apart(first, spoken).verb not in spoken.movement:
                parts.append(going(around, here))
            left -= 1
        moves: list[Move] = []
        for number in range(span.first - 1, span.last):
            action = actions[number]
            # A number answers the question before it: nothing may come between them.
            if left and not action.isdigit() and chance.random() < _CHANCE:
                put_in = _put_in(action, here if teleports else "", around, chance)
                moves += put_in
                left -= bool(put_in)
            moves.append(Move(action))
            phrase = take_apart(action, spoken)
            went = phrase.verb in spoken.movement and phrase.arguments
            if went and one.trajectory.steps[number].entered:
                here = phrase.arguments[0]
        parts.append(Part(span, tuple(moves)))
    return parts


def _put_in(action: str, here: str, around: WorldFacts, chance: random.Random) -> list[Move]:
    """Return a mistake before an action, and the way back where one is needed."""
    spoken = around.language
    possible = {Mistake.SLIP: True, Mistake.PAUSE: spoken.idle, Mistake.WRONG_TURN: here}
    kind = chance.choice([kind for kind, may in possible.items() if may])
    if kind is Mistake.PAUSE:
        return [Move(chance.choice(spoken.idle), injected=True)]
    if kind is Mistake.WRONG_TURN:
        wrong = chance.choice([place for place in around.places if place != here] or [here])
        leaves = take_apart(action, spoken).verb in spoken.movement
        back = [] if leaves else [teleport(around, here)]
        return [teleport(around, wrong, injected=True), *back]
    slipped = _slipped(action, around, chance)
    return [Move(slipped, injected=True)] if slipped != action else []


def _slipped(action: str, around: WorldFacts, chance: random.Random) -> str:
    """Return an action with a word after the verb left out, doubled or exchanged."""
    words = action.split()
    if len(words) < 2:
        return action
    at = chance.randrange(1, len(words))
    kind = chance.randrange(3)
    if kind == 0:
        del words[at]
    elif kind == 1:
        words.insert(at, words[at])
    else:
        words[at] = chance.choice(around.words)
    return " ".join(words)
