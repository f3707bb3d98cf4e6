"""What to do where the memory is too small."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from subgoal.errors import TrainingFailed
from subgoal.training.training_config import TrainingConfig


@contextmanager
def memory_advice(config: TrainingConfig, step: int, shape: str) -> Generator[None]:
    """Say which settings to lower where a step runs out of memory.

    Args:
        config: What it is trained with.
        step: Which step.
        shape: How large its batch is.

    Raises:
        TrainingFailed: The step ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        name = "batch_texts" if config.batch_texts else "batch_tokens"
        size = config.batch_texts or config.batch_tokens
        advice = f"lower training.{name} ({size}) and raise training.accumulation as much"
        if not config.gradient_checkpointing:
            advice += ", or set training.gradient_checkpointing = true"
        raise TrainingFailed(
            f"out of memory in step {step}, with a batch of {shape}; {advice}"
        ) from error


def _out_of_memory(error: Exception) -> bool:
    # On a CPU torch raises a plain RuntimeError, known by the allocator's name alone.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in str(error)
    )
