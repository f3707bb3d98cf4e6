"""How a student is trained."""

from pydantic import Field

from subgoal.record import Record, removed
from subgoal.training.batches import Batching
from subgoal.training.loss import TrainingPrecision
from subgoal.training.optimizers.optimizer import OptimizerName
from subgoal.training.selection import Select
from subgoal.training.tracking import Tracker


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
    batch_texts: int = Field(default=0, ge=0)
    """Texts of a batch; 0: as many as `batch_tokens` allow."""
    batching: Batching = Batching.AUTO
    """`padded`: one text a row; `packed`: several whole texts a row, none seen by another; `auto`:
    padded where the fast pass is taken, else packed. Encoder-decoder models: always padded."""
    accumulation: int = Field(default=1, ge=1)
    """Batches of a step and process: their gradients add up to one step's."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    warmup: float = 0.05
    """Share of the budget over which the learning rate rises; then it falls as a cosine."""
    optimizer: OptimizerName = OptimizerName.AUTO
    """`muon`, `adamw`, or `auto`: muon for a model from scratch in one process, else adamw."""
    reading: float = 0.0
    """Share of the budget, at its beginning, in which every token of a text is learned, not goals
    and actions alone: a model from scratch learns to copy names from what it reads."""
    keep_base: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share that the weights before training have in those that are kept, for a student that is
    trained further: the mean of both can do what either can (M. Wortsman et al., 2022)."""
    weight_decay: float = 0.1
    """Weight decay, on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: TrainingPrecision = TrainingPrecision.AUTO
    """What matrices multiply in, Muon's too: `float32`, `bfloat16`, or `auto`, the one that the
    device is faster at."""
    gradient_checkpointing: bool = False
    """Compute each layer twice instead of keeping what is inside it: a third slower, much less
    memory."""
    compile: bool = False
    """Compile the model with torch.compile: minutes at first, then faster on a GPU."""
    threads: int = 0
    """CPU threads, at most; 0: all cores."""
    looks: int = 4
    """How often the loss on held-out texts is taken, evenly over the budget."""
    look_tokens: int = 32_768
    """Most tokens of held-out texts that are looked at."""
    select: Select = Select.LAST
    """Which weights are kept: the `last`, or those of the look with the best `dev_loss` or rollout
    `score`."""
    patience: int = Field(default=0, ge=0)
    """Looks in a row without a better dev loss (or score, where that selects) that end the
    training; 0: never."""
    checkpoint_tokens: int = 1_000_000
    """Tokens between checkpoints; 0: none."""
    trackers: tuple[Tracker, ...] = ()
    """Where the log is shown too: `tensorboard`, `trackio`, `wandb`; their files lie in the run
    folder."""
    seed: int = 0
    """Seed of the order of batches."""
