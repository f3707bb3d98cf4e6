"""Experiment trackers: the log of a training run, shown by TensorBoard, trackio or W&B."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from subgoal.errors import TrainingFailed, install
from subgoal.record import Record
from subgoal.training.config import Tracker
from subgoal.training.log import LogLine

if TYPE_CHECKING:
    from accelerate import Accelerator


class Tracking:
    """Trackers that follow one training run; a context manager.

    Args:
        trackers: Which.
        folder: Where their files lie.
        name: The run's name, such as `train-both`.
        config: What it is trained with.
        step: Where it goes on from.

    Raises:
        TrainingFailed: A tracker's package is missing.
    """

    _accelerator: "Accelerator | None" = None

    def __init__(
        self, trackers: Sequence[Tracker], folder: Path, name: str, config: Record, step: int
    ) -> None:
        if not trackers:
            return
        for package in (*trackers, "accelerate"):
            if find_spec(package) is None:
                raise TrainingFailed(f"training.trackers: {install(package, 'trackers')}")
        from accelerate import Accelerator

        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TRACKIO_DIR", str(folder / Tracker.TRACKIO))
        options: dict[str, dict[str, Any]] = {
            Tracker.TENSORBOARD: {"purge_step": step + 1},
            Tracker.WANDB: {"mode": os.environ.get("WANDB_MODE", "offline"), "dir": str(folder)},
        }
        self._accelerator = Accelerator(log_with=[*map(str, trackers)], project_dir=folder)
        self._accelerator.init_trackers(
            name,
            {key: _plain(value) for key, value in config.model_dump(mode="json").items()},
            {str(tracker): options[tracker] for tracker in trackers if tracker in options},
        )

    def note(self, line: LogLine) -> None:
        """Show a line of the log."""
        if self._accelerator is not None:
            values = line.model_dump(exclude={"step", "setup"}, exclude_none=True)
            self._accelerator.log(values, step=line.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for tracker in self._accelerator.trackers if self._accelerator is not None else ():
            tracker.finish()


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) else str(value)
