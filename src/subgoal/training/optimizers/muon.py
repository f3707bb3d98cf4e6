"""Muon (K. Jordan et al., 2024): matrices follow their momentum, made orthogonal.

What `torch.optim.Muon` computes, in the precision that the device multiplies fast: torch's always
iterates in bfloat16, which most processors emulate. Matrices of one shape (or of that shape turned)
share batched products.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor, Replicate

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that takes singular values from (0, 1] to about 1 (K. Jordan, "Muon")."""
_ROUNDS = 5
_SMALLEST = 1e-7
"""Norms below it count as this much: a gradient of zeros stays one."""
_AT_ONCE = 2**24
"""Most numbers of a batch: larger matrices gain nothing by company, and need their memory."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum, its updates as large as AdamW's (J. Liu et al., 2025).

    Args:
        weights: Matrices, (rows, columns) each.
        lr: Learning rate; AdamW's rates fit.
        weight_decay: Share of the weights, times the rate, that they lose in a step.
        dtype: What the iteration multiplies in.
    """

    def __init__(
        self,
        weights: Iterable[torch.nn.Parameter],
        lr: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the weights that have gradients.

        Args:
            closure: Must be None: the gradients are there.
        """
        assert closure is None
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[torch.Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[tuple(sorted(weight.shape))].append(weight)
            for (shorter, longer), weights in alike.items():
                many = max(1, _AT_ONCE // (shorter * longer))
                for start in range(0, len(weights), many):
                    self._move(weights[start : start + many], group["lr"], group["weight_decay"])

    def _move(self, weights: Sequence[torch.Tensor], rate: float, decay: float) -> None:
        """Move weights of one shape, some of them turned."""
        wide = torch.stack([_turned(_whole(self._momentum(weight))) for weight in weights])
        scale = 0.2 * math.sqrt(wide.shape[2])
        for weight, direction in zip(weights, orthogonal(wide.to(self._dtype)), strict=True):
            turn = len(weight) > weight.shape[1]
            weight.mul_(1 - rate * decay)
            weight.add_(_like(weight, direction.T if turn else direction), alpha=-rate * scale)

    def _momentum(self, weight: torch.Tensor) -> torch.Tensor:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight.grad)
        held = state["momentum_buffer"].lerp_(weight.grad, 1 - _MOMENTUM)
        return weight.grad.lerp(held, _MOMENTUM)


def _turned(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix, or its transpose, that has no more rows than columns."""
    return matrix.T if len(matrix) > matrix.shape[1] else matrix


def _whole(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix that processes may share, whole in each of them."""
    return matrix.full_tensor() if isinstance(matrix, DTensor) else matrix


def _like(weight: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix that each process has whole, shared out as a weight is."""
    if not isinstance(weight, DTensor):
        return matrix
    everywhere = [Replicate()] * weight.device_mesh.ndim
    whole = DTensor.from_local(matrix, weight.device_mesh, everywhere)
    return whole.redistribute(placements=weight.placements)


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """Return U V' of each matrix U S V', about: singular values end between 0.7 and 1.2.

    Args:
        x: (matrices, rows, columns), no more rows than columns; changed.
    """
    x /= torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp_(min=_SMALLEST)
    a, b, c = _COEFFICIENTS
    if x.shape[2] > 2 * x.shape[1] and x.dtype is not torch.bfloat16:
        return torch.bmm(_factor(torch.bmm(x, x.mT)), x)
    for _ in range(_ROUNDS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _factor(gram: torch.Tensor) -> torch.Tensor:
    """Return what all rounds together multiply X by, from X X' alone.

    Each round's factor P is a polynomial of the gram matrix, so the next one's is P P' X X': small
    squares where X is wide. In bfloat16 their rounding would drown small singular values.
    """
    a, b, c = _COEFFICIENTS
    whole = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for left in range(_ROUNDS, 0, -1):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        whole = factor if left == _ROUNDS else torch.bmm(factor, whole)
        if left > 1:
            gram = torch.bmm(factor, torch.bmm(gram, factor))
    return whole
