"""Engines for models of transformers: prefix kept, streams batched.

Plain Llamas have a forward pass of their own (`llama_forward`), all other causal models go through
their module (`module_forward`).
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from subgoal.language_models.engine import Engine
from subgoal.language_models.llama_forward import LlamaForward, supports
from subgoal.language_models.module_forward import ModuleForward
from subgoal.language_models.prefix_engine import PrefixEngine
from subgoal.language_models.seq2seq_engine import Seq2SeqEngine

_PARAMETERS_A_THREAD = 16_000_000


@contextmanager
def cpu_threads(parameters: int, asked: int = 0) -> Generator[None]:
    """Compute with as many CPU threads as a model is worth, until the block ends.

    The matrices of a small model are too small to be shared out: waiting for one another takes
    longer than computing, and the worlds need the other cores.

    Args:
        parameters: Those of the model.
        asked: How many threads; 0: one for each 16M parameters. Never more than there were.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, asked or 1 + parameters // _PARAMETERS_A_THREAD))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TransformersEngine(PrefixEngine):
    """Generates with a Llama-type model of transformers.

    Args:
        model: The model, in evaluation mode, on its device.
        context: Most tokens that a stream may hold.
    """

    def __init__(self, model: Any, context: int) -> None:
        super().__init__(LlamaForward(model), context)


class CausalEngine(PrefixEngine):
    """Generates with any causal model of transformers, through its module.

    Args:
        model: The model, in evaluation mode, on its device.
        context: Most tokens that a stream may hold.
    """

    def __init__(self, model: Any, context: int) -> None:
        super().__init__(ModuleForward(model), context)


def make_engine(model: Any, context: int) -> Engine:
    """Make the fastest engine that computes what a model computes.

    Args:
        model: A model of transformers, in evaluation mode, on its device.
        context: Most tokens that a stream may hold; never more than the model has positions.
    """
    if model.config.is_encoder_decoder:
        return Seq2SeqEngine(model, context)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", context)
    return (TransformersEngine if supports(model) else CausalEngine)(model, min(context, positions))
