"""Experiment trackers: what a stage measures, shown by TensorBoard, trackio or W&B."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from subgoal.errors import TrainingFailed, install
from subgoal.progress import console
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.training.config import Tracker, TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


class Tracking:
    """Trackers that follow one stage; a context manager.

    Args:
        trackers: Which.
        folder: Where their files lie.
        name: The stage's name, such as `train-both`.
        config: What decides it.
        step: Where it goes on from.

    Raises:
        TrainingFailed: A tracker's package is missing.
    """

    _accelerator: "Accelerator | None" = None

    def __init__(
        self, trackers: Sequence[Tracker], folder: Path, name: str, config: Record, step: int = 0
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

    def note(self, step: int, values: Mapping[str, object]) -> None:
        """Show figures of a step; what is no number is left out."""
        if self._accelerator is not None:
            figures = {name: one for name, one in values.items() if isinstance(one, int | float)}
            self._accelerator.log(figures, step=step)

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


_chosen = ""
"""The folder of trackio that was chosen here."""


def trackio_home(folder: RunFolder) -> None:
    """Let trackio keep what a run measures from now on in its folder, one dashboard for all stages.

    It takes one folder per process: in a program that has measured another run before, that one's
    goes on. A folder in the environment variable TRACKIO_DIR counts more.

    Args:
        folder: The run folder.
    """
    global _chosen  # noqa: PLW0603
    if os.environ.get("TRACKIO_DIR", "") not in {"", _chosen}:
        return
    mine = str((folder / f"tracking/{Tracker.TRACKIO}").resolve())
    if _chosen not in {"", mine} and Tracker.TRACKIO in sys.modules:
        console.print(f"trackio goes on in {_chosen}: it takes one folder per process")
        return
    _chosen = os.environ["TRACKIO_DIR"] = mine


def track(
    train: TrainConfig, folder: RunFolder, stage: str, config: Record, figures: Mapping[str, object]
) -> None:
    """Show what a stage measured in the end, where training is shown.

    Args:
        train: Names the trackers.
        folder: The run folder.
        stage: The stage's name.
        config: What decides it.
        figures: Numbers by name; others are left out.

    Raises:
        TrainingFailed: A tracker's package is missing.
    """
    if Tracker.TRACKIO in train.training.trackers:
        trackio_home(folder)
    with Tracking(train.training.trackers, folder / "tracking", stage, config) as tracking:
        tracking.note(0, figures)


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) else str(value)
