"""Which students are trained, on what, for how long: the section `[train]`."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, field_serializer

from subgoal.datasets.config import DatasetConfig
from subgoal.record import ForAll, Rare, Record, removed, renamed
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role


class TrainingPrecision(StrEnum):
    """What matrices multiply in; weights and their gradients are float32 always."""

    AUTO = "auto"
    """bfloat16 where the device multiplies it at least twice as fast as float32, else float32."""
    FLOAT32 = "float32"
    """Slower on a GPU and on a CPU with matrix units (AMX)."""
    BFLOAT16 = "bfloat16"
    """Up to twice as fast on such a device; on other CPUs several times as slow."""


class OptimizerName(StrEnum):
    """How weights follow their gradients."""

    AUTO = "auto"
    """Muon for a model from scratch in one process, else AdamW."""
    MUON = "muon"
    """Muon for the matrices between layers, AdamW for embeddings and norms: fewer tokens to the
    same loss (K. Jordan et al., 2024)."""
    ADAMW = "adamw"
    """AdamW for all weights."""


class Select(StrEnum):
    """Which weights a training run keeps."""

    LAST = "last"
    """Those at its end."""
    DEV_LOSS = "dev_loss"
    """Those of the validation with the lowest loss on held-out texts."""
    SCORE = "score"
    """Those of the validation with the best rollout score; where there is none, the lowest loss."""


class Tracker(StrEnum):
    """What shows the log of a training run, beside the terminal."""

    TENSORBOARD = "tensorboard"
    """`tensorboard --logdir runs/mine/training`."""
    TRACKIO = "trackio"
    """A local dashboard: `TRACKIO_DIR=runs/mine/tracking/trackio trackio show`."""
    WANDB = "wandb"
    """Weights & Biases; offline unless WANDB_MODE says otherwise."""


class TrainingConfig(Record):
    """How a student is trained."""

    _removed = removed(
        attention=("auto", "attention is computed as the model has it"),
        batching=("auto", "packed rows were slower than padded ones; leave it out"),
        clip=(1.0, "gradients are cut to 1"),
        patience=(0, "the budget ends a training; select keeps the best weights"),
    )

    _renamed = renamed(
        reading="full_loss_share", looks="validations", look_tokens="validation_tokens"
    )

    tokens: int = 3_000_000
    """Budget in tokens, context included; 0: no limit."""
    minutes: float = 0.0
    """Budget in minutes; 0: no limit. The first budget that is used up ends the training."""
    epochs: Rare[float] = 0.0
    """Budget in epochs; 0: no limit."""
    batch_tokens: int = Field(default=8192, ge=1)
    """Largest number of tokens per batch, padding counted."""
    batch_texts: Rare[int] = Field(default=0, ge=0)
    """Number of texts per batch; 0: as many as `batch_tokens` allows."""
    accumulation: Rare[int] = Field(default=1, ge=1)
    """Number of batches per step and process, whose gradients are added (gradient accumulation)."""
    learning_rate: float = Field(default=3e-3, ge=0.0, le=1e30)
    """Peak learning rate."""
    warmup: Rare[float] = 0.05
    """Share of the budget in which the learning rate rises (warm-up). Then it falls as a cosine."""
    optimizer: Rare[OptimizerName] = OptimizerName.AUTO
    """`muon`, `adamw`, or `auto`: Muon for a model from scratch in one process, else AdamW."""
    full_loss_share: Rare[float] = 0.0
    """Share of the budget, at its beginning, in which every token is in the loss, not only goals
    and actions. A model from scratch learns there to copy names from what it reads."""
    keep_base: Rare[float] = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the initial weights in the mean with the trained ones that is kept. For a student
    that is trained further: the mean can do what either can (M. Wortsman et al., 2022)."""
    weight_decay: Rare[float] = 0.1
    """Weight decay of matrices."""
    precision: Rare[TrainingPrecision] = TrainingPrecision.AUTO
    """Number format of matrix products: `float32`, `bfloat16`, or `auto`, the one in which the
    device is faster."""
    gradient_checkpointing: Rare[bool] = False
    """Compute each layer twice to save memory (gradient checkpointing). About a third slower."""
    compile: Rare[bool] = False
    """Compile the model with torch.compile. It takes minutes at first and is faster on a GPU."""
    threads: Rare[int] = Field(default=0, ge=0)
    """Largest number of CPU threads; 0: all cores."""
    validations: Rare[int] = 4
    """Number of validations, evenly over the budget."""
    validation_tokens: Rare[int] = 32_768
    """Largest number of held-out tokens per validation."""
    select: Select = Select.LAST
    """Which weights are kept: the `last`, or those with the best `dev_loss` or rollout `score`."""
    checkpoint_tokens: Rare[int] = 1_000_000
    """Number of tokens between checkpoints; 0: no checkpoints."""
    trackers: Rare[tuple[Tracker, ...]] = ()
    """Show the log in `tensorboard`, `trackio` or `wandb` too. Their files are written into the run
    folder."""
    seed: ForAll[int] = 0
    """Seed of the order of batches."""


_ALL_ANNOTATIONS = {"per_type": 0, "transfer": True}


class TrainConfig(Record):
    """Which students are trained, on what, for how long."""

    roles: tuple[Role, ...] = (Role.BOTH, Role.FLAT)
    """`both` (one model plans and acts) or `planner` and `executor`; `flat` is the baseline. With
    the rendering `window` also `first`, which sets the first sub-goal."""
    dataset: DatasetConfig = DatasetConfig()
    """How annotated trajectories become training texts."""
    student: StudentConfig = StudentConfig()
    """Which model."""
    training: TrainingConfig = TrainingConfig()
    """Budget and hyper-parameters. The models of one agent share the budget."""
    per_role: Rare[dict[Role, TrainingConfig]] = {}
    """What `[train.training]` says otherwise for single roles: `[train.per_role.planner]`. A budget
    is that role's alone."""
    annotations: ForAll[Path | None] = None
    """The file of annotated trajectories; left out: the run folder's own."""
    side_by_side: Rare[bool] = True
    """Without a GPU, train all students at the same time, each on its share of the cores. False:
    one after another, each on all cores."""
    _removed = removed(teacher=(_ALL_ANNOTATIONS, "tables of research/ thin their annotations"))

    def training_of(self, role: Role) -> TrainingConfig:
        """Return a role's share of the budget, and what else differs for it."""
        share = {Role.PLANNER: 2, Role.EXECUTOR: 2, Role.FIRST: 10}.get(role, 1)
        whole = self.training
        part = {"tokens": whole.tokens // share, "minutes": whole.minutes / share}
        own = self.per_role[role].model_dump(exclude_unset=True) if role in self.per_role else {}
        return whole.model_copy(update={**part, **own})

    @field_serializer("per_role")
    def _what_differs(self, roles: dict[Role, TrainingConfig]) -> dict[str, Any]:
        return {
            role.value: one.model_dump(mode="json", exclude_unset=True)
            for role, one in roles.items()
        }
