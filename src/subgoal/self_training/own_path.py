"""An agent's own success becomes a path to learn from: its actions, under its own sub-goals.

What it wrote that the world did not know is read and never learned, as the mistakes that
`annotation.noise` puts into paths.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import groupby

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.environments.base import StopReason
from subgoal.errors import AnnotationInvalid
from subgoal.evaluation.episode import Episode
from subgoal.text.conditions import conditions, without_reason
from subgoal.trajectories.trajectory import Trajectory

TEACHER = "self"
"""Who annotated such a path, and where it comes from."""

Replay = Callable[[Sequence[str]], Trajectory]
"""Replays actions in the episode's task."""


class Worth(StrEnum):
    """Why an episode is worth learning from."""

    NEW = "new"
    """There was no path of its task."""
    SHORTER = "shorter"
    """It took fewer moves than the path of its task."""
    RECOVERED = "recovered"
    """It went wrong and found back."""


def worth(episode: Episode, known_moves: int | None) -> Worth | None:
    """Return why an episode is worth learning from; None where it is not.

    Args:
        episode: What was played.
        known_moves: Moves of the path of its task; None: there is none.
    """
    if not episode.solved or not all(step.subgoal for step in episode.steps):
        return None
    if known_moves is None:
        return Worth.NEW
    if episode.steps[-1].moves < known_moves:
        return Worth.SHORTER
    return Worth.RECOVERED if episode.invalid else None


def own_path(episode: Episode, replay: Replay, variant: str) -> AnnotatedTrajectory | None:
    """Return a solved episode as an annotated path; None where it cannot be replayed or parsed.

    Args:
        episode: The episode.
        replay: Replays actions in the episode's task.
        variant: What the path is called beside other paths of its task.
    """
    try:
        spans = _spans(episode)
    except AnnotationInvalid:  # a sub-goal that is no sub-goal
        return None
    path = replay([step.action for step in episode.steps])
    if path.stop_reason is not StopReason.SOLVED or len(path.steps) != len(episode.steps):
        return None
    steps = [step.model_copy(update={"injected": not step.accepted}) for step in path.steps]
    return AnnotatedTrajectory(
        trajectory=path.model_copy(update={"steps": tuple(steps), "source": TEACHER}),
        spans=tuple(spans),
        teacher=TEACHER,
        variant=variant,
    )


def _spans(episode: Episode) -> list[SubgoalSpan]:
    told = conditions(episode.task.description)
    spans: list[SubgoalSpan] = []
    for text, steps in groupby(episode.steps, lambda step: step.subgoal):
        first = spans[-1].last + 1 if spans else 1
        goal = without_reason(Subgoal.parse(text), told)
        spans.append(SubgoalSpan(subgoal=goal, first=first, last=first + len(list(steps)) - 1))
    return spans
