"""Which paths are worth a teacher's reply: a diverse core of each type, then the least certain.

The core of a task type are medoids: the paths to which all others of the type are nearest, by the
edit distance of their folded steps and of the words that not all of the type's task descriptions
share (the first phase of partitioning around medoids, Kaufman and Rousseeuw 1990). After them come,
round by round, the paths whose transferred annotation is the least certain, until all that is left
is certain enough or the count is reached.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from subgoal.annotation.config import SelectionConfig
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.annotation.transfer.template import Template, loops, templates
from subgoal.trajectories.action_grammar import WALK, head
from subgoal.trajectories.trajectory import Trajectory

_MOST_COMPARED = 400
"""Paths of a type among which medoids are sought; more would cost time and change little."""
_DESCRIPTION = 0.6
"""Weight of how the descriptions differ beside how the steps differ."""


class Selection:
    """Chooses the paths to send to the teacher, and keeps what it has handed out.

    Args:
        config: How many, and how certain the rest must be.
        paths: All paths that are to be annotated in the end.

    Attributes:
        round_size: Paths of a round after the core; after each, confidence is measured again.
    """

    round_size = 10

    def __init__(self, config: SelectionConfig, paths: Sequence[Trajectory]) -> None:
        self._config = config
        self._paths = {path.key: path for path in paths}
        self._given: set[str] = set()
        self._confidence: dict[str, tuple[int, float]] = {}
        """Annotated paths of its type when a path's confidence was taken, and the confidence."""
        self._begun = False

    def next(self, annotated: Sequence[AnnotatedTrajectory] = ()) -> list[Trajectory]:
        """Return the paths to send now, none of them twice; empty when done.

        Args:
            annotated: All paths that the teacher has annotated so far. A type whose paths all
                failed gets other paths to try.
        """
        room = len(self._paths) - len(self._given)
        if self._config.count is not None:
            room = min(room, self._config.count - len(self._given))
        if room <= 0:
            return []
        chosen = self._least_certain(annotated) if self._begun else self._core()
        self._begun = True
        chosen = chosen[:room]
        self._given.update(path.key for path in chosen)
        return chosen

    def _core(self) -> list[Trajectory]:
        """Return the types' cores, the first of every type before the second of any."""
        paths = list(self._paths.values())
        if self._config.core is None and self._config.count is None:
            return paths
        size = self._config.core or len(paths)
        return list(_in_turn([medoids(group, size) for group in by_type(paths)]))

    def _least_certain(self, annotated: Sequence[AnnotatedTrajectory]) -> list[Trajectory]:
        """Return a round of paths that transfer is unsure of, or cannot annotate at all."""
        left = [path for key, path in self._paths.items() if key not in self._given]
        known = {_type(one.trajectory) for one in annotated}
        chosen = self._instead([path for path in left if _type(path) not in known])
        if self._config.target_confidence > 0:
            self._measure([path for path in left if _type(path) in known], annotated)
            sure = {path.key: self._confidence.get(path.key, (0, 1.0))[1] for path in left}
            unsure = [path for path in left if sure[path.key] < self._config.target_confidence]
            unsure.sort(key=lambda path: sure[path.key])
            chosen += _in_turn(by_type(unsure))
        return chosen[: self.round_size]

    def _measure(
        self, paths: Sequence[Trajectory], annotated: Sequence[AnnotatedTrajectory]
    ) -> None:
        """Take the confidence of paths whose type has more annotated paths than when last taken."""
        counts = Counter(_type(one.trajectory) for one in annotated)
        teacher = TransferTeacher(annotated)
        for path in paths:
            count = counts[_type(path)]
            if self._confidence.get(path.key, (0, 0.0))[0] < count:
                found = teacher.annotate(path).confidence
                self._confidence[path.key] = (count, found)

    def _instead(self, left: Sequence[Trajectory]) -> list[Trajectory]:
        """Return one more path of each type whose paths all failed; at most as many as its core."""
        asked = Counter(_type(self._paths[key]) for key in self._given)
        most = 2 * (self._config.core or 0)
        groups = [group for group in by_type(left) if asked[_type(group[0])] < most]
        return [medoids(group, 1)[0] for group in groups]


def medoids(paths: Sequence[Trajectory], count: int) -> list[Trajectory]:
    """Return the paths that stand best for all, the best first.

    Each is the one that brings the others nearest to one that was chosen, so that the first k of
    a longer choice are the choice of k.

    Args:
        paths: Paths of one task type.
        count: How many; all of them where there are fewer.
    """
    stride = max(1, -(-len(paths) // _MOST_COMPARED))
    candidates = list(paths[::stride])
    apart = distances(candidates)
    nearest: NDArray[np.float64] = np.full(len(candidates), apart.max(initial=0.0) + 1)
    chosen: list[int] = []
    while len(chosen) < min(count, len(candidates)):
        gain = np.maximum(0.0, nearest[:, None] - apart).sum(axis=0)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        nearest = np.minimum(nearest, apart[:, chosen[-1]])
    best = [candidates[index] for index in chosen]
    if len(best) < count:
        best += [path for number, path in enumerate(paths) if number % stride]
    return best[:count]


def distances(paths: Sequence[Trajectory]) -> NDArray[np.float64]:
    """Return (P, P) how unlike each two paths are, from 0 for equal ones."""
    steps = [_tokens(loops(templates(path)[1])[0]) for path in paths]
    words = [path.task.description.lower().split() for path in paths]
    everywhere = set[str].intersection(*map(set, words)) if words else set[str]()
    telling = [[word for word in some if word not in everywhere] for some in words]
    return _apart(steps) + _DESCRIPTION * _apart(telling)


def by_type(paths: Sequence[Trajectory]) -> list[list[Trajectory]]:
    """Return paths grouped by world and task type, in the order in which each type comes first."""
    groups: dict[tuple[str, str], list[Trajectory]] = {}
    for path in paths:
        groups.setdefault(_type(path), []).append(path)
    return list(groups.values())


def _tokens(sequence: Sequence[Template]) -> list[str]:
    """Return verbs with the nouns of their things; walks only tell where the path began."""
    return [
        " ".join((one.verb, *(head(thing.name) for thing in one.things)))
        for one in sequence
        if one.verb != WALK
    ]


def _apart(sequences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    return np.asarray(
        cdist(sequences, sequences, scorer=Levenshtein.normalized_distance), np.float64
    )


def _type(path: Trajectory) -> tuple[str, str]:
    return path.task.environment, path.task.name


def _in_turn(groups: Sequence[Sequence[Trajectory]]) -> Iterator[Trajectory]:
    """Yield the first of every group, then the second: a cut leaves something of each type."""
    for ranked in zip_longest(*groups):
        yield from (path for path in ranked if path is not None)
