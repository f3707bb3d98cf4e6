"""Memory: less of it for more work, and what to do where it is too small."""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager, suppress

import torch
from transformers import PreTrainedModel

from subgoal.errors import TrainingFailed
from subgoal.training.config import TrainingConfig


def give_back_freed() -> None:
    """Return what the heap has freed to the system (glibc; elsewhere nothing).

    Batches hold texts of many lengths, so a CPU's tensors have many sizes, and what they leave
    behind in the heap fits no others: a process grows from step to step. Done now and then it costs
    little; mapping every large block for itself would cost a third of the speed.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def checkpoint_layers(model: PreTrainedModel) -> None:
    """Let each layer be computed twice, so that what is inside it need not be kept.

    Raises:
        TrainingFailed: The architecture cannot do that.
    """
    # transformers renamed it; the old name is gone in version 6
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    try:
        enable({"use_reentrant": False})
    except ValueError as error:
        raise TrainingFailed(
            f"training.gradient_checkpointing: {type(model).__name__} cannot do it; set it to false"
        ) from error


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
