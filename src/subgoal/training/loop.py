"""The training loop: texts in, weights out; a killed run goes on with the same result.

The learning rate follows the share of the budget that is used, so a time budget works as a token
budget does. Under a budget of tokens or epochs the weights depend on the configuration alone: a
run that was killed and goes on ends with the same bits as one that was not.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import torch
from transformers import PreTrainedModel

from subgoal.datasets.examples import Example
from subgoal.errors import TrainingFailed
from subgoal.machine import cores
from subgoal.progress import Progress
from subgoal.training.batch import split_point
from subgoal.training.config import Select, TrainingConfig
from subgoal.training.loss import core
from subgoal.training.run import OnDev, Outcome, TrainingRun, TrainingTask
from subgoal.training.tracking import Tracking


def finetune(
    model: PreTrainedModel,
    train: Sequence[Example],
    dev: Sequence[Example],
    config: TrainingConfig,
    work: Path,
    label: str,
    on_dev: OnDev | None = None,
    fresh: bool = True,
) -> Outcome:
    """Train a model in place, alone or with the other processes of an `accelerate launch`.

    Args:
        model: The student: any causal or encoder-decoder model of transformers, or one of peft
            around it, of which only the weights that require a gradient are trained and kept.
        train: Texts to learn from. An encoder-decoder model reads what stands before the first
            learned token as its source.
        dev: Held-out texts; may be empty.
        config: Budget and hyper-parameters.
        work: Folder of the checkpoints and the log; from a checkpoint found there it goes on.
        label: What the progress bar says.
        on_dev: Called after each look at held-out texts, in the main process.
        fresh: The model is trained from scratch; it decides what `optimizer = auto` means.

    Returns:
        How it ended. The model holds the weights that `config.select` names.

    Raises:
        TrainingFailed: There is nothing to learn from, no budget, the settings do not go
            together, the loss is not finite, the memory is too small, or a checkpoint is damaged.
    """
    _check(train, dev, config, on_dev)
    _check_positions(model, [*train, *dev])
    most = min(config.threads or cores(), cores())
    if most < torch.get_num_threads():
        torch.set_num_threads(most)
    run = TrainingRun(TrainingTask(model, train, _sample(dev, config), config, work, on_dev, fresh))
    with ExitStack() as stack:
        stack.enter_context(closing(run))
        trackers = config.trackers if run.processes.main else ()
        name = label.replace(" ", "-")
        tracking = Tracking(trackers, work / "tracking", name, config, run.at.step)
        stack.enter_context(tracking)
        progress = None
        if run.processes.main:
            progress = stack.enter_context(Progress(label, *_total(config, train), run.amount))
        for batches in run.steps():
            before = run.amount
            run.learn(batches, tracking)
            if progress is not None:
                note = f"loss {run.recent_loss:.3f}"
                progress.advance(run.amount - before, note, run.seconds_left)
    return run.finish()


def _total(config: TrainingConfig, train: Sequence[Example]) -> tuple[float, str]:
    """Return the budget and its unit."""
    if config.tokens:
        return config.tokens, "tokens"
    if config.epochs:
        return round(config.epochs * len(train)), "texts"
    return 60 * config.minutes, "seconds"


def _sample(dev: Sequence[Example], config: TrainingConfig) -> list[Example]:
    """Choose held-out texts, spread evenly, of at most `validation_tokens` tokens in all."""
    tokens = sum(len(text.ids) for text in dev)
    stride = max(1, math.ceil(tokens / max(1, config.validation_tokens)))
    return list(dev[::stride])


def _check(
    train: Sequence[Example], dev: Sequence[Example], config: TrainingConfig, on_dev: OnDev | None
) -> None:
    if not train:
        raise TrainingFailed("there are no examples to train on; annotate some trajectories first")
    if config.tokens <= 0 and config.minutes <= 0 and config.epochs <= 0:
        raise TrainingFailed(
            "training has no budget: set training.tokens, training.epochs or training.minutes"
        )
    watched = config.select is not Select.LAST
    if watched and (config.validations <= 0 or not (dev or on_dev)):
        raise TrainingFailed(
            f"training.select = '{config.select}' needs validations: set training.validations to 1 "
            "or more and train.dataset.dev_share so that some are held out"
        )


def _check_positions(model: PreTrainedModel, texts: Sequence[Example]) -> None:
    config = core(model).config
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    if most is None:
        return
    for text in texts:
        length = len(text.ids)
        if config.is_encoder_decoder:
            length = max(split_point(text), length - split_point(text))
        if length > most:
            raise TrainingFailed(
                f"a text of {text.key} has {length} tokens but the model's positions end at "
                f"{most}; lower train.dataset.context to {most}"
            )
