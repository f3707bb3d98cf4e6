"""An agent's own success becomes a path to learn from: its actions, under its own sub-goals.

What it wrote that the world did not know is read and never learned, as the mistakes that
`augment.noise` puts into paths. What it only did again is left out, where the path solves its task
without: who learns from repetitions learns to go on with them.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import groupby, pairwise

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.environments.base import StopReason, Task
from subgoal.environments.registry import language
from subgoal.errors import AnnotationInvalid
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.text.conditions import quotes, without_reason
from subgoal.trajectories.action_grammar import take_apart
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
    again = repetitions(episode)
    short = [step for number, step in enumerate(episode.steps) if number not in again]
    whole = list(episode.steps)
    for taken in (short, whole) if again else (whole,):
        if (found := _path(episode, taken, replay, variant)) is not None:
            return found
    return None


def repetitions(episode: Episode) -> frozenset[int]:
    """Return the steps, from 0, that do what the step before did and get the same answer.

    Waiting and measuring again are none: something happens meanwhile.
    """
    spoken = language(episode.task.environment)
    waits = {verb for verb in spoken.watching if verb not in spoken.examining}
    return frozenset(
        number
        for number, (before, step) in enumerate(pairwise(episode.steps), 1)
        if (step.action, step.observation) == (before.action, before.observation)
        and take_apart(step.action, spoken).verb not in waits
    )


def _path(
    episode: Episode, taken: Sequence[EpisodeStep], replay: Replay, variant: str
) -> AnnotatedTrajectory | None:
    """Return some of an episode's steps as a path; None where they do not solve its task."""
    try:
        spans = _spans(episode.task, taken)
    except AnnotationInvalid:  # a sub-goal that is no sub-goal
        return None
    path = replay([step.action for step in taken])
    if path.stop_reason is not StopReason.SOLVED or len(path.steps) != len(taken):
        return None
    steps = [step.model_copy(update={"injected": not step.accepted}) for step in path.steps]
    return AnnotatedTrajectory(
        trajectory=path.model_copy(update={"steps": tuple(steps), "source": TEACHER}),
        spans=tuple(spans),
        teacher=TEACHER,
        variant=variant,
    )


def _spans(task: Task, taken: Sequence[EpisodeStep]) -> list[SubgoalSpan]:
    told = quotes(task.description)
    spans: list[SubgoalSpan] = []
    for text, steps in groupby(taken, lambda step: step.subgoal):
        first = spans[-1].last + 1 if spans else 1
        goal = without_reason(Subgoal.parse(text), told)
        spans.append(SubgoalSpan(subgoal=goal, first=first, last=first + len(list(steps)) - 1))
    return spans
