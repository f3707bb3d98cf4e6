"""The forward pass of a Llama for training, faster than the module's own.

It reads the weights of the transformers module and computes what the module computes (a test
compares loss and gradients), with less work:

- Only tokens that are in the loss go through the last layer's output projection, its feed-forward
  layer, the last norm and the output layer. With a large share of context that is much of the work.
- Matrices multiply in bfloat16 where the CPU does that natively; the residual stream, the norms,
  the output layer, the weights and their gradients stay float32.
- Projections that read the same input are one matrix product, and the operations between two
  products are one autograd step each, with the least memory traffic.

No mask is ever built: padding stands on the right, where causal attention does not look.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu
from transformers import LlamaForCausalLM

from subgoal.engines import llama_weights

_BLOCK = 128
"""Query positions that attend together; keys after the block are skipped."""

Tensor = torch.Tensor
Context = Any
"""What autograd hands to `forward` and `backward`."""


def supports(model: Any) -> bool:
    """Return whether a model is a plain float32 Llama without dropout or shared key heads."""
    if not llama_weights.supports(model):
        return False
    config = model.config
    return (
        config.num_key_value_heads == config.num_attention_heads
        and not config.attention_dropout
        and model.model.rotary_emb.rope_type == "default"
        and model.dtype == torch.float32
        and model.device.type in {"cpu", "cuda"}
    )


def learned_states(
    model: LlamaForCausalLM, ids: Tensor, chosen: Tensor, dtype: torch.dtype
) -> Tensor:
    """Return the last hidden states at chosen positions.

    Args:
        model: A model that `supports` accepts.
        ids: Token ids, int64 (rows, length), padded on the right.
        chosen: Positions in the flattened `ids`, int64 (positions,).
        dtype: What matrices multiply in, float32 or bfloat16.

    Returns:
        float32 (positions, width), normed, ready for the output layer.
    """
    config, layers = model.config, cast("Sequence[Any]", model.model.layers)
    heads = config.num_attention_heads
    turns = _turns(model, ids.shape[1], dtype)
    attended = _Attention.apply if ids.device.type == "cpu" else _attended
    x = embedding(ids, model.model.embed_tokens.weight)
    for number, layer in enumerate(layers):
        attention, mlp, epsilon = layer.self_attn, layer.mlp, config.rms_norm_eps
        h = _Norm.apply(x, layer.input_layernorm.weight, epsilon, dtype)
        joined = linear(h, _joined(dtype, attention.q_proj, attention.k_proj, attention.v_proj))
        q, k, v = _Split.apply(joined, *turns, heads)
        h = attended(q, k, v, heads)
        if number == len(layers) - 1:
            h, x = h.flatten(0, 1)[chosen], x.flatten(0, 1)[chosen]
        x = x + linear(h, _joined(dtype, attention.o_proj))
        h = _Norm.apply(x, layer.post_attention_layernorm.weight, epsilon, dtype)
        h = _GatedUnit.apply(linear(h, _joined(dtype, mlp.gate_proj, mlp.up_proj)))
        x = x + linear(h, _joined(dtype, mlp.down_proj))
    return _Norm.apply(x, model.model.norm.weight, config.rms_norm_eps, torch.float32)


def _joined(dtype: torch.dtype, *projections: torch.nn.Linear) -> Tensor:
    weights = [projection.weight for projection in projections]
    return (torch.cat(weights) if len(weights) > 1 else weights[0]).to(dtype)


def _turns(model: LlamaForCausalLM, length: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the positions' angles, (2, 1, 1, length, head width / 2).

    Those of the queries (the first of two) carry the attention's scale too.
    """
    frequencies = model.model.rotary_emb.inv_freq
    positions = torch.arange(length, device=frequencies.device)
    angles = (positions.float()[None, :, None] * frequencies)[:, None]
    scales = torch.tensor([(2 * len(frequencies)) ** -0.5, 1.0], device=angles.device)
    scales = scales.view(2, 1, 1, 1, 1)
    return (scales * angles.cos()).to(dtype), (scales * angles.sin()).to(dtype)


class _Norm(torch.autograd.Function):
    """RMS norm of float32 (..., width), times a weight, in `dtype`."""

    @staticmethod
    def forward(
        ctx: Context, x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype
    ) -> Tensor:
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = size.square_().mul_(1 / x.shape[-1]).add_(epsilon).rsqrt_()
        unit = x * scale
        ctx.save_for_backward(unit, scale, weight)
        return (unit * weight).to(dtype)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        unit, scale, weight = ctx.saved_tensors
        grad, width = grads[0].float(), unit.shape[-1]
        along = (grad * unit).view(-1, width)
        shared = torch.mv(along, weight).mul_(1 / width).view(scale.shape)
        back = (grad * weight).addcmul_(unit, shared, value=-1).mul_(scale)
        return back, along.sum(0), None, None


class _Split(torch.autograd.Function):
    """Queries, keys and values out of their joined product; queries and keys turned by position.

    (texts, length, 3 * width) becomes three of (texts * heads, length, head width).
    """

    @staticmethod
    def forward(
        ctx: Context, joined: Tensor, cos: Tensor, sin: Tensor, heads: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        texts, length, _ = joined.shape
        parts = joined.view(texts, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        out = torch.empty(parts.shape, dtype=joined.dtype, device=joined.device)
        _turn(parts[:2], cos, sin, out[:2])
        out[2].copy_(parts[2])
        ctx.save_for_backward(cos, sin)
        ctx.heads = heads
        return out[0].flatten(0, 1), out[1].flatten(0, 1), out[2].flatten(0, 1)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        rows, length, width = grads[0].shape
        heads = ctx.heads
        back = grads[0].new_empty(rows // heads, length, 3, heads, width)
        parts = back.permute(2, 0, 3, 1, 4)
        for number, grad in enumerate(grads[:2]):
            shaped = grad.view(rows // heads, heads, length, width)
            _turn(shaped, cos[number], -sin[number], parts[number])
        parts[2].copy_(grads[2].view(rows // heads, heads, length, width))
        return back.view(rows // heads, length, -1), None, None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> None:
    """Turn the pairs (i, i + half) of the last dimension by the positions' angles, into `out`."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    torch.mul(first, cos, out=out[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=out[..., half:]).addcmul_(first, sin)


def _attended(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Causal attention over scaled queries by torch's own kernel; shapes as in `_Attention`."""
    q, k, v = (x.view(-1, heads, *x.shape[1:]) for x in (q, k, v))
    seen = scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
    return seen.transpose(1, 2).flatten(2)


class _Attention(torch.autograd.Function):
    """Causal attention over scaled queries, in blocks of queries that skip the keys after them.

    Three of (rows * heads, length, head width) become (rows, length, width).
    """

    @staticmethod
    def forward(ctx: Context, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        rows, length, width = q.shape
        out = torch.empty(rows // heads, length, heads, width, dtype=q.dtype)
        weights: list[Tensor] = []
        for start, end in _blocks(length):
            scores = torch.bmm(q[:, start:end], k[:, :end].transpose(1, 2))
            ahead = torch.full((end - start,) * 2, -torch.inf, dtype=q.dtype).triu_(1)
            scores[:, :, start:].add_(ahead)
            weights.append(torch.softmax(scores, -1))
            seen = torch.bmm(weights[-1], v[:, :end])
            out[:, start:end].copy_(seen.view(-1, heads, *seen.shape[1:]).transpose(1, 2))
        ctx.save_for_backward(q, k, v, *weights)
        ctx.heads = heads
        return out.flatten(2)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *weights = ctx.saved_tensors
        rows, length, width = q.shape
        grad = grads[0].view(rows // ctx.heads, length, ctx.heads, width)
        grad = grad.transpose(1, 2).reshape(q.shape)
        to_q = torch.empty_like(q)
        to_k, to_v = torch.zeros(k.shape), torch.zeros(v.shape)
        for (start, end), weight in zip(_blocks(length), weights, strict=True):
            part = grad[:, start:end]
            to_v[:, :end] += torch.bmm(weight.transpose(1, 2), part)
            to_weight = torch.bmm(part, v[:, :end].transpose(1, 2))
            to_score = torch.ops.aten._softmax_backward_data(to_weight, weight, -1, q.dtype)
            to_q[:, start:end] = torch.bmm(to_score, k[:, :end])
            to_k[:, :end] += torch.bmm(to_score.transpose(1, 2), q[:, start:end])
        return to_q, to_k.to(q.dtype), to_v.to(q.dtype), None


def _blocks(length: int) -> list[tuple[int, int]]:
    """Return where the blocks of queries begin and end."""
    return [(start, min(start + _BLOCK, length)) for start in range(0, length, _BLOCK)]


class _GatedUnit(torch.autograd.Function):
    """silu(gate) * up of the joined (..., 2 * inner)."""

    @staticmethod
    def forward(ctx: Context, joined: Tensor) -> Tensor:
        gate, up = joined.chunk(2, -1)
        active = silu(gate)
        ctx.save_for_backward(joined, active)
        return active * up

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> Tensor:
        joined, active = ctx.saved_tensors
        gate, up = joined.chunk(2, -1)
        back = torch.empty_like(joined)
        to_gate, to_up = back.chunk(2, -1)
        torch.mul(active, grads[0], out=to_up)
        torch.ops.aten.silu_backward.grad_input(grads[0] * up, gate, grad_input=to_gate)
        return back
