"""Bootstrap intervals and a sign-flip test for means over task types.

A mean over types is a weighted mean of type means: weight 1/types where types count alike,
episodes/all where episodes do. Each resample draws *within* every type, as the mean is built, so
the interval tells what other variations of the same types would have given. From n episodes of a
type n - 1 are drawn with replacement, which makes the variance of the resampled mean the unbiased
s^2/n (Rao and Wu, 1988; drawing n would be too narrow by (n - 1)/n, half for two episodes).
Types with a single episode say nothing of their own spread: they are drawn from together
(collapsed strata), which is wide rather than narrow.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from subgoal.evaluation.protocol import Mean
from subgoal.record import Record

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
"""Resamples of every interval and sign flips of every test."""
LEVEL = 0.95
"""What an interval covers."""


class Interval(Record):
    """A mean with its 95 % bootstrap interval."""

    mean: float
    """The mean itself, of the values and not of the resamples."""
    low: float
    """2.5 % quantile of the resampled means."""
    high: float
    """97.5 % quantile of the resampled means."""

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def type_weights(groups: Sequence[Floats], over: Mean) -> Floats:
    """Return the weight of each type's mean, (types,), summing to 1.

    Args:
        groups: The values of each type.
        over: What counts alike, types or episodes.
    """
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    if over is Mean.TYPES:
        sizes = np.ones_like(sizes)
    return sizes / sizes.sum()


def bootstrap(groups: Sequence[Floats], over: Mean, seed: int = 0) -> Interval:
    """Return the mean over types and its interval.

    Args:
        groups: The values of each type, at least one a type.
        over: What counts alike, types or episodes.
        seed: Seed of the resampling; the same seed gives the same interval.
    """
    weights = type_weights(groups, over)
    mean = float(sum(w * group.mean() for w, group in zip(weights, groups, strict=True)))
    low, high = np.quantile(resampled(groups, over, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=_tidy(mean), low=_tidy(low), high=_tidy(high))


def resampled(groups: Sequence[Floats], over: Mean, seed: int = 0) -> Floats:
    """Return the mean over types of every resample, (`RESAMPLES`,).

    Two figures of the same tasks, in the same groups and order, are drawn alike under one seed, so
    that their ratio or difference can be taken resample by resample.

    Args:
        groups: The values of each type, at least one a type.
        over: What counts alike, types or episodes.
        seed: Seed of the resampling.
    """
    draw = np.random.default_rng(seed)
    means = np.zeros(RESAMPLES)
    for weight, group in _strata(groups, type_weights(groups, over)):
        size = max(1, len(group) - 1)
        means += weight * group[draw.integers(0, len(group), (RESAMPLES, size))].mean(axis=1)
    return means


def share(parts: Sequence[Floats], wholes: Sequence[Floats], seed: int = 0) -> Interval:
    """Return which share parts are of wholes, in percent, and its interval.

    Numerator and denominator are drawn together, so that turns of one conversation stay together.

    Args:
        parts: What counts, a number an episode, by type.
        wholes: Of how much; more than 0 in all.
        seed: Seed of the resampling.
    """
    mean = sum(part.sum() for part in parts) / sum(whole.sum() for whole in wholes)
    tops, bottoms = (resampled(one, Mean.EPISODES, seed) for one in (parts, wholes))
    drawn = tops[bottoms > 0] / bottoms[bottoms > 0]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=_tidy(100 * mean), low=_tidy(100 * low), high=_tidy(100 * high))


def sign_flip_p_value(groups: Sequence[Floats], over: Mean, seed: int = 0) -> float:
    """Return the two-sided p-value of paired differences under random signs.

    Were the two agents alike, each difference would as well have the other sign; the p-value is
    the share of sign patterns whose mean is at least as far from zero (Monte Carlo, counting the
    observed pattern, so never 0).
    """
    weights = type_weights(groups, over)
    parts = np.concatenate(
        [weight / len(group) * group for weight, group in zip(weights, groups, strict=True)]
    )
    parts = parts[parts != 0]
    if len(parts) == 0:
        return 1.0
    signs = np.random.default_rng(seed).integers(0, 2, (RESAMPLES, len(parts)), dtype=np.int8)
    flipped = (2.0 * signs - 1.0) @ parts
    # A pattern that ties with the observed one must count however its sum was rounded.
    reach = abs(parts.sum()) - 1e-9
    return float((1 + np.count_nonzero(np.abs(flipped) >= reach)) / (1 + RESAMPLES))


def _strata(groups: Sequence[Floats], weights: Floats) -> list[tuple[float, Floats]]:
    pairs = list(zip(weights.tolist(), groups, strict=True))
    strata = [(weight, group) for weight, group in pairs if len(group) > 1]
    single = [(weight, group) for weight, group in pairs if len(group) == 1]
    if single:
        total = sum(weight for weight, _ in single)
        strata.append((total, np.concatenate([group for _, group in single])))
    return strata


def _tidy(value: float) -> float:
    """Round away floating-point dust, so that stored figures read well and compare equal."""
    return round(float(value), 6) + 0.0
