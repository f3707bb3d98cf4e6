"""The layers of a Llama as one function that torch compiles: training on a GPU.

A small student leaves a GPU waiting: most of a step is memory traffic between small operations. One
layer, compiled once and called for every layer with its weights, fuses them; lengths and numbers of
texts are symbols, so that no batch compiles it again. It reads the weights of the transformers
module and computes what the module computes (a test compares loss and gradients). No mask is ever
built: padding stands on the right, where causal attention does not look.
"""

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import torch
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu
from transformers import LlamaForCausalLM

Tensor = torch.Tensor


def learned_states(
    model: LlamaForCausalLM, ids: Tensor, chosen: Tensor, dtype: torch.dtype
) -> Tensor:
    """Return the last hidden states at chosen positions.

    Args:
        model: A model that `llama_pass.supports` accepts.
        ids: Token ids, int64 (texts, length), padded on the right; one text a row.
        chosen: Positions in the flattened `ids`, int64 (positions,).
        dtype: What matrices multiply in, float32 or bfloat16.

    Returns:
        float32 (positions, width), normed, ready for the output layer.
    """
    config, layers = model.config, cast("Sequence[Any]", model.model.layers)
    places = torch.arange(ids.shape[1], device=ids.device)
    angles = torch.outer(places.float(), model.model.rotary_emb.inv_freq)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    x = embedding(ids, model.model.embed_tokens.weight)
    compiled = _compiled_layer()
    with warnings.catch_warnings():
        # the compiler asks weights that were cast for gradients that they do not keep
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf")
        for layer in layers:
            attention, mlp = layer.self_attn, layer.mlp
            x = compiled(
                x,
                cos,
                sin,
                layer.input_layernorm.weight,
                _joined(dtype, attention.q_proj, attention.k_proj, attention.v_proj),
                attention.o_proj.weight.to(dtype),
                layer.post_attention_layernorm.weight,
                _joined(dtype, mlp.gate_proj, mlp.up_proj),
                mlp.down_proj.weight.to(dtype),
                config.num_attention_heads,
                config.rms_norm_eps,
            )
    last = x.flatten(0, 1)[chosen]
    return _normed(last, model.model.norm.weight, config.rms_norm_eps, torch.float32)


@cache
def _compiled_layer() -> Any:
    return torch.compile(_layer, dynamic=True)


def _joined(dtype: torch.dtype, *projections: torch.nn.Linear) -> Tensor:
    return torch.cat([projection.weight for projection in projections]).to(dtype)


def _layer(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    before: Tensor,
    qkv: Tensor,
    out: Tensor,
    after: Tensor,
    gate_up: Tensor,
    down: Tensor,
    heads: int,
    epsilon: float,
) -> Tensor:
    """One layer: float32 (texts, length, width) in and out; products in the weights' dtype."""
    dtype = qkv.dtype
    h = linear(_normed(x, before, epsilon, dtype), qkv)
    q, k, v = h.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    seen = scaled_dot_product_attention(
        _turned(q, cos, sin), _turned(k, cos, sin), v, is_causal=True
    )
    x = x + linear(seen.transpose(1, 2).flatten(2), out)
    gate, up = linear(_normed(x, after, epsilon, dtype), gate_up).chunk(2, -1)
    return x + linear(silu(gate) * up, down)


def _normed(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight).to(dtype)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + half) of (texts, heads, length, head width) by their angles."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
