"""Which students are trained, on what, for how long: the section `[train]`."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from subgoal.datasets.config import DatasetConfig, Thinning
from subgoal.record import Rare, Record, removed
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role


class Batching(StrEnum):
    """How texts share a batch."""

    AUTO = "auto"
    """Padded where the fast pass is taken, else packed."""
    PADDED = "padded"
    """One text a row, texts of like length together."""
    PACKED = "packed"
    """Whole texts one after another in a row, none seen by another."""


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
    """Those of the look with the lowest loss on held-out texts."""
    SCORE = "score"
    """Those of the look with the best rollout score; where there is none, the lowest loss."""


class Tracker(StrEnum):
    """What shows the log of a training run, beside the terminal."""

    TENSORBOARD = "tensorboard"
    """`tensorboard --logdir runs/mine/training`."""
    TRACKIO = "trackio"
    """A local dashboard: `TRACKIO_DIR=runs/mine/training/both/tracking/trackio trackio show`."""
    WANDB = "wandb"
    """Weights & Biases; offline unless WANDB_MODE says otherwise."""


class TrainingConfig(Record):
    """How a student is trained."""

    _removed = removed(attention=("auto", "attention is computed as the model has it"))

    tokens: int = 3_000_000
    """Token budget, context counted; 0: none."""
    minutes: float = 0.0
    """Time budget; 0: none. The first budget that is used up ends the training."""
    epochs: float = 0.0
    """Budget in passes over the texts; 0: none."""
    batch_tokens: int = Field(default=8192, ge=1)
    """Most tokens of a batch, padding counted."""
    batch_texts: Rare[int] = Field(default=0, ge=0)
    """Texts of a batch; 0: as many as `batch_tokens` allow."""
    batching: Rare[Batching] = Batching.AUTO
    """`padded`: one text a row; `packed`: several whole texts a row, none seen by another; `auto`:
    padded where the fast pass is taken, else packed. Encoder-decoder models: always padded."""
    accumulation: Rare[int] = Field(default=1, ge=1)
    """Batches of a step and process: their gradients add up to one step's."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    warmup: Rare[float] = 0.05
    """Share of the budget over which the learning rate rises; then it falls as a cosine."""
    optimizer: Rare[OptimizerName] = OptimizerName.AUTO
    """`muon`, `adamw`, or `auto`: muon for a model from scratch in one process, else adamw."""
    reading: Rare[float] = 0.0
    """Share of the budget, at its beginning, in which every token of a text is learned, not goals
    and actions alone: a model from scratch learns to copy names from what it reads."""
    keep_base: Rare[float] = Field(default=0.0, ge=0.0, lt=1.0)
    """Share that the weights before training have in those that are kept, for a student that is
    trained further: the mean of both can do what either can (M. Wortsman et al., 2022)."""
    weight_decay: Rare[float] = 0.1
    """Weight decay, on matrices only."""
    clip: Rare[float] = 1.0
    """Largest norm of the gradient."""
    precision: Rare[TrainingPrecision] = TrainingPrecision.AUTO
    """What matrices multiply in, Muon's too: `float32`, `bfloat16`, or `auto`, the one that the
    device is faster at."""
    gradient_checkpointing: Rare[bool] = False
    """Compute each layer twice instead of keeping what is inside it: a third slower, much less
    memory."""
    compile: Rare[bool] = False
    """Compile the model with torch.compile: minutes at first, then faster on a GPU."""
    threads: Rare[int] = 0
    """CPU threads, at most; 0: all cores."""
    looks: Rare[int] = 4
    """How often the loss on held-out texts is taken, evenly over the budget."""
    look_tokens: Rare[int] = 32_768
    """Most tokens of held-out texts that are looked at."""
    select: Select = Select.LAST
    """Which weights are kept: the `last`, or those of the look with the best `dev_loss` or rollout
    `score`."""
    patience: Rare[int] = Field(default=0, ge=0)
    """Looks in a row without a better dev loss (or score, where that selects) that end the
    training; 0: never."""
    checkpoint_tokens: Rare[int] = 1_000_000
    """Tokens between checkpoints; 0: none."""
    trackers: Rare[tuple[Tracker, ...]] = ()
    """Where the log is shown too: `tensorboard`, `trackio`, `wandb`; their files lie in the run
    folder."""
    seed: Rare[int] = 0
    """Seed of the order of batches."""


class RoleTraining(Record):
    """What is another for one role than `[train.training]` says; left out: the same."""

    learning_rate: float | None = None
    """Peak learning rate."""
    tokens: int | None = None
    """Token budget, all for this role; 0: none."""
    minutes: float | None = None
    """Time budget, all for this role; 0: none."""
    epochs: float | None = None
    """Budget in passes over the texts; 0: none."""


class PerRole(Record):
    """Hyper-parameters by role."""

    planner: RoleTraining = RoleTraining()
    """Of the planner."""
    executor: RoleTraining = RoleTraining()
    """Of the executor."""
    first: RoleTraining = RoleTraining()
    """Of the model that sets the first sub-goal."""
    both: RoleTraining = RoleTraining()
    """Of one model for planner and executor."""
    flat: RoleTraining = RoleTraining()
    """Of the flat agent."""


class TrainConfig(Record):
    """Which students are trained, on what, for how long."""

    roles: tuple[Role, ...] = (Role.BOTH, Role.FLAT)
    """`both`, or `planner` and `executor` (and `first`, for windows); and `flat`, the baseline."""
    dataset: DatasetConfig = DatasetConfig()
    """How annotated trajectories become examples."""
    teacher: Rare[Thinning] = Thinning()
    """How many of the teacher's annotations are used: what is a teacher call worth?"""
    student: StudentConfig = StudentConfig()
    """Which model."""
    training: TrainingConfig = TrainingConfig()
    """Budget and hyper-parameters; the budget is an agent's, shared by its models."""
    per_role: Rare[PerRole] = PerRole()
    """Budget and hyper-parameters of single roles, where they differ."""
    annotations: Path | None = None
    """A file of annotated trajectories (.jsonl or .jsonl.zst) to train on instead of the run
    folder's own."""
    side_by_side: Rare[bool] = True
    """Train the students at the same time where there is no GPU, each with its share of the
    cores; false: one after another, each with all."""
