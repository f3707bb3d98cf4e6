"""The weights of a Llama-type model, joined where they read the same input."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer; matrices are (outputs, inputs).

    Attributes:
        before: Of the norm before attention, (hidden,).
        qkv: Queries, keys and values.
        out: What attention's heads are added up with.
        after: Of the norm after attention, (hidden,).
        gate_up: Gate and what it lets through.
        down: Back to the hidden width.
    """

    before: torch.Tensor
    qkv: torch.Tensor
    out: torch.Tensor
    after: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True)
class LlamaWeights:
    """All weights of a model, and what it takes to compute with them.

    Attributes:
        embed: (vocabulary, hidden).
        layers: From the first to the last.
        norm: Of the last norm, (hidden,).
        head: (vocabulary, hidden).
        cos: Of the angle of each position and dimension, (positions, head width).
        sin: Likewise, the first half of the dimensions with its sign changed.
        heads: Heads of queries.
        kv_heads: Heads of keys and values.
        width: Of a head.
        epsilon: Of the norms.
    """

    embed: torch.Tensor
    layers: tuple[LayerWeights, ...]
    norm: torch.Tensor
    head: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    heads: int
    kv_heads: int
    width: int
    epsilon: float


def supports(model: Any) -> bool:
    """Return whether a model is a plain Llama: no biases, and angles that stay as they are."""
    from transformers import LlamaForCausalLM

    if type(model) is not LlamaForCausalLM:
        return False
    config = model.config
    return (
        not (config.attention_bias or config.mlp_bias)
        and config.hidden_act == "silu"
        and model.model.rotary_emb.rope_type in {"default", "linear", "llama3"}
    )


@torch.no_grad()
def llama_weights(model: Any, places: int = 0) -> LlamaWeights:
    """Return the weights of a model that `supports` accepts.

    Args:
        model: The model.
        places: How many positions get angles; 0: all that the model has.
    """
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    embed = model.get_input_embeddings().weight.detach()
    positions = torch.arange(places or config.max_position_embeddings, device=embed.device)
    cos, sin = model.model.rotary_emb(embed[:1], positions[None])
    sign = torch.ones_like(sin[0, 0])
    sign[: width // 2] = -1
    return LlamaWeights(
        embed=embed,
        layers=tuple(_layer(layer) for layer in model.model.layers),
        norm=model.model.norm.weight.detach(),
        head=model.lm_head.weight.detach(),
        cos=cos[0].detach(),
        sin=(sin[0] * sign).detach(),
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        width=width,
        epsilon=config.rms_norm_eps,
    )


def _layer(layer: Any) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    qkv = (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
    return LayerWeights(
        before=layer.input_layernorm.weight.detach(),
        qkv=torch.cat(qkv).detach(),
        out=attention.o_proj.weight.detach(),
        after=layer.post_attention_layernorm.weight.detach(),
        gate_up=torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)).detach(),
        down=mlp.down_proj.weight.detach(),
    )
