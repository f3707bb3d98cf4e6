"""Tiny models of several architectures, and random texts for them."""

from typing import Any

import numpy as np
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from subgoal.datasets.examples import Example

VOCABULARY = 64
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CAUSAL = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SHAPE, head_dim=8, sliding_window=16)),
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, head_dim=8, sliding_window=16)),
}


def causal(name="llama", attention=None, seed=0):
    """A tiny causal model; its weights are large enough that what a token sees matters."""
    torch.manual_seed(seed)
    model = CAUSAL[name]()
    if attention:
        model.set_attn_implementation(attention)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(5)
    return model


def t5(seed=0):
    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "d_model": 32,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 2,
        "d_kv": 16,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
    }
    return T5ForConditionalGeneration(T5Config(**shape))


def lora(seed=0) -> Any:
    from peft import LoraConfig, get_peft_model

    model = causal("qwen2", seed=seed)
    torch.manual_seed(seed + 1)
    return get_peft_model(
        model, LoraConfig(r=4, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")
    )


def texts(number=40, seed=0, longest=40):
    """Texts that can be learned: what comes next follows from what came before."""
    chance = np.random.default_rng(seed)
    made = []
    for which in range(number):
        length = int(chance.integers(5, longest + 1))
        ids = (3 + (chance.integers(61) + np.arange(length) * chance.integers(1, 3)) % 61).astype(
            np.int32
        )
        learned = chance.random(length) < 0.5
        learned[: length // 3] = False
        learned[-1] = True
        made.append(Example(ids=ids, learned=learned, key=f"text {which}", reopened=False))
    return made


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])
