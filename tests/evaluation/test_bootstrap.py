"""Intervals and p-values against cases whose answer is known."""

import numpy as np
import pytest

from subgoal.evaluation.bootstrap import bootstrap, sign_flip_p_value
from subgoal.evaluation.protocol import Mean


def _groups(*values: list[float]) -> list[np.ndarray]:
    return [np.array(group, float) for group in values]


def test_a_large_sample_gives_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(50, 10, 400)
    interval = bootstrap([values], Mean.TYPES)
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.mean == pytest.approx(values.mean(), abs=1e-5)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.05)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.05)


def test_small_groups_keep_the_unbiased_variance() -> None:
    pairs = np.random.default_rng(2).normal(0, 1, (200, 2))
    interval = bootstrap(list(pairs), Mean.TYPES)
    expected = 1.96 * np.sqrt(pairs.var(axis=1, ddof=1).sum() / 2) / 200
    assert (interval.high - interval.low) / 2 == pytest.approx(expected, rel=0.05)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    draw = np.random.default_rng(3)
    centres = np.array([20.0, 50.0, 80.0])
    covered = 0
    for trial in range(200):
        groups = [draw.normal(centre, 15, 10) for centre in centres]
        interval = bootstrap(groups, Mean.TYPES, seed=trial)
        covered += interval.low <= 50 <= interval.high
    assert 0.90 <= covered / 200 <= 0.985


def test_resampling_stays_within_types() -> None:
    interval = bootstrap(_groups([0, 0, 0], [100, 100, 100]), Mean.TYPES)
    assert (interval.low, interval.mean, interval.high) == (50, 50, 50)


def test_types_count_alike_or_episodes_do() -> None:
    groups = _groups([0, 0, 0], [100])
    assert bootstrap(groups, Mean.TYPES).mean == 50
    assert bootstrap(groups, Mean.EPISODES).mean == 25


def test_single_episodes_are_drawn_from_together() -> None:
    interval = bootstrap(_groups([0], [100], [0], [100]), Mean.TYPES)
    assert interval.low < 25 < 75 < interval.high


def test_the_seed_decides() -> None:
    groups = _groups(np.random.default_rng(4).normal(50, 20, 9).tolist())
    assert bootstrap(groups, Mean.TYPES, seed=1) == bootstrap(groups, Mean.TYPES, seed=1)
    assert bootstrap(groups, Mean.TYPES, seed=1) != bootstrap(groups, Mean.TYPES, seed=2)


def test_eight_equal_wins_have_the_binomial_p_value() -> None:
    p_value = sign_flip_p_value(_groups([10.0] * 8), Mean.TYPES)
    assert p_value == pytest.approx(2 / 2**8, abs=0.003)


def test_the_sign_test_is_two_sided_and_ignores_ties() -> None:
    one = sign_flip_p_value(_groups([5, 5, 5, 5, -5]), Mean.TYPES)
    assert one == sign_flip_p_value(_groups([-5, -5, -5, -5, 5]), Mean.TYPES)
    assert one == pytest.approx(12 / 32, abs=0.02)
    assert sign_flip_p_value(_groups([5, 5, 5, 5, -5, 0, 0]), Mean.TYPES) == one
    assert sign_flip_p_value(_groups([0, 0]), Mean.TYPES) == 1
