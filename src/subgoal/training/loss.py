"""The loss that students are trained on: the mean over learned tokens, at the least cost."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.nn.functional import cross_entropy, linear
from transformers import LlamaForCausalLM, PreTrainedModel

from subgoal.training import llama_pass
from subgoal.training.batch import IGNORED
from subgoal.training.config import TrainingPrecision


@cache
def fast_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 at least twice as fast as float32.

    A GPU is asked, a CPU measured, for some milliseconds of this thread: it is seven times as fast
    with AMX, 0.6 times with AVX-512's instructions for bfloat16 alone, a tenth with AVX2.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and 2 * _product_time(torch.bfloat16) <= _product_time(
        torch.float32
    )


def _product_time(dtype: torch.dtype) -> float:
    """Return the seconds of a product as a small student's layers take it, the best of some."""
    rows, weight = torch.ones(512, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)
    times: list[float] = []
    for _ in range(7):  # the first is a rehearsal
        start = time.thread_time()
        for _ in range(4):
            linear(rows, weight)
        times.append(time.thread_time() - start)
    return min(times)


def settled_precision(
    asked: TrainingPrecision, begun: TrainingPrecision, device: torch.device
) -> TrainingPrecision:
    """Return what a training's matrices multiply in: float32 or bfloat16.

    Args:
        asked: What the configuration says.
        begun: What the training multiplied in before it was interrupted, so that it goes on with
            the same bits; `auto` where it begins. Under `auto`, bfloat16 is given up where the
            device is slow at it.
        device: Where it computes.
    """
    if asked is not TrainingPrecision.AUTO:
        return asked
    if begun is TrainingPrecision.FLOAT32 or not fast_bfloat16(device):
        return TrainingPrecision.FLOAT32
    return TrainingPrecision.BFLOAT16


def compute_dtype(precision: TrainingPrecision, device: torch.device) -> torch.dtype:
    """Return what matrices multiply in on a device."""
    low = settled_precision(precision, TrainingPrecision.AUTO, device) is TrainingPrecision.BFLOAT16
    return torch.bfloat16 if low else torch.float32


def core(student: torch.nn.Module) -> PreTrainedModel:
    """Return the transformers model, without the adapters' wrapper where it has one."""
    inner = student.get_base_model() if hasattr(student, "get_base_model") else student  # type: ignore[operator]
    assert isinstance(inner, PreTrainedModel)
    return inner


@contextmanager
def chosen_only(model: PreTrainedModel, chosen: torch.Tensor) -> Generator[None]:
    """Let only chosen positions go through the output layer: elsewhere no logits are needed.

    Args:
        model: Its logits become (1, positions, vocabulary).
        chosen: Positions in the flattened (texts, length), int64 (positions,).
    """

    def choose(_: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0].flatten(0, 1)[chosen][None], *given[1:])

    head = model.get_output_embeddings()
    assert head is not None  # a language model has one
    hook = head.register_forward_pre_hook(choose)
    try:
        yield
    finally:
        hook.remove()


class StudentLoss(torch.nn.Module):
    """A student, and the loss of the learned tokens of a batch.

    Args:
        student: The model; a model of transformers, or one of peft around it.
        precision: What matrices multiply in.
    """

    def __init__(
        self, student: torch.nn.Module, precision: TrainingPrecision = TrainingPrecision.AUTO
    ) -> None:
        super().__init__()
        self.student = student
        self._precision = precision

    @property
    def dtype(self) -> torch.dtype:
        """What matrices multiply in."""
        return compute_dtype(self._precision, core(self.student).device)

    def chosen_logits(self, chosen: torch.Tensor, **inputs: Any) -> torch.Tensor:
        """Return the logits at chosen positions, (positions, vocabulary)."""
        low, model = self.dtype is torch.bfloat16, core(self.student)
        with (
            torch.autocast(chosen.device.type, torch.bfloat16, enabled=low),
            chosen_only(model, chosen),
        ):
            return model(**inputs, use_cache=False).logits[0]


class LearnedLoss(StudentLoss):
    """A causal student, and the loss of the learned tokens of a batch.

    Only positions before a learned token go through the output layer; where the student is a
    plain Llama on a CPU, the faster pass of `llama_pass` is taken.

    Args:
        student: The model.
        precision: What matrices multiply in.
        fast: Take the faster pass where there is one.
    """

    def __init__(
        self,
        student: torch.nn.Module,
        precision: TrainingPrecision = TrainingPrecision.AUTO,
        fast: bool = True,
    ) -> None:
        super().__init__(student, precision)
        self._fast = fast

    def forward(
        self,
        ids: torch.Tensor,
        learned: torch.Tensor,
        count: float | None = None,
    ) -> torch.Tensor:
        """Return the mean loss, nats a learned token.

        Args:
            ids: Token ids, int64 (texts, length), padded on the right.
            learned: True where the token is in the loss, bool (texts, length). The first token
                of a text, which nothing predicts, never is.
            count: Learned tokens over which the mean is taken; None: those of this batch.
        """
        chosen = learned[:, 1:].flatten().nonzero()[:, 0]
        targets = ids[:, 1:].flatten()[chosen]
        logits = self._logits(ids[:, :-1], chosen)
        total = cross_entropy(logits.float(), targets, reduction="sum")
        return total / (max(1, len(targets)) if count is None else count)

    def _logits(self, ids: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        if self._fast and llama_pass.supports(self.student):
            assert isinstance(self.student, LlamaForCausalLM)
            states = llama_pass.learned_states(self.student, ids, chosen, self.dtype)
            return self.student.lm_head(states)
        return self.chosen_logits(chosen, input_ids=ids)


class PairLoss(StudentLoss):
    """An encoder-decoder student, and the loss of the learned tokens of its targets."""

    def forward(
        self,
        source: torch.Tensor,
        mask: torch.Tensor,
        labels: torch.Tensor,
        count: float | None = None,
    ) -> torch.Tensor:
        """Return the mean loss, nats a learned token.

        Args:
            source: Token ids, int64 (texts, source length), padded on the right.
            mask: 1 where a source is no padding, int64 (texts, source length).
            labels: Token ids, int64 (texts, target length); -100 where not in the loss.
            count: Learned tokens over which the mean is taken; None: those of this batch.
        """
        chosen = (labels != IGNORED).flatten().nonzero()[:, 0]
        targets = labels.flatten()[chosen]
        before = core(self.student).prepare_decoder_input_ids_from_labels(labels=labels)  # type: ignore[operator]
        logits = self.chosen_logits(
            chosen, input_ids=source, attention_mask=mask, decoder_input_ids=before
        )
        total = cross_entropy(logits.float(), targets, reduction="sum")
        return total / (max(1, len(targets)) if count is None else count)
