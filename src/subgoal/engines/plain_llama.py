"""A Llama-type model as its configuration and its tensors: played without transformers.

Importing transformers' module of Llama takes longer than a short episode. What is read here is
computed as that module computes it; a test shows that the weights and angles are the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt

from subgoal.engines.llama_weights import LayerWeights, LlamaWeights, llama_weights
from subgoal.record import Record


class RotaryAngles(Record):
    """How places are turned."""

    rope_theta: PositiveFloat
    """The base of the angles."""
    rope_type: Literal["default"]
    """Angles as they are, not stretched."""


class PlainLlamaConfig(Record):
    """The `config.json` of a Llama-type model without anything special; else it is none."""

    architectures: tuple[Literal["LlamaForCausalLM"]]
    model_type: Literal["llama"]
    hidden_act: Literal["silu"]
    attention_bias: Literal[False]
    mlp_bias: Literal[False]
    rope_parameters: RotaryAngles
    vocab_size: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt
    head_dim: PositiveInt
    max_position_embeddings: PositiveInt
    rms_norm_eps: PositiveFloat
    tie_word_embeddings: bool
    pretraining_tp: Literal[1] = 1
    attention_dropout: float = 0.0
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    dtype: str | None = None
    initializer_range: float = 0.0
    transformers_version: str = ""
    use_cache: bool = True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries = self.num_attention_heads * self.head_dim
        keys = self.num_key_value_heads * self.head_dim
        table = (self.vocab_size, hidden)
        layer = {
            "input_layernorm": (hidden,),
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        return {
            "model.embed_tokens.weight": table,
            "model.norm.weight": (hidden,),
            **({} if self.tie_word_embeddings else {"lm_head.weight": table}),
            **{
                f"model.layers.{number}.{name}.weight": shape
                for number in range(self.num_hidden_layers)
                for name, shape in layer.items()
            },
        }


@dataclass
class PlainLlama:
    """A model read from its file.

    Attributes:
        config: Its shape.
        tensors: Its weights by name, as `PlainLlamaConfig.shapes` has them.
    """

    config: PlainLlamaConfig
    tensors: Mapping[str, torch.Tensor]

    @property
    def dtype(self) -> torch.dtype:
        """What its weights are held in."""
        return self.tensors["model.norm.weight"].dtype

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.tensors["model.norm.weight"].device

    def to(self, device: str) -> None:
        """Move its weights."""
        self.tensors = {name: weight.to(device) for name, weight in self.tensors.items()}

    def weights(self, places: int = 0) -> LlamaWeights:
        """Return its weights as forward passes take them.

        Args:
            places: How many positions get angles; 0: all that the model has.
        """
        config, embed = self.config, self.tensors["model.embed_tokens.weight"]
        cos, sin = self._angles(places or config.max_position_embeddings)
        return LlamaWeights(
            embed=embed,
            layers=tuple(self._layer(number) for number in range(config.num_hidden_layers)),
            norm=self.tensors["model.norm.weight"],
            head=self.tensors.get("lm_head.weight", embed),
            cos=cos,
            sin=sin,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            width=config.head_dim,
            epsilon=config.rms_norm_eps,
        )

    def _angles(self, places: int) -> tuple[torch.Tensor, torch.Tensor]:
        width, base = self.config.head_dim, self.config.rope_parameters.rope_theta
        dimensions = torch.arange(0, width, 2, dtype=torch.int64).float()
        speeds = (1.0 / (base ** (dimensions / width))).to(self.device)
        turned = torch.arange(places, device=self.device).float()[:, None] * speeds
        angles = torch.cat((turned, turned), dim=-1)
        sign = torch.ones(width, dtype=self.dtype, device=self.device)
        sign[: width // 2] = -1
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype) * sign

    def _layer(self, number: int) -> LayerWeights:
        def of(*names: str) -> torch.Tensor:
            parts = [self.tensors[f"model.layers.{number}.{name}.weight"] for name in names]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

        return LayerWeights(
            before=of("input_layernorm"),
            qkv=of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            out=of("self_attn.o_proj"),
            after=of("post_attention_layernorm"),
            gate_up=of("mlp.gate_proj", "mlp.up_proj"),
            down=of("mlp.down_proj"),
        )


def weights_of(model: Any, places: int = 0) -> LlamaWeights:
    """Return the weights of a model, as it was read or as a module of transformers.

    Args:
        model: A `PlainLlama`, or a module that `llama_weights.supports` accepts.
        places: How many positions get angles; 0: all that the model has.
    """
    return model.weights(places) if isinstance(model, PlainLlama) else llama_weights(model, places)
