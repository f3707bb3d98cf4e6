"""The training loop: batches in, weights out; a killed run goes on with the same result.

Only learned tokens go through the output layer, which for a small model and a large share of
context is much of the work. The learning rate follows the share of the budget that is used, so a
time budget works as a token budget does.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.journal import Journal
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.training.batching import Batch, batches
from subgoal.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

_LOG_STEPS = 20


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
    weight_decay: float = 0.1
    """AdamW's weight decay, on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    checkpoint_tokens: int = 1_000_000
    """Tokens between checkpoints; 0: none."""
    seed: int = 0
    """Seed of the order of batches."""


class LogLine(Record):
    """One line of a training log."""

    step: int
    """Optimizer steps done."""
    tokens: int
    """Tokens seen."""
    seconds: float
    """Training time."""
    loss: float
    """Mean loss since the line before, nats a learned token."""
    rate: float
    """Learning rate."""


def log(path: Path) -> Journal[LogLine]:
    """Return the journal of a training run."""
    return Journal(path, LogLine, "training-log", lambda line: f"{line.step:012}")


class Outcome(Record):
    """How a training run ended."""

    at: Checkpoint
    """Where it stood."""
    loss: float
    """Mean loss over the last log interval, nats a learned token."""
    dev_loss: float | None
    """Loss on held-out texts; None where there are none."""
    padding: float
    """Share of padding in the batches."""


def batch_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the mean loss of a batch's learned tokens, each predicted from those before it."""
    hidden = model.model(input_ids=batch.ids[:, :-1], use_cache=False).last_hidden_state
    learned = batch.learned[:, 1:]
    logits = model.lm_head(hidden[learned])
    return cross_entropy(logits.float(), batch.ids[:, 1:][learned])


def share_used(config: TrainingConfig, at: Checkpoint) -> float:
    """Return the share of the budget that is used, 0..1."""
    by_tokens = at.tokens / config.tokens if config.tokens else 0.0
    by_time = at.seconds / (60 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(by_tokens, by_time))


def learning_rate(config: TrainingConfig, used: float) -> float:
    """Return the rate after a share of the budget: a linear rise, then a cosine to a tenth."""
    if used < config.warmup:
        return config.learning_rate * max(used / config.warmup, 0.01)
    through = (used - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * through)))


def dev_loss(model: LlamaForCausalLM, examples: Sequence[Example], config: TrainingConfig) -> float:
    """Return the mean loss of the learned tokens of held-out texts."""
    pad = model.config.pad_token_id or 0
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in batches(examples, config.batch_tokens, pad, 0, 0):
            learned = int(batch.learned[:, 1:].sum())
            total += batch_loss(model, batch).item() * learned
            count += learned
    return total / max(1, count)


def finetune(
    model: LlamaForCausalLM,
    train: Sequence[Example],
    dev: Sequence[Example],
    config: TrainingConfig,
    work: Path,
    label: str,
) -> Outcome:
    """Train a model in place.

    Args:
        model: The student.
        train: Texts to learn from.
        dev: Held-out texts; may be empty.
        config: Budget and hyper-parameters.
        work: Folder of the checkpoint and the log; a checkpoint found there is gone on from.
        label: What the progress bar says.

    Raises:
        TrainingFailed: There is nothing to learn from, no budget, or the loss is not finite.
    """
    if not train:
        raise TrainingFailed("there are no examples to train on; annotate some trajectories first")
    if not config.tokens and not config.minutes:
        raise TrainingFailed("training has no budget: set tokens or minutes above 0")
    run = _Run(model, config, work)
    total = config.tokens or 60 * config.minutes
    unit = "tokens" if config.tokens else "seconds"
    with closing(run), Progress(label, total, unit, run.amount) as progress:
        for batch in run.batches(train):
            before = run.amount
            note = run.learn(batch)
            progress.advance(run.amount - before, note)
    model.eval()
    held_out = dev_loss(model, dev, config) if dev else None
    return Outcome(at=run.at, loss=run.loss, dev_loss=held_out, padding=run.padding)


class _Run:
    """A training run's state."""

    def __init__(self, model: LlamaForCausalLM, config: TrainingConfig, work: Path) -> None:
        self._config, self._work = config, work
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self._plain = model.train()
        self._accelerator = Accelerator()
        self._model, self._optimizer = self._accelerator.prepare(model, optimizer)
        self._log = log(work / "log.jsonl")
        self._recent: list[torch.Tensor] = []
        self._cells = self._real = 0
        self.loss = math.nan
        self.at = Checkpoint()
        if (work / "checkpoint").is_dir():
            self.at = load_checkpoint(work / "checkpoint", self._plain, self._optimizer)
        self._saved = self.at.tokens

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    @property
    def amount(self) -> float:
        """What is used of the budget, in the unit of the progress bar."""
        return self.at.tokens if self._config.tokens else self.at.seconds

    @property
    def padding(self) -> float:
        """Share of padding in the batches of this attempt."""
        return 1 - self._real / max(1, self._cells)

    def batches(self, train: Sequence[Example]) -> Iterator[Batch]:
        """Yield batches, epoch after epoch, from where the checkpoint stood to the budget's end."""
        pad = self._plain.config.pad_token_id or 0
        while True:
            epoch = self.at.epoch
            chosen = batches(train, self._config.batch_tokens, pad, self._config.seed, epoch)
            for number, batch in enumerate(chosen):
                if number < self.at.batch:
                    continue
                if share_used(self._config, self.at) >= 1:
                    return
                yield batch
            self.at = self.at.model_copy(update={"epoch": epoch + 1, "batch": 0})

    def learn(self, batch: Batch) -> str | None:
        """Take one optimizer step; return a note for the progress bar now and then."""
        start = time.monotonic()
        rate = learning_rate(self._config, share_used(self._config, self.at))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = batch_loss(self._model, batch)
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(self._plain.parameters(), self._config.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._recent.append(loss.detach())
        self._cells += batch.ids.numel()
        self._real += batch.tokens
        self.at = self.at.model_copy(
            update={
                "batch": self.at.batch + 1,
                "step": self.at.step + 1,
                "tokens": self.at.tokens + batch.tokens,
                "seconds": self.at.seconds + time.monotonic() - start,
            }
        )
        return self._noted(rate)

    def _noted(self, rate: float) -> str | None:
        if self.at.step % _LOG_STEPS and share_used(self._config, self.at) < 1:
            return None
        self.loss = torch.stack(self._recent).mean().item()
        self._recent.clear()
        if not math.isfinite(self.loss):
            raise TrainingFailed(
                f"the loss is {self.loss} at step {self.at.step}; lower the learning rate "
                f"({self._config.learning_rate:g}). The last checkpoint is kept in {self._work}"
            )
        at = self.at
        self._log.append(
            LogLine(step=at.step, tokens=at.tokens, seconds=at.seconds, loss=self.loss, rate=rate)
        )
        every = self._config.checkpoint_tokens
        if every and at.tokens - self._saved >= every:
            save_checkpoint(self._work / "checkpoint", at, self._plain, self._optimizer)
            self._saved = at.tokens
        return f"loss {self.loss:.3f}"
