"""How far rounding moves a model's logits, whichever processor rounds.

The bound is derived from the numbers of a precision and from the model, not from any engine. In
bfloat16 a number has 8 significant bits, so a rounding moves it by at most 2^-8 of itself; in int8
a row of inputs has 255 levels between its largest value and its opposite, so by at most 1/254 of
that value, and a row of a matrix, in seven bits, by 1/127.
float32 rounds by 2^-24, and engines differ in the order of their sums: a sum of n terms moves by at
most n roundings. The model in float32, every number that would be rounded moved at random by up to
as much, shows what such errors become on their way to the logits: each draw is as large as what an
engine does. What it leaves out (scores, softmax, residual sums) are roundings of the same size,
fewer than those: together less than twice the error. The bounds have room for three times.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from subgoal.engines.config import Precision

ROOM = 3.0
"""Errors of so many times the random draws' are within the bounds."""
TAIL = 6.0
"""A sum of many roundings is normal: so many standard deviations are never seen."""
DRAWS = 4

Error = Callable[[torch.Tensor], torch.Tensor]


class _Errors(NamedTuple):
    """How far a rounding moves a number."""

    weights: Error
    activations: Error
    everywhere: bool
    """Whether vectors of weights and the outputs of layers are rounded, too."""


def _relative(unit: float) -> _Errors:
    return _Errors(*[lambda x: unit * x.abs()] * 2, everywhere=True)


def _of_rows(levels: int) -> Error:
    return lambda x: x.abs().amax(-1, keepdim=True) / levels


def _errors(precision: Precision, widest: int) -> _Errors:
    match precision:
        case Precision.FLOAT32:
            return _relative(widest * 2**-24)
        case Precision.BFLOAT16:
            return _relative(2**-8)
        case _:
            return _Errors(_of_rows(127), _of_rows(254), everywhere=False)


class Rounding(NamedTuple):
    """What a model answers to some texts, and what roundings make of it."""

    exact: list[torch.Tensor]
    """Of each text, logits (tokens asked for, vocabulary) in float32."""
    moved: list[torch.Tensor]
    """By how much, (draws, tokens asked for, vocabulary)."""

    @property
    def typical(self) -> float:
        """Bound of the root of the mean square of all errors."""
        return ROOM * _deviation(torch.cat([one.flatten() for one in self.moved]))

    def margin(self, text: int, token: int) -> float:
        """Return the least difference of two logits of a token that roundings never turn over."""
        return TAIL * 2**0.5 * _deviation(self.moved[text][:, token])


def _deviation(errors: torch.Tensor) -> float:
    return float(errors.square().mean().sqrt())


def rounding(
    model: Any, texts: Sequence[tuple[Sequence[int], Sequence[int]]], precision: Precision
) -> Rounding:
    """Compute logits of answers to texts, exactly and with roundings at random.

    Args:
        model: In float32, of transformers.
        texts: Of each, its token ids and those of an answer.
        precision: Whose roundings.
    """
    exact = [_logits(model, *one) for one in texts]
    moved: list[list[torch.Tensor]] = [[] for _ in texts]
    for draw in range(DRAWS):
        torch.manual_seed(draw)
        other = _moved(model, precision)
        for number, one in enumerate(texts):
            moved[number].append(_logits(other, *one) - exact[number])
    return Rounding(exact, [torch.stack(draws) for draws in moved])


def _moved(model: Any, precision: Precision) -> Any:
    """Return a copy whose weights and activations are moved as a precision rounds them."""
    errors = _errors(precision, max(max(weights.shape) for weights in model.parameters()))

    def moved(x: torch.Tensor, error: Error = errors.activations) -> torch.Tensor:
        return x + error(x) * (2 * torch.rand_like(x) - 1)

    def moved_in(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(moved(x) if x.is_floating_point() else x for x in given)

    def moved_out(_: Any, __: Any, given: Any) -> Any:
        return moved(given) if torch.is_tensor(given) else given

    other = copy.deepcopy(model)
    with torch.no_grad():
        for weights in other.parameters():
            if errors.everywhere or weights.dim() > 1:
                weights.copy_(moved(weights, errors.weights))
    for part in other.modules():
        if isinstance(part, torch.nn.Linear):
            part.register_forward_pre_hook(moved_in)
        if errors.everywhere and not list(part.children()):
            part.register_forward_hook(moved_out)
    return other


@torch.inference_mode()
def _logits(model: Any, text: Sequence[int], answer: Sequence[int]) -> torch.Tensor:
    """Return logits before each token of an answer and after it."""
    if model.config.is_encoder_decoder:
        begun = torch.tensor([[model.config.decoder_start_token_id, *answer]])
        return model(input_ids=torch.tensor([list(text)]), decoder_input_ids=begun).logits[0]
    out = model(input_ids=torch.tensor([[*text, *answer]]))
    return out.logits[0, len(text) - 1 :]
