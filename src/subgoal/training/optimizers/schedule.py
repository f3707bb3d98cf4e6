"""The budget of a training run, and the learning rate that follows it."""

import math

from subgoal.progress import first_to_end
from subgoal.training.checkpoint import Position
from subgoal.training.config import TrainingConfig


def share_used(config: TrainingConfig, at: Position, texts: int = 0) -> float:
    """Return the share of the budget that is used, 0..1.

    Args:
        config: The budget.
        at: Where the run stands.
        texts: Texts of an epoch.
    """
    by_time = at.seconds / (60 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(by_time, share_learned(config, at, texts) or 0.0))


def share_learned(config: TrainingConfig, at: Position, texts: int) -> float | None:
    """Return the share of the budget of tokens or epochs that is used; None where there is none.

    Args:
        config: The budget.
        at: Where the run stands.
        texts: Texts of an epoch.
    """
    shares = [at.tokens / config.tokens] if config.tokens else []
    shares += [at.texts / (config.epochs * texts)] if config.epochs and texts else []
    return min(1.0, max(shares)) if shares else None


def seconds_left(
    config: TrainingConfig, at: Position, since: Position, texts: int = 0
) -> float | None:
    """Return after how many seconds the first of the budgets ends the run.

    Args:
        config: The budgets.
        at: Where the run stands.
        since: Where this attempt began; what was done since then tells the rate.
        texts: Texts of an epoch.

    Returns:
        Seconds at the rate so far; None where there is no rate yet.
    """
    seconds = at.seconds - since.seconds
    budgets = (
        (config.tokens, at.tokens, since.tokens),
        (60 * config.minutes, at.seconds, since.seconds),
        (config.epochs * texts, at.texts, since.texts),
    )
    return first_to_end(budgets, seconds)


def learning_rate(config: TrainingConfig, used: float) -> float:
    """Return the rate after a share of the budget: a linear rise, then a cosine to a fiftieth."""
    if used < config.warmup:
        return config.learning_rate * max(used / config.warmup, 0.02)
    through = (used - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.learning_rate * (0.02 + 0.49 * (1 + math.cos(math.pi * through)))
