"""How attention is computed."""

from enum import StrEnum

import torch

from subgoal.errors import TrainingFailed, said_by
from subgoal.training.loss import core


class Attention(StrEnum):
    """How attention is computed."""

    AUTO = "auto"
    """As the model has it: `sdpa` where it can."""
    SDPA = "sdpa"
    """torch's own, which picks the fastest kernel."""
    EAGER = "eager"
    """Plain products; slow, works everywhere."""
    FLASH = "flash_attention_2"
    """The package flash-attn; bfloat16 on a GPU."""
    FLEX = "flex_attention"
    """torch's compiled attention, which skips the masked blocks of packed rows; for a GPU."""


def set_attention(student: torch.nn.Module, attention: Attention, dtype: torch.dtype) -> None:
    """Let a model compute its attention in one way.

    Args:
        student: The model.
        attention: How.
        dtype: What its matrices multiply in.

    Raises:
        TrainingFailed: It cannot be computed so.
    """
    if attention is Attention.AUTO:
        return
    model, reason = core(student), ""
    if attention is Attention.FLASH and dtype is not torch.bfloat16:
        reason = "it needs bfloat16, on a GPU that has it: training.precision"
    try:
        model.set_attn_implementation(attention.value)
    except (ImportError, ValueError, RuntimeError) as error:
        reason = reason or said_by(error)
    if not reason and model.config._attn_implementation != attention.value:
        reason = f"{type(model).__name__} cannot compute it"
    if reason:
        package = " (pip install flash-attn)" if attention is Attention.FLASH else ""
        raise TrainingFailed(
            f"training.attention = '{attention}' cannot be used{package}: {reason}; "
            "'auto' works everywhere"
        )


def attention_of(student: torch.nn.Module) -> str:
    """Return how a model computes its attention, such as `sdpa`."""
    return str(core(student).config._attn_implementation)
