"""The forward pass of a Llama for training, about twice as fast as the module's own.

It reads the weights of the transformers module and computes what the module computes (a test
compares loss and gradients), with less work:

- Only tokens that are in the loss go through the last layer's output projection, its feed-forward
  layer, the last norm and the output layer. With a large share of context that is much of the work.
- Matrices multiply in bfloat16 where the CPU does that natively; the residual stream, the norms,
  the output layer, the weights and their gradients stay float32.
- Projections that read the same input are one matrix product, and the operations between two
  products are one autograd step each, with the least memory traffic.

No mask is ever built: padding stands on the right, where causal attention does not look, and of
packed texts each attends by itself (on a CPU; a GPU takes padded texts).
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu
from transformers import LlamaForCausalLM

_BLOCK = 128
"""Query positions that attend together; keys after the block are skipped."""

Tensor = torch.Tensor
Context = Any
"""What autograd hands to `forward` and `backward`."""


def supports(model: torch.nn.Module) -> bool:
    """Return whether a model is a plain float32 Llama (no biases or shared key heads)."""
    if type(model) is not LlamaForCausalLM or model.device.type not in {"cpu", "cuda"}:
        return False
    config = model.config
    return (
        config.num_key_value_heads == config.num_attention_heads
        and not (config.attention_bias or config.mlp_bias or config.attention_dropout)
        and config.hidden_act == "silu"
        and model.model.rotary_emb.rope_type == "default"
        and model.dtype == torch.float32
    )


def learned_states(
    model: LlamaForCausalLM,
    ids: Tensor,
    chosen: Tensor,
    dtype: torch.dtype,
    positions: Tensor | None = None,
) -> Tensor:
    """Return the last hidden states at chosen positions.

    Args:
        model: A model that `supports` accepts.
        ids: Token ids, int64 (rows, length), padded on the right.
        chosen: Positions in the flattened `ids`, int64 (positions,).
        dtype: What matrices multiply in, float32 or bfloat16.
        positions: Position of each token in its text, int64 (rows, length), where a row holds
            several; None: one text a row, as it must be on a GPU.

    Returns:
        float32 (positions, width), normed, ready for the output layer.
    """
    config, layers = model.config, cast("Sequence[Any]", model.model.layers)
    heads = config.num_attention_heads
    places = torch.arange(ids.shape[1], device=ids.device)[None] if positions is None else positions
    turns = _turns(model, places, dtype)
    texts = _texts(ids, positions, heads) if ids.device.type == "cpu" else None
    x = embedding(ids, model.model.embed_tokens.weight)
    for number, layer in enumerate(layers):
        attention, mlp, epsilon = layer.self_attn, layer.mlp, config.rms_norm_eps
        h = _Norm.apply(x, layer.input_layernorm.weight, epsilon, dtype)
        joined = linear(h, _joined(dtype, attention.q_proj, attention.k_proj, attention.v_proj))
        q, k, v = _Split.apply(joined, *turns, heads)
        h = _attended(q, k, v, heads) if texts is None else _Attention.apply(q, k, v, heads, texts)
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


def _turns(model: LlamaForCausalLM, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the positions' angles, (2, rows or 1, 1, length, head width / 2).

    Those of the queries (the first of two) carry the attention's scale too.
    """
    frequencies = model.model.rotary_emb.inv_freq
    angles = (positions.float()[..., None] * frequencies)[:, None]
    scales = torch.tensor([(2 * len(frequencies)) ** -0.5, 1.0], device=angles.device)
    scales = scales.view(2, 1, 1, 1, 1)
    return (scales * angles.cos()).to(dtype), (scales * angles.sin()).to(dtype)


class _Text(NamedTuple):
    """Where texts lie that attend side by side, each to itself."""

    rows: slice
    """Rows of (rows * heads, length, head width)."""
    start: int
    end: int


def _texts(ids: Tensor, positions: Tensor | None, heads: int) -> list[_Text]:
    """Return where the texts lie; those of one place in all rows are one entry."""
    if positions is None:
        return [_Text(slice(0, len(ids) * heads), 0, ids.shape[1])]
    found: list[_Text] = []
    for number, row in enumerate(positions):
        starts = [*(row == 0).nonzero()[:, 0].tolist(), len(row)]
        rows = slice(number * heads, (number + 1) * heads)
        found += [_Text(rows, a, b) for a, b in itertools.pairwise(starts)]
    return found


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
    def forward(
        ctx: Context, q: Tensor, k: Tensor, v: Tensor, heads: int, texts: Sequence[_Text]
    ) -> Tensor:
        rows, length, width = q.shape
        out = torch.empty(rows // heads, length, heads, width, dtype=q.dtype)
        weights: list[Tensor] = []
        for text, start, end in _blocks(texts):
            keys = (text.rows, slice(text.start, end))
            scores = torch.bmm(q[text.rows, start:end], k[keys].transpose(1, 2))
            ahead = torch.full((end - start,) * 2, -torch.inf, dtype=q.dtype).triu_(1)
            scores[:, :, start - text.start :].add_(ahead)
            weights.append(torch.softmax(scores, -1))
            seen = torch.bmm(weights[-1], v[keys])
            mine = slice(text.rows.start // heads, text.rows.stop // heads)
            out[mine, start:end].copy_(_by_position(seen, heads))
        ctx.save_for_backward(q, k, v, *weights)
        ctx.heads, ctx.texts = heads, texts
        return out.flatten(2)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *weights = ctx.saved_tensors
        rows, length, width = q.shape
        grad = grads[0].view(rows // ctx.heads, length, ctx.heads, width)
        grad = grad.transpose(1, 2).reshape(q.shape)
        to_q = torch.empty_like(q)
        to_k, to_v = torch.zeros(k.shape), torch.zeros(v.shape)
        for (text, start, end), weight in zip(_blocks(ctx.texts), weights, strict=True):
            keys, queries = (text.rows, slice(text.start, end)), (text.rows, slice(start, end))
            part = grad[queries]
            to_v[keys] += torch.bmm(weight.transpose(1, 2), part)
            to_weight = torch.bmm(part, v[keys].transpose(1, 2))
            to_score = torch.ops.aten._softmax_backward_data(to_weight, weight, -1, q.dtype)
            to_q[queries] = torch.bmm(to_score, k[keys])
            to_k[keys] += torch.bmm(to_score.transpose(1, 2), q[queries])
        return to_q, to_k.to(q.dtype), to_v.to(q.dtype), None, None


def _blocks(texts: Sequence[_Text]) -> list[tuple[_Text, int, int]]:
    """Return each text's blocks of queries: where they begin and end in the row."""
    return [
        (text, start, min(start + _BLOCK, text.end))
        for text in texts
        for start in range(text.start, text.end, _BLOCK)
    ]


def _by_position(x: Tensor, heads: int) -> Tensor:
    return x.view(-1, heads, *x.shape[1:]).transpose(1, 2)


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
