"""Engines for models of transformers: prefix kept, streams batched.

Plain Llamas have a forward pass of their own (`llama_forward`; in float32 on the CPU the compiled
kernels of `cpu_kernels` compute the same, where numba is installed), all other causal models go
through their module (`module_forward`).
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import torch

from subgoal.engines.base import Engine
from subgoal.engines.bounds import positions, vocabulary
from subgoal.engines.llama_forward import LlamaForward
from subgoal.engines.llama_weights import supports
from subgoal.engines.plain_llama import PlainLlama
from subgoal.engines.prefix import Forward, PrefixEngine
from subgoal.machine import cores

_PARAMETERS_A_THREAD = 16_000_000


def threads_for(parameters: int, asked: int = 0) -> int:
    """Return how many CPU threads a model computes with.

    Args:
        parameters: Those of the model.
        asked: How many threads; 0: one for each 16M parameters. Never more than torch has, or
            than this process may use.
    """
    return min(torch.get_num_threads(), cores(), asked or 1 + parameters // _PARAMETERS_A_THREAD)


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
    torch.set_num_threads(threads_for(parameters, asked))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TransformersEngine(PrefixEngine):
    """Generates with a causal model of transformers.

    Args:
        model: The model, in evaluation mode, on its device.
        context: Most tokens that a stream may hold; never more than the model has positions.
    """

    def __init__(self, model: Any, context: int) -> None:
        places = positions(model, context)
        super().__init__(fastest_forward(model, places), places, vocabulary(model))


def fastest_forward(model: Any, places: int) -> Forward:
    """Return the fastest forward pass that computes what a causal model computes.

    Args:
        model: A model of transformers, in evaluation mode, on its device.
        places: Most tokens of a stream.
    """
    if not (isinstance(model, PlainLlama) or supports(model)):
        from subgoal.engines.module_forward import ModuleForward

        return ModuleForward(model)
    if model.dtype == torch.float32 and model.device.type == "cpu":
        with suppress(ImportError):  # numba is not installed, or not for this numpy
            from subgoal.engines.cpu_kernels.forward import FusedForward

            return FusedForward(model, places)
    return LlamaForward(model, places)


def make_engine(model: Any, context: int, device: str = "") -> Engine:
    """Make the fastest engine that computes what a model computes.

    Args:
        model: A model of transformers, in evaluation mode, or a `PlainLlama`.
        context: Most tokens that a stream may hold; never more than the model has positions.
        device: Where the model is put; empty: it stays where it is.
    """
    if device:
        model.to(device)
    if isinstance(model, PlainLlama) or not model.config.is_encoder_decoder:
        return TransformersEngine(model, context)
    from subgoal.engines.seq2seq import Seq2SeqEngine

    return Seq2SeqEngine(model, context)
