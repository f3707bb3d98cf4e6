"""Listed order: where any of several like things would do, a path takes the first one listed.

An oracle that needs three wires takes the red, the blue and the green one in any order. Which comes
next cannot be known, so who imitates it learns to guess, and in the end uses one twice, or one that
is not there. Here like things change places until a path uses them in the order in which the room
lists them: the choice becomes one that can be read. Only things that the task does not name change
places; what is seen comes from the world, and a path counts only if its replay goes as it went.
"""

import re
from collections.abc import Mapping

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.augmentation.shortening import Replay
from subgoal.trajectories.trajectory import Trajectory

_LISTED = re.compile(r"\ban? ([a-z]+) ([a-z]+)")
"""A thing of two words in a description: what tells it from its like, and what they are called."""


def in_listed_order(one: AnnotatedTrajectory, replay: Replay) -> AnnotatedTrajectory:
    """Return a path that uses like things in the order in which they are listed.

    Args:
        one: A path.
        replay: Replays actions in the path's world.

    Returns:
        The path as it becomes; itself where it uses them so, or where it would then go otherwise.
    """
    path = one.trajectory
    exchange = _exchange(path)
    if not exchange:
        return one
    new = replay([_exchanged(action, exchange) for action in path.actions])
    if not _goes_as(new, path):
        return one
    steps = tuple(
        step.model_copy(update={"injected": old.injected})
        for step, old in zip(new.steps, path.steps, strict=True)
    )
    return one.model_copy(
        update={
            "trajectory": path.model_copy(update={"steps": steps}),
            "spans": tuple(_span(span, exchange) for span in one.spans),
        }
    )


def _exchange(path: Trajectory) -> dict[str, str]:
    """Return what each thing of two words becomes."""
    asked = path.task.description.lower()
    exchange: dict[str, str] = {}
    settled: set[str] = set()
    for step in path.steps:
        listed: dict[str, list[str]] = {}
        for first, kind in _LISTED.findall(step.look):
            if f"{first} {kind}" not in asked:
                listed.setdefault(kind, []).append(first)
        for kind, like in listed.items():
            if kind not in settled and any(f"{first} {kind}" in step.action for first in like):
                settled.add(kind)
                exchange |= _into_order(path, kind, list(dict.fromkeys(like)))
    return exchange


def _into_order(path: Trajectory, kind: str, listed: list[str]) -> dict[str, str]:
    """Return what the like things of one kind become; empty: they are used in their order."""
    said = "\n".join(path.actions)
    found = {first: said.find(f"{first} {kind}") for first in listed}
    used = sorted((first for first in listed if found[first] >= 0), key=lambda first: found[first])
    wanted = listed[: len(used)]
    left = [first for first in wanted if first not in used]
    spared = [first for first in used if first not in wanted]
    pairs = dict(zip([*used, *left], [*wanted, *spared], strict=True))
    return {f"{a} {kind}": f"{b} {kind}" for a, b in pairs.items() if a != b}


def _exchanged(text: str, exchange: Mapping[str, str]) -> str:
    known = re.compile(rf"\b(?:{'|'.join(map(re.escape, exchange))})\b")
    return known.sub(lambda match: exchange[match[0]], text)


def _span(span: SubgoalSpan, exchange: Mapping[str, str]) -> SubgoalSpan:
    arguments = tuple(_exchanged(text, exchange) for text in span.subgoal.arguments)
    return span.model_copy(
        update={"subgoal": span.subgoal.model_copy(update={"arguments": arguments})}
    )


def _goes_as(new: Trajectory, old: Trajectory) -> bool:
    """Return whether each step of a replay is answered and scored as it was."""
    return new.stop_reason is old.stop_reason and [
        (step.accepted, step.score) for step in new.steps
    ] == [(step.accepted, step.score) for step in old.steps]
