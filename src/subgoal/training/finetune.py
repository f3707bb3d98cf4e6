"""The training loop: texts in, weights out; a killed run goes on with the same result.

The learning rate follows the share of the budget that is used, so a time budget works as a token
budget does. Under a token budget the weights depend on the configuration alone: a run that was
killed and goes on ends with the same bits as one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import torch
from accelerate import Accelerator
from transformers import LlamaForCausalLM

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.training.batching import Batch, batch_plan
from subgoal.training.loss import LearnedLoss, Precision
from subgoal.training.optimizer import OptimizerName, make_optimizers
from subgoal.training.resume import Position, checkpoints, load_checkpoint, save_checkpoint
from subgoal.training.training_log import LogLine, cut_log, log

_LOG_STEPS = 20
_LOG_SECONDS = 10.0


class TrainingConfig(Record):
    """How a student is trained."""

    tokens: int = 3_000_000
    """Token budget, context counted; 0: only the time budget."""
    minutes: float = 0.0
    """Time budget; 0: only the token budget. The first that is used up ends the training."""
    batch_tokens: int = 8192
    """Most tokens of a batch, padding counted."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    warmup: float = 0.05
    """Share of the budget over which the learning rate rises; then it falls as a cosine."""
    optimizer: OptimizerName = OptimizerName.MUON
    """`muon` or `adamw`."""
    reading: float = 0.0
    """Share of the budget, at its beginning, in which every token of a text is learned, not goals
    and actions alone: a model from scratch learns to copy names from what it reads."""
    weight_decay: float = 0.1
    """Weight decay, on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: Precision = Precision.AUTO
    """What matrices multiply in: `auto`, `float32` or `bfloat16`."""
    threads: int = 0
    """CPU threads, at most; 0: all cores."""
    looks: int = 4
    """How often the loss on held-out texts is taken, evenly over the budget."""
    look_tokens: int = 32_768
    """Most tokens of held-out texts that are looked at."""
    checkpoint_tokens: int = 1_000_000
    """Tokens between checkpoints; 0: none."""
    seed: int = 0
    """Seed of the order of batches."""


class Outcome(Record):
    """How a training run ended."""

    at: Position
    """Where it stood."""
    loss: float
    """Mean loss over the last log interval, nats a learned token."""
    dev_loss: float | None
    """Loss on held-out texts; None where there are none."""
    padding: float
    """Share of padding in the batches."""


OnDev = Callable[[LlamaForCausalLM, LogLine], None]
"""Called after each look at held-out texts, with the model (in training) and the line logged."""


def share_used(config: TrainingConfig, at: Position) -> float:
    """Return the share of the budget that is used, 0..1."""
    by_tokens = at.tokens / config.tokens if config.tokens else 0.0
    by_time = at.seconds / (60 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(by_tokens, by_time))


def learning_rate(config: TrainingConfig, used: float) -> float:
    """Return the rate after a share of the budget: a linear rise, then a cosine to a fiftieth."""
    if used < config.warmup:
        return config.learning_rate * max(used / config.warmup, 0.02)
    through = (used - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.learning_rate * (0.02 + 0.49 * (1 + math.cos(math.pi * through)))


def mean_loss(model: LearnedLoss, texts: Sequence[Example], most: int, pad: int) -> float:
    """Return the mean loss of the learned tokens of texts, in batches of at most `most` tokens."""
    total, count = 0.0, 0
    with torch.no_grad():
        for numbers in batch_plan([len(text.ids) for text in texts], most, 0, 0):
            batch = Batch([texts[number] for number in numbers], pad)
            learned = int(batch.learned[:, 1:].sum())
            device = model.student.device
            loss = model(batch.ids.to(device), batch.learned.to(device))
            total, count = total + loss.item() * learned, count + learned
    return total / max(1, count)


def finetune(
    model: LlamaForCausalLM,
    train: Sequence[Example],
    dev: Sequence[Example],
    config: TrainingConfig,
    work: Path,
    label: str,
    on_dev: OnDev | None = None,
) -> Outcome:
    """Train a model in place.

    Args:
        model: The student.
        train: Texts to learn from.
        dev: Held-out texts; may be empty.
        config: Budget and hyper-parameters.
        work: Folder of the checkpoints and the log; from a checkpoint found there it goes on.
        label: What the progress bar says.
        on_dev: Called after each look at held-out texts.

    Raises:
        TrainingFailed: There is nothing to learn from, no budget, the loss is not finite, or a
            checkpoint is damaged.
    """
    if not train:
        raise TrainingFailed("there are no examples to train on; annotate some trajectories first")
    if config.tokens <= 0 and config.minutes <= 0:
        raise TrainingFailed("training has no budget: set training.tokens or training.minutes")
    if config.threads:
        torch.set_num_threads(min(config.threads, torch.get_num_threads()))
    run = _Run(model, train, _sample(dev, config), config, work, on_dev)
    unit = "tokens" if config.tokens else "seconds"
    with closing(run), Progress(label, run.total, unit, run.amount) as progress:
        for batch in run.batches():
            before = run.amount
            run.learn(batch)
            progress.advance(run.amount - before, f"loss {run.recent_loss:.3f}")
    model.eval()
    return run.outcome()


def _sample(dev: Sequence[Example], config: TrainingConfig) -> list[Example]:
    """Choose held-out texts, spread evenly, of at most `look_tokens` tokens in all."""
    tokens = sum(len(text.ids) for text in dev)
    stride = max(1, math.ceil(tokens / max(1, config.look_tokens)))
    return list(dev[::stride])


class _Run:
    """A training run's state."""

    def __init__(
        self,
        model: LlamaForCausalLM,
        train: Sequence[Example],
        dev: Sequence[Example],
        config: TrainingConfig,
        work: Path,
        on_dev: OnDev | None,
    ) -> None:
        self._train, self._dev, self._config, self._on_dev = train, dev, config, on_dev
        self._student, self._pad = model.train(), model.config.pad_token_id or 0
        self._accelerator = Accelerator()
        self._loss, *self._optimizers = self._accelerator.prepare(
            LearnedLoss(model, config.precision),
            *make_optimizers(config.optimizer, model, config.learning_rate, config.weight_decay),
        )
        self._checkpoints = work / "checkpoints"
        self.at = load_checkpoint(self._checkpoints, model, self._optimizers)
        self._saved = self.at.tokens
        self._last = cut_log(work / "log.jsonl", self.at.step)
        self._log = log(work / "log.jsonl")
        self._logged = time.monotonic()
        self._start = self._logged - self.at.seconds
        self._losses: list[float] = []
        self._dev_loss: float | None = None
        self._cells = self._real = 0

    @property
    def total(self) -> float:
        """The budget, in the unit of the progress bar."""
        return self._config.tokens or 60 * self._config.minutes

    @property
    def amount(self) -> float:
        """What is used of the budget."""
        return self.at.tokens if self._config.tokens else self.at.seconds

    @property
    def recent_loss(self) -> float:
        """Mean loss of the last steps."""
        if self._losses:
            return sum(self._losses) / len(self._losses)
        return self._last.loss if self._last else math.nan

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def outcome(self) -> Outcome:
        """Say how the run ended."""
        padding = 1 - self._real / max(1, self._cells)
        if self._dev and self._dev_loss is None:
            self._dev_loss = self._look()
        return Outcome(at=self.at, loss=self.recent_loss, dev_loss=self._dev_loss, padding=padding)

    def batches(self) -> Iterator[Batch]:
        """Yield batches, epoch after epoch, from where the run stands to the budget's end."""
        lengths = [len(text.ids) for text in self._train]
        while True:
            plan = batch_plan(lengths, self._config.batch_tokens, self._config.seed, self.at.epoch)
            for numbers in plan[self.at.batch :]:
                if share_used(self._config, self.at) >= 1:
                    return
                yield Batch([self._train[number] for number in numbers], self._pad)
            self.at = self.at.model_copy(update={"epoch": self.at.epoch + 1, "batch": 0})

    def learn(self, batch: Batch) -> None:
        """Take one optimizer step; log, look and save when it is time.

        Raises:
            TrainingFailed: The loss or the gradient is not finite; no weight was changed.
        """
        used = share_used(self._config, self.at)
        rate = learning_rate(self._config, used)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        device = self._accelerator.device
        learned = batch.real if used < self._config.reading else batch.learned
        loss = self._loss(batch.ids.to(device), learned.to(device))
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self._student.parameters(), self._config.clip)
        self._check_finite(loss.item(), math.inf if norm is None else float(norm))
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._losses.append(loss.item())
        self._cells += batch.ids.numel()
        self._real += batch.tokens
        self.at = self.at.model_copy(
            update={
                "batch": self.at.batch + 1,
                "step": self.at.step + 1,
                "tokens": self.at.tokens + batch.tokens,
                "seconds": time.monotonic() - self._start,
            }
        )
        self._note(rate, used)

    def _check_finite(self, loss: float, norm: float) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        kept = checkpoints(self._checkpoints)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient is {norm}"
        raise TrainingFailed(
            f"{what} at step {self.at.step + 1}; lower training.learning_rate "
            f"({self._config.learning_rate:g}) and train again; {last}"
        )

    def _note(self, rate: float, used_before: float) -> None:
        """Log, look and save when it is time."""
        config, at, used = self._config, self.at, share_used(self._config, self.at)
        ended = used >= 1
        look = bool(self._dev) and int(used * config.looks) > int(used_before * config.looks)
        save = bool(config.checkpoint_tokens) and (
            at.tokens - self._saved >= config.checkpoint_tokens
        )
        slow = time.monotonic() - self._logged >= _LOG_SECONDS
        if not (ended or look or save or slow or at.step % _LOG_STEPS == 0):
            return
        if look:
            self._dev_loss = self._look()
        line = LogLine(
            step=at.step,
            tokens=at.tokens,
            seconds=round(at.seconds, 3),
            loss=self.recent_loss,
            rate=rate,
            dev_loss=self._dev_loss if look else None,
        )
        self._log.append(line)
        self._last, self._logged = line, time.monotonic()
        self._losses.clear()
        if save:
            save_checkpoint(self._checkpoints, at, self._student, self._optimizers)
            self._saved = at.tokens
        if look and self._on_dev is not None:
            self._on_dev(self._student, line)

    def _look(self) -> float:
        loss = LearnedLoss(self._student, self._config.precision)
        return mean_loss(loss, self._dev, self._config.batch_tokens, self._pad)
