"""Credit: how much what an attempt wrote is to become more, or less, probable.

The attempts at one task are a group. What a score is worth in the middle of an episode is estimated
from the group: the mean final score of all attempts that reached it. What an attempt wrote between
two gains of score is credited with the worth of the second less that of the first; what it wrote
after its last gain, with its final score less the worth of that gain. So what all attempts do alike
is neither praised nor blamed, and the sum over an episode is its advantage over the group's mean
(the temporal differences of R. Sutton, 1988, with values from the group instead of a critic).
What is only done again (`own_path.repetitions`) is never praised.
Groups whose attempts score alike teach nothing and are left out.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subgoal.environments.base import StopReason
from subgoal.evaluation.episode import Episode
from subgoal.self_training.attempts import Attempt
from subgoal.self_training.own_path import repetitions
from subgoal.text.format import LEARNED, Role, Text

_WHOLE = 100.0
"""The score of a solved task."""
_LEAST_SPREAD = 5.0
"""Groups whose best and worst scores are nearer, in points, teach nothing."""
_BLAME = 0.5
"""Factor of negative credit, which says less well what to do than positive credit."""
_SHOWN = 0.5
"""Factor of the credit of what was shown to an agent, which it would hardly have written itself."""
_NOTHING = 1e-3
"""Weights up to this, a tenth of a point, are what is left of credits that cancel out."""
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


def step_credits(group: Sequence[Episode]) -> list[list[float]]:
    """Return what each action of each attempt is credited with, in parts of a whole score.

    Args:
        group: The attempts at one task.

    Returns:
        By attempt, the credit of its first action, of its second, and so on, and of what it wrote
        after the last one.
    """
    reached = [_reached(episode) for episode in group]
    finals = [float(episode.score) for episode in group]

    def worth(score: float) -> float:
        return statistics.fmean(f for f, r in zip(finals, reached, strict=True) if r[-1] >= score)

    found: list[list[float]] = []
    for final, levels in zip(finals, reached, strict=True):
        mine, after = [0.0] * len(levels), final
        for place in range(len(levels) - 1, -1, -1):
            before = worth(levels[place])
            if place + 1 < len(levels) and levels[place + 1] > levels[place]:
                after = worth(levels[place + 1])
            mine[place] = (after - before) / _WHOLE
        found.append(mine)
    return found


def _reached(episode: Episode) -> list[int]:
    """Return the best score before each action, and after the last one."""
    levels = [0]
    for step in episode.steps:
        levels.append(max(levels[-1], step.score))
    return levels


def spread(scores: Sequence[float]) -> float:
    """Return the standard deviation of a group's scores, in parts of a whole score."""
    return statistics.pstdev(scores) / _WHOLE


def weighed(group: Sequence[Attempt]) -> dict[Role, list[WeighedText]]:
    """Return the texts of a group's attempts with their weights, by the student that wrote them.

    Args:
        group: The attempts at one task.
    """
    found: dict[Role, list[WeighedText]] = {}
    sound = [one for one in group if one.episode.stop_reason is not StopReason.ENVIRONMENT_ERROR]
    scores = [one.episode.score for one in sound]
    if not sound or max(scores) - min(scores) < _LEAST_SPREAD:
        return found
    every = step_credits([one.episode for one in sound])
    for attempt, credit in zip(sound, every, strict=True):
        fatal = attempt.episode.stop_reason is StopReason.FAILED
        praise, blame = _SHOWN if attempt.shown else 1.0, 1.0 if fatal else _BLAME
        again = repetitions(attempt.episode)
        values = [
            (0.0 if number in again else praise * value) if value > 0 else blame * value
            for number, value in enumerate(credit)
        ]
        for role, texts in attempt.texts.items():
            spared = len(texts) - _FATAL_TEXTS if fatal else 0
            for number, text in enumerate(texts):
                mine = [max(0.0, v) for v in values] if number < spared else values
                found.setdefault(role, []).append(_weighed(text, role, mine))
    merged = {role: _merged(texts) for role, texts in found.items()}
    return {role: texts for role, texts in merged.items() if texts}


def _merged(texts: Sequence[WeighedText]) -> list[WeighedText]:
    """Return each text once, with the sum of its weights, and none that has no weight left.

    Attempts at one task begin alike, so many of their first texts are the same.
    """
    found: dict[bytes, WeighedText] = {}
    for text in texts:
        known = found.get(key := text.ids.tobytes())
        weights = text.weights if known is None else known.weights + text.weights
        found[key] = WeighedText(text.ids, weights)
    return [text for text in found.values() if (np.abs(text.weights) > _NOTHING).any()]


def _weighed(text: Text, role: Role, credit: Sequence[float]) -> WeighedText:
    learned = LEARNED[role]
    weights = [
        credit[min(acted, len(credit) - 1)] if target in learned else 0.0
        for target, acted in zip(text.targets, text.acted, strict=True)
    ]
    return WeighedText(np.array(text.ids, np.int32), np.array(weights, np.float32))
