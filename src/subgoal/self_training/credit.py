"""Credit: how much what an attempt wrote is to become more, or less, probable.

An attempt's advantage is how much better it scored than the mean of its group, the attempts at the
same task. Groups whose attempts score alike teach nothing and are left out.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subgoal.environments.base import StopReason
from subgoal.self_training.attempts import Attempt
from subgoal.text.format import LEARNED, Role, Text

_WHOLE = 100.0
"""The score of a solved task."""
_LEAST_SPREAD = 5.0
"""Groups whose best and worst scores are nearer, in points, teach nothing."""
_BLAME = 0.5
"""Factor of negative advantages, which say less well what to do than positive ones."""
_FATAL_TEXTS = 2
"""Where the world ended an episode fatally, so many of its last texts are to blame."""


@dataclass(frozen=True)
class WeighedText:
    """A text and how its tokens are learned.

    Attributes:
        ids: Token ids, int32 (length,).
        weights: Of each token's log-probability, float32 (length,); 0: not learned.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]


def advantages(scores: Sequence[float]) -> list[float]:
    """Return how much better than the group's mean each attempt did, in parts of a whole score.

    Args:
        scores: The scores of a group's attempts, points.
    """
    if max(scores) - min(scores) < _LEAST_SPREAD:
        return [0.0] * len(scores)
    mean = statistics.fmean(scores)
    return [(score - mean) / _WHOLE for score in scores]


def spread(scores: Sequence[float]) -> float:
    """Return the standard deviation of a group's scores, in parts of a whole score."""
    return statistics.pstdev(scores) / _WHOLE


def weighed(group: Sequence[Attempt]) -> dict[Role, list[WeighedText]]:
    """Return the texts of a group's attempts with their weights, by the student that wrote them.

    Args:
        group: The attempts at one task.
    """
    found: dict[Role, list[WeighedText]] = {}
    values = advantages([attempt.episode.score for attempt in group])
    for attempt, advantage in zip(group, values, strict=True):
        if not advantage or attempt.episode.stop_reason is StopReason.ENVIRONMENT_ERROR:
            continue
        fatal = advantage < 0 and attempt.episode.stop_reason is StopReason.FAILED
        weight = advantage * (_BLAME if advantage < 0 and not fatal else 1.0)
        for role, texts in attempt.texts.items():
            blamed = texts[-_FATAL_TEXTS:] if fatal else texts
            mine = (_weighed(text, role, weight) for text in blamed)
            found.setdefault(role, []).extend(one for one in mine if one.weights.any())
    return found


def _weighed(text: Text, role: Role, weight: float) -> WeighedText:
    learned = LEARNED[role]
    weights = [weight if target in learned else 0.0 for target in text.targets]
    return WeighedText(np.array(text.ids, np.int32), np.array(weights, np.float32))
