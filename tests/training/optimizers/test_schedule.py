"""Which budget ends a training run, and when."""

import pytest

from subgoal.training.checkpoint import Position
from subgoal.training.config import TrainingConfig
from subgoal.training.optimizers.schedule import seconds_left

AT = Position(tokens=2000, seconds=30.0, texts=40)
SINCE = Position(tokens=1000, seconds=20.0, texts=20)
"""10 seconds: 1,000 tokens and 20 texts."""


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        ({"tokens": 5000}, 30.0),
        ({"tokens": 5000, "minutes": 1.0}, 30.0),
        ({"tokens": 5_000_000, "minutes": 1.0}, 30.0),
        ({"tokens": 5_000_000, "minutes": 0.75}, 15.0),
        ({"tokens": 0, "minutes": 1.0}, 30.0),
        ({"tokens": 5_000_000, "epochs": 2.0}, 80.0),  # of 100 texts
        ({"tokens": 1000}, 0.0),
    ],
)
def test_the_first_budget_that_ends_tells_the_time_left(budget, left):
    config = TrainingConfig().model_copy(update={"tokens": 0, "minutes": 0.0, **budget})
    assert seconds_left(config, AT, SINCE, texts=100) == pytest.approx(left)


def test_before_the_first_step_nothing_tells():
    assert seconds_left(TrainingConfig(), SINCE, SINCE, texts=100) is None
