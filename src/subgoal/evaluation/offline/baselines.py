"""What needs no student: the most frequent next turn, and the turn of the nearest neighbour.

Both know the paths that the students were trained on, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.registry import LOG
from subgoal.evaluation.offline.answers import PathAnswers, TurnAnswer, acted
from subgoal.evaluation.offline.turn_match import SPOKEN, turn_parts
from subgoal.machine import cores
from subgoal.text.format import plain

NEIGHBOURS = 4_000
"""Most turns among which the nearest is sought; of more, so many spread evenly. A turn is then
compared in a hundredth of a second."""
_SHOWN = 300
"""Characters of the last messages that are compared, the middle of longer ones left out."""


class _Situation(NamedTuple):
    """A turn and what came before it."""

    last: str
    """The kind of the turn before; empty at the beginning."""
    messages: str
    """The turn before and its answer, or what the path began with."""
    action: str
    kind: str
    learned: bool
    """False for what was put in on purpose."""


class FrequentTurn:
    """The most frequent kind of turn after the last one, and the most frequent turn of that kind.

    Args:
        paths: The paths to know.
        told: How paths are told.
        calls: Of logs: it always calls. Where most turns are messages it would say nothing of tools
            otherwise.
    """

    def __init__(
        self, paths: Sequence[AnnotatedTrajectory], told: DatasetConfig, calls: bool = False
    ) -> None:
        self._told = told
        self._next: dict[str | None, Counter[str]] = {}
        self._turns: dict[tuple[str | None, str], Counter[str]] = {}
        for one in _learned(paths, told):
            if calls and one.kind == SPOKEN:
                continue
            for last in (one.last, None):  # None: whatever came before
                self._next.setdefault(last, Counter())[one.kind] += 1
                self._turns.setdefault((last, one.kind), Counter())[one.action] += 1

    def answer(self, path: AnnotatedTrajectory) -> PathAnswers:
        """Return what is most frequent at every turn of a path."""
        turns = [self._frequent(one.last) for one in _situations(path, self._told)]
        return PathAnswers(key=path.key, turns=tuple(turns))

    def _frequent(self, last: str) -> TurnAnswer:
        known = last if last in self._next else None
        ((kind, _),) = self._next[known].most_common(1)
        ((action, count),) = self._turns[known, kind].most_common(1)
        return TurnAnswer(action=action, certainty=count / self._next[known].total())


def baselines(
    paths: Sequence[AnnotatedTrajectory], told: DatasetConfig
) -> dict[str, "FrequentTurn | NearestTurn"]:
    """Return the baselines that know some paths, by name.

    Args:
        paths: The paths; empty: there are no baselines.
        told: How paths are told.
    """
    if not paths:
        return {}
    found = {"nearest turn": NearestTurn(paths, told), "frequent turn": FrequentTurn(paths, told)}
    kinds = {one.kind for one in _learned(paths, told)}
    if SPOKEN in kinds and kinds - {SPOKEN}:
        found["frequent call"] = FrequentTurn(paths, told, calls=True)
    return found


class NearestTurn:
    """The turn that followed the most similar last messages.

    Args:
        paths: The paths to know.
        told: How paths are told.
    """

    def __init__(self, paths: Sequence[AnnotatedTrajectory], told: DatasetConfig) -> None:
        self._told = told
        known = _learned(paths, told)
        self._known = known[:: -(-len(known) // NEIGHBOURS)]
        self._messages = [one.messages for one in self._known]

    def answer(self, path: AnnotatedTrajectory) -> PathAnswers:
        """Return the turn of the nearest neighbour at every turn of a path."""
        asked = [one.messages for one in _situations(path, self._told)]
        alike = process.cdist(
            asked, self._messages, scorer=fuzz.ratio, dtype=np.float32, workers=cores()
        )
        best: list[int] = alike.argmax(axis=1).tolist()
        turns = tuple(
            TurnAnswer(action=self._known[place].action, certainty=float(row[place]) / 100)
            for row, place in zip(alike, best, strict=True)
        )
        return PathAnswers(key=path.key, turns=turns)


def _learned(paths: Sequence[AnnotatedTrajectory], told: DatasetConfig) -> list[_Situation]:
    return [one for path in paths for one in _situations(path, told) if one.learned]


def _situations(path: AnnotatedTrajectory, told: DatasetConfig) -> Iterator[_Situation]:
    task, steps = path.trajectory.task, path.trajectory.steps
    is_log = task.environment.startswith(LOG)  # its description is the same in all conversations
    last, said = "", steps[0].look if is_log else f"{task.description}\n{steps[0].look}"
    for event in acted(path, told):
        parts = turn_parts(event.text, task.environment)
        kind = parts.kind if parts else ""
        yield _Situation(last, plain(said, _SHOWN), event.text, kind, event.right)
        answer = event.step.observation if event.step else ""
        last, said = kind, f"{event.text}\n{answer}"
