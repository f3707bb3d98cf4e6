"""Students trained side by side, each in a process with its share of the cores.

A student of a few million parameters uses one core well and two badly: its matrices are too small
to be shared out. Two students on two cores, one each, are trained in little more than the time of
one. The processes are told what to do by a line of JSON and answer with lines of JSON (updates of
the progress, and an error if there is one); when the parent dies, so do they.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import ValidationError

from subgoal import errors
from subgoal.errors import SubgoalError, TrainingFailed
from subgoal.progress import Board, Update
from subgoal.record import Record


class TrainingOrder(Record):
    """What a process is to train."""

    config: dict[str, Any]
    """The stage's configuration (a `TrainConfig` as JSON), with one role."""
    folder: Path
    """The run folder."""
    threads: int
    """CPU threads."""
    restart: bool = False
    """Train from the beginning, whatever was trained before."""
    kept: str = ""
    """The configuration that the run folder keeps, as TOML; empty: what it has."""


class Failure(Record):
    """Why a process could not train."""

    error: str
    """Name of the error class in `subgoal.errors`."""
    message: str
    """One sentence."""


def train_side_by_side(orders: Sequence[TrainingOrder]) -> None:
    """Carry orders out at the same time; show the progress of all.

    Raises:
        SubgoalError: One could not be carried out; the others were trained to their end.
    """
    lock = Lock()
    with Board() as board, ThreadPoolExecutor(len(orders)) as pool:

        def show(update: Update) -> None:
            with lock:
                board.show(update)

        children = [_start(order) for order in orders]
        try:
            ends = list(pool.map(lambda child: _follow(child, show), children))
        finally:
            for child in children:
                _stop(child)
    for failure in filter(None, ends):
        kind = getattr(errors, failure.error, TrainingFailed)
        raise kind(failure.message)


def _start(order: TrainingOrder) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-m", "subgoal.training.parallel.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.write(order.model_dump_json().encode() + b"\n")
    child.stdin.flush()
    return child


def _follow(child: "subprocess.Popen[bytes]", show: Callable[[Update], None]) -> Failure | None:
    """Show a process's updates until it ends; return why it failed, if it did."""
    failure: Failure | None = None
    for line in child.stdout or ():
        try:
            show(Update.model_validate_json(line))
        except ValidationError:
            failure = Failure.model_validate_json(line)
    code = child.wait()
    if code and failure is None:
        return Failure(
            error=TrainingFailed.__name__,
            message=f"a training process ended with exit code {code}; "
            "run the same command again to go on from its last checkpoint",
        )
    return failure


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def failure_of(error: SubgoalError) -> Failure:
    """Return an error as a process tells it."""
    return Failure(error=type(error).__name__, message=str(error))
