"""A training run: its state, its steps, and what it does now and then."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.progress import console
from subgoal.record import Record
from subgoal.students.ending import Ending
from subgoal.training import llama_pass
from subgoal.training.batches import Batches, Layout
from subgoal.training.checkpoint import (
    Position,
    checkpoints,
    last_position,
    load_checkpoint,
    save_checkpoint,
    trained_weights,
)
from subgoal.training.config import TrainingConfig, TrainingPrecision
from subgoal.training.log import LogLine, Setup, cut_log, log
from subgoal.training.loss import (
    LearnedLoss,
    PairLoss,
    StudentLoss,
    compute_dtype,
    core,
    settled_precision,
)
from subgoal.training.memory import checkpoint_layers, give_back_freed, memory_advice
from subgoal.training.optimizers.optimizer import chosen_optimizer, make_optimizers
from subgoal.training.optimizers.schedule import (
    learning_rate,
    seconds_left,
    share_learned,
    share_used,
)
from subgoal.training.parallel.processes import Processes, joined_processes
from subgoal.training.selection import WeightSelection
from subgoal.training.tracking import Tracking
from subgoal.training.validation import mean_loss

GRADIENT_LIMIT = 1.0
"""Largest norm of the gradient of a step (gradient clipping)."""
_LOG_STEPS = 20
_LOG_SECONDS = 10.0

OnDev = Callable[[PreTrainedModel, LogLine], float | None]
"""Called after each look at held-out texts, with the model (whole, set to play) and the line that
is about to be logged; returns the score of rollouts, in points, or None."""


class Outcome(Record):
    """How a training run ended."""

    at: Position
    """Where it stood."""
    loss: float
    """Mean loss over the last log interval, nats a learned token."""
    dev_loss: float | None
    """Loss of the kept weights on held-out texts; None where there are none."""
    score: float | None = None
    """Rollout score of the kept weights, points; None where it was not taken."""
    step: int = 0
    """Steps after which the kept weights stood."""
    setup: Setup
    """How it was trained."""
    ending: Ending
    """What ended it."""
    share: float | None
    """Share of the budget of tokens or epochs that was used; None where there was none."""


@dataclass(frozen=True)
class TrainingTask:
    """What is trained, on what.

    Attributes:
        model: The student.
        train: Texts to learn from.
        dev: Held-out texts; may be empty.
        config: Budget and hyper-parameters.
        work: Folder of the checkpoints and the log.
        on_dev: Called after each look at held-out texts.
        fresh: The model is trained from scratch.
    """

    model: PreTrainedModel
    train: Sequence[Example]
    dev: Sequence[Example]
    config: TrainingConfig
    work: Path
    on_dev: OnDev | None
    fresh: bool


class TrainingRun:
    """A training run's state.

    Raises:
        TrainingFailed: What is asked for does not go together, or a checkpoint is damaged.
    """

    def __init__(self, task: TrainingTask) -> None:
        self._task, self._config = task, task.config
        config, self._model = task.config, task.model
        self.processes = joined_processes()
        self._checkpoints = task.work / "checkpoints"
        precision = self._settled(last_position(self._checkpoints).precision)
        dtype = compute_dtype(precision, self.processes.device)
        fast = _fast(self._model, config, self.processes)
        self._loss = _prepared(self._model, config, precision, self.processes, fast)
        self._student = self.processes.student(self._loss)
        layout = Layout.PAIRS if core(self._model).config.is_encoder_decoder else Layout.PADDED
        pad = core(self._model).config.get_text_config().pad_token_id or 0
        size = config.batch_tokens, config.batch_texts, pad
        self._texts = Batches(task.train, layout, *size, config.seed)
        self._dev = Batches(task.dev, layout, *size)
        fresh = task.fresh and self._model is core(self._model)
        optimizer = chosen_optimizer(config.optimizer, fresh, self.processes.number)
        self._optimizers = make_optimizers(
            optimizer, self._student, config.learning_rate, config.weight_decay, dtype
        )
        self._setup = Setup(
            optimizer=optimizer,
            batching=layout,
            attention="fast pass" if fast else str(core(self._model).config._attn_implementation),
            precision=str(dtype).removeprefix("torch."),
            device=self.processes.device.type,
            processes=self.processes.number,
            sharded=self.processes.sharded,
        )
        self._base = self._before()
        at = load_checkpoint(self._checkpoints, self._student, self._optimizers)
        self.at = at.model_copy(update={"precision": precision})
        self._open_log(task.work / "log.jsonl")
        self._losses: list[float] = []
        self._dev_loss: float | None = None

    def _settled(self, begun: TrainingPrecision) -> TrainingPrecision:
        """Return what matrices multiply in, in all processes; say where the bits will be others."""
        mine = settled_precision(self._config.precision, begun, self.processes.device)
        low = self.processes.tell(float(mine is TrainingPrecision.BFLOAT16))
        settled = TrainingPrecision.BFLOAT16 if low else TrainingPrecision.FLOAT32
        if self.processes.main and begun not in {settled, TrainingPrecision.AUTO}:
            console.print(
                f"The training began in {begun} and goes on in {settled}: the result is not that "
                "of one that was never interrupted."
            )
        return settled

    def _open_log(self, path: Path) -> None:
        if self.processes.main:
            cut_log(path, self.at.step)
        self.processes.wait()
        self._log = log(path)
        lines = list(self._log)
        self._last = lines[-1] if lines else None
        best, config = self._checkpoints / "best", self._config
        self._selection = WeightSelection(config.select, best, lines)
        self._saved, self._logged = self.at.tokens, self.at.seconds
        self._start, self._since = time.monotonic() - self.at.seconds, self.at
        self._told = False

    @property
    def amount(self) -> float:
        """What is used of the budget, in its own unit."""
        if self._config.tokens:
            return self.at.tokens
        return self.at.texts if self._config.epochs else self.at.seconds

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the first of the budgets ends the run; None where nothing tells yet."""
        return seconds_left(self._config, self.at, self._since, len(self._texts))

    @property
    def recent_loss(self) -> float:
        """Mean loss of the last steps."""
        if self._losses:
            return sum(self._losses) / len(self._losses)
        return self._last.loss if self._last else math.nan

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def finish(self) -> Outcome:
        """Put the weights that are kept into the model; say how the run ended."""
        self.processes.wait()  # the main one may still be writing the best weights
        best = self._selection.restore(self._student)
        self._average()
        if self._task.dev and (self._base or (best is None and self._dev_loss is None)):
            self._dev_loss = mean_loss(self._loss, self._dev, self.processes)
        self.processes.gather(self._loss, self._model)
        self._model.eval()
        return Outcome(
            at=self.at,
            loss=self.recent_loss,
            dev_loss=best.dev_loss if best and not self._base else self._dev_loss,
            score=best.score if best else self._last.score if self._last else None,
            step=best.step if best else self.at.step,
            setup=self._setup,
            ending=self._ending(),
            share=share_learned(self._config, self.at, len(self._texts)),
        )

    def _ending(self) -> Ending:
        learned = share_learned(self._config, self.at, len(self._texts))
        if learned is not None and learned >= 1:
            return Ending.BUDGET
        return Ending.CLOCK if self._share_used() >= 1 else Ending.PATIENCE

    def _before(self) -> list[torch.Tensor]:
        """Return the weights before training where they count in those that are kept."""
        if not self._config.keep_base:
            return []
        if self._task.fresh or self.processes.number > 1:
            raise TrainingFailed(
                "training.keep_base is for a student that is trained further (student.model), in "
                "one process; set it to 0"
            )
        return [p.detach().clone() for p in self._student.parameters()]

    @torch.no_grad()
    def _average(self) -> None:
        for weights, base in zip(self._student.parameters(), self._base, strict=False):
            weights.lerp_(base, self._config.keep_base)

    def steps(self) -> Iterator[list[list[int]]]:
        """Yield the batches of each step, from where the run stands to its end.

        A step never spans two epochs; the last one of an epoch may be smaller.
        """
        number = self._config.accumulation * self.processes.number
        while True:
            plan = self._texts.plan(self.at.epoch)
            while self.at.batch < len(plan):
                if self._share_used() >= 1:
                    return
                yield plan[self.at.batch : self.at.batch + number]
            self.at = self.at.model_copy(update={"epoch": self.at.epoch + 1, "batch": 0})

    def learn(self, batches: Sequence[Sequence[int]], tracking: Tracking) -> None:
        """Take one optimizer step; log, look and save when it is time.

        Raises:
            TrainingFailed: The loss or the gradient is not finite, or the memory too small; no
                weight was changed.
        """
        used = self._share_used()
        rate = learning_rate(self._config, used)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss, seconds = self._descend(batches, used < self._config.full_loss_share)
        self._losses.append(loss)
        self.at = self.at.model_copy(
            update={
                "batch": self.at.batch + len(batches),
                "step": self.at.step + 1,
                "tokens": self.at.tokens + sum(map(self._texts.tokens, batches)),
                "texts": self.at.texts + sum(map(len, batches)),
                "seconds": seconds,
            }
        )
        self._note(rate, used, tracking)

    def _share_used(self) -> float:
        return share_used(self._config, self.at, len(self._texts))

    def _descend(self, batches: Sequence[Sequence[int]], reading: bool) -> tuple[float, float]:
        """Take this process's share of a step; return the loss and the seconds of all."""
        many, total = self.processes.number, torch.zeros((), device=self.processes.device)
        count = max(1, sum(self._texts.learned(rows, reading) for rows in batches)) / many
        shape = ""
        rounds = range(self.processes.rank, math.ceil(len(batches) / many) * many, many)
        for number in rounds:
            spare = number >= len(batches)  # the others need company, but this counts for nothing
            batch = self._texts.make(batches[0 if spare else number])
            self._seed(number)
            shape = batch.shape
            with (
                memory_advice(self._config, self.at.step + 1, shape),
                self.processes.syncing(self._loss, number == rounds[-1]),
            ):
                inputs = batch.inputs(self.processes.device, reading)
                loss = self._loss(**inputs, count=math.inf if spare else count)
                loss.backward()
            total += loss.detach()
        norm = self.processes.clip(self._student, GRADIENT_LIMIT)
        seconds = time.monotonic() - self._start if self.processes.main else 0.0
        loss_sum, seconds = self.processes.total(total.item(), seconds)
        self._check_finite(loss_sum / many, norm)
        with memory_advice(self._config, self.at.step + 1, shape):
            for optimizer in self._optimizers:
                optimizer.step()
                optimizer.zero_grad()
        return loss_sum / many, seconds

    def _seed(self, number: int) -> None:
        """Let what dropout drops in a batch follow from its place alone."""
        place = f"{self._config.seed}/{self.at.epoch}/{self.at.batch + number}"
        torch.manual_seed(random.Random(place).getrandbits(63))

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

    def _note(self, rate: float, used_before: float, tracking: Tracking) -> None:
        """Log, look and save when it is time."""
        config, at, used = self._config, self.at, self._share_used()
        look = int(used * config.validations) > int(used_before * config.validations)
        look = look and bool(self._task.dev or self._task.on_dev)
        save = bool(config.checkpoint_tokens) and (
            at.tokens - self._saved >= config.checkpoint_tokens
        )
        slow = at.seconds - self._logged >= _LOG_SECONDS
        if not (used >= 1 or look or save or slow or at.step % _LOG_STEPS == 0):
            return
        give_back_freed()
        if look and self._task.dev:
            self._dev_loss = mean_loss(self._loss, self._dev, self.processes)
        line = LogLine(
            step=at.step,
            tokens=at.tokens,
            seconds=round(at.seconds, 3),
            loss=self.recent_loss,
            rate=rate,
            dev_loss=self._dev_loss if look else None,
            setup=None if self._told else self._setup,
        )
        if look:
            line = line.model_copy(update={"score": self._score(line)})
        self._write(line, tracking)
        if look and self._selection.consider(line) and self._selection.keeps_best:
            weights = trained_weights(self._student)
            if self.processes.main:
                self._selection.keep(line, weights)
        if save:
            save_checkpoint(
                self._checkpoints, at, self._student, self._optimizers, self.processes.main
            )
            self._saved = at.tokens

    def _write(self, line: LogLine, tracking: Tracking) -> None:
        if self.processes.main:
            self._log.append(line)
            tracking.note(line.step, line.model_dump(exclude={"step"}))
        self._last, self._logged, self._told = line, line.seconds, True
        self._losses.clear()

    def _score(self, line: LogLine) -> float | None:
        if self._task.on_dev is None:
            return None
        self.processes.gather(self._loss, self._model)
        self._model.eval()
        score = self._task.on_dev(self._model, line) if self.processes.main else None
        self._model.train()
        return self.processes.tell(score)


def _fast(model: PreTrainedModel, config: TrainingConfig, processes: Processes) -> bool:
    """Return whether the fast pass can be taken."""
    unlike = config.compile or config.gradient_checkpointing or processes.sharded
    return llama_pass.supports(model) and not unlike


def _prepared(
    model: PreTrainedModel,
    config: TrainingConfig,
    precision: TrainingPrecision,
    processes: Processes,
    fast: bool,
) -> StudentLoss:
    """Put the model, with its loss, where it is trained, in the way it is trained."""
    inner = core(model.train())
    if config.gradient_checkpointing:
        checkpoint_layers(inner)
    pairs = inner.config.is_encoder_decoder
    loss = PairLoss(model, precision) if pairs else LearnedLoss(model, precision, fast)
    prepared = processes.prepare(loss)
    if config.compile:
        trained = core(processes.student(prepared))
        for part in (
            (trained.get_encoder(), trained.get_decoder()) if pairs else (trained.get_decoder(),)
        ):
            part.compile()
    return prepared
