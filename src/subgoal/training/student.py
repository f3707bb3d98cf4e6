"""Which model a student is: a small Llama from scratch, in three sizes."""

from enum import StrEnum
from typing import NamedTuple

from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from subgoal.record import Record


class Size(StrEnum):
    """How large a student from scratch is."""

    NANO = "nano"
    """About 1M parameters."""
    MICRO = "micro"
    """About 5M parameters."""
    SMALL = "small"
    """About 30M parameters."""


class Shape(NamedTuple):
    """Layers, width, heads and the feed-forward layer's width."""

    layers: int
    width: int
    heads: int
    inner: int


SHAPES = {
    Size.NANO: Shape(4, 128, 2, 352),
    Size.MICRO: Shape(6, 256, 4, 704),
    Size.SMALL: Shape(8, 512, 8, 1408),
}
"""The shape of each size; heads 64 wide, which a CPU computes faster than more of 32."""


class StudentConfig(Record):
    """Which model a student is."""

    size: Size = Size.NANO
    """`nano` (about 1M parameters), `micro` (5M) or `small` (30M), from scratch."""
    seed: int = 0
    """Seed of the initial weights."""


def make_student(
    config: StudentConfig, vocabulary: int, pad: int, context: int
) -> LlamaForCausalLM:
    """Make a student with fresh weights.

    Args:
        config: Size and seed.
        vocabulary: Number of tokens.
        pad: Id of the padding token.
        context: Most tokens of a text; the positions go to twice as many.
    """
    shape = SHAPES[config.size]
    set_seed(config.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=2 * context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=pad,
        )
    )
