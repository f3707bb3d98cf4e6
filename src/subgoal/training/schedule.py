"""The budget of a training run, and the learning rate that follows it."""

import math

from subgoal.training.resume import Position
from subgoal.training.training_config import TrainingConfig


def share_used(config: TrainingConfig, at: Position, texts: int = 0) -> float:
    """Return the share of the budget that is used, 0..1.

    Args:
        config: The budget.
        at: Where the run stands.
        texts: Texts of an epoch.
    """
    by_tokens = at.tokens / config.tokens if config.tokens else 0.0
    by_time = at.seconds / (60 * config.minutes) if config.minutes else 0.0
    by_epochs = at.texts / (config.epochs * texts) if config.epochs and texts else 0.0
    return min(1.0, max(by_tokens, by_time, by_epochs))


def learning_rate(config: TrainingConfig, used: float) -> float:
    """Return the rate after a share of the budget: a linear rise, then a cosine to a fiftieth."""
    if used < config.warmup:
        return config.learning_rate * max(used / config.warmup, 0.02)
    through = (used - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.learning_rate * (0.02 + 0.49 * (1 + math.cos(math.pi * through)))
