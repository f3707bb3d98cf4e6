"""Whether certainty is what it says: of the turns with 80 % certainty, 80 % should be right.

The expected calibration error of Guo et al. (2017, "On Calibration of Modern Neural Networks"):
turns are sorted into bins by certainty; in each the mean certainty is compared with the share
right; the gaps are averaged by the bins' sizes.
"""

from collections.abc import Sequence

import numpy as np

from subgoal.evaluation.bootstrap import LEVEL, Floats, Interval, resampled
from subgoal.evaluation.protocol import Mean
from subgoal.record import Record

BINS = 10
"""Bins of equal width."""


class Calibration(Record):
    """How far certainty is from how often it is right."""

    certainty: float
    """Mean certainty in percent."""
    error: Interval
    """Expected calibration error, in points. Of few turns, it and its interval are too large."""


def calibration(
    turns: Sequence[tuple[tuple[str, int], float | None, bool]], seed: int = 0
) -> Calibration | None:
    """Return how well certainty is calibrated; None where there are no turns or one's is not known.

    Args:
        turns: Of each turn: task type and group, which is drawn as a whole; its certainty; whether
            it is right.
        seed: Seed of the interval.

    >>> calibration([(("chat", 1), 0.9, True), (("chat", 2), 0.7, False)]).error.mean
    40.0
    """
    known = [(group, sure, right) for group, sure, right in turns if sure is not None]
    if not known or len(known) < len(turns):
        return None
    gaps: dict[str, dict[int, Floats]] = {}
    for (name, group), sure, right in known:
        held = gaps.setdefault(name, {}).setdefault(group, np.zeros(BINS + 1))
        held[min(int(sure * BINS), BINS - 1)] += sure - right
        held[BINS] += 1
    tables = [np.array(list(groups.values())) for groups in gaps.values()]
    error = sum(abs(sum(table[:, one].sum() for table in tables)) for one in range(BINS))
    *tops, counts = (
        resampled([table[:, one] for table in tables], Mean.EPISODES, seed)
        for one in range(BINS + 1)
    )
    drawn = 100 * sum(map(np.abs, tops)) / counts
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    mean = 100 * error / len(known)
    return Calibration(
        certainty=100 * sum(sure for _, sure, _ in known) / len(known),
        error=Interval(mean=round(mean, 6), low=round(low, 6), high=round(high, 6)),
    )
