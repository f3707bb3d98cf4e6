"""Linear layers whose matrix is int8 and whose input is rounded to int8 as it comes, for CPUs.

Each row of the matrix, and each row of an input, has a scale of its own. torch's own quantized
tensors are deprecated; this needs only a product of int8 matrices. The matrix takes seven bits:
processors without VNNI add products of eight bits in pairs of 16 bits, which would overflow.
"""

from typing import Any, cast

import torch
from typing_extensions import override

_LARGEST = 127
_LARGEST_WEIGHT = 64
_multiply: Any = cast("Any", torch)._int_mm


class Int8Linear(torch.nn.Module):
    """A linear layer in int8.

    Args:
        weight: The matrix, (out, in).
        bias: What is added, (out,).
    """

    matrix: torch.Tensor
    scale: torch.Tensor
    weight = None
    """No float matrix is there; models that look at its type see that."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self._kind = weight.dtype
        rounded, scale = _rounded(weight.detach().float(), _LARGEST_WEIGHT)
        self.register_buffer("matrix", rounded.contiguous())
        self.register_buffer("scale", scale[:, 0])
        self.bias = None if bias is None else bias.detach()

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply inputs (..., in)."""
        rounded, scale = _rounded(x.reshape(-1, x.shape[-1]).float())
        product = _multiply(rounded, self.matrix.t()) * scale * self.scale
        product = product.view(*x.shape[:-1], -1).to(self._kind)
        return product if self.bias is None else product + self.bias


def _rounded(x: torch.Tensor, largest: int = _LARGEST) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows as int8, and the scale of each, (rows, 1)."""
    scale = x.abs().amax(1, keepdim=True).clamp(min=1e-12) / largest
    return (x / scale).round().to(torch.int8), scale


def to_int8(model: torch.nn.Module) -> None:
    """Replace every linear layer of a model by one in int8."""
    for name, part in model.named_children():
        if isinstance(part, torch.nn.Linear):
            setattr(model, name, Int8Linear(part.weight, part.bias))
        else:
            to_int8(part)
