"""The processes that train one model: this one alone, or many together (`joint`)."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from subgoal.errors import TrainingFailed, install
from subgoal.training.loss import StudentLoss


class Processes:
    """One process that trains alone, and what several do otherwise.

    Attributes:
        number: How many there are.
        rank: Which this is, from 0.
        main: True in the one that logs, saves and shows progress.
        device: Where this one computes.
        sharded: True where they share the weights too.
    """

    number, rank, main, sharded = 1, 0, True, False

    def __init__(self) -> None:
        found = torch.accelerator.current_accelerator(check_available=True)
        self.device = found or torch.device("cpu")

    def prepare(self, loss: StudentLoss) -> StudentLoss:
        """Put a loss with its student on the device, wrapped as the processes share it.

        Where the weights are sharded it is a copy: the student itself stays whole, on the CPU.
        """
        return loss.to(self.device)

    def student(self, loss: StudentLoss) -> torch.nn.Module:
        """Return the student inside a prepared loss."""
        return loss.student

    def gather(self, loss: StudentLoss, student: torch.nn.Module) -> None:
        """Where the weights are sharded, put them back into the student, whole."""

    def syncing(self, loss: StudentLoss, last: bool) -> AbstractContextManager[None]:
        """Exchange gradients only after a step's last batch."""
        del loss, last
        return nullcontext()

    def clip(self, student: torch.nn.Module, most: float) -> float:
        """Scale the gradients down to a norm of at most `most`; return the norm before."""
        return float(torch.nn.utils.clip_grad_norm_(student.parameters(), most))

    def total(self, *values: float) -> list[float]:
        """Return the sums of all processes' values."""
        return list(values)

    def tell(self, value: float | None) -> float | None:
        """Return the main process's value, in all."""
        return value

    def wait(self) -> None:
        """Wait until all processes are here."""


def joined_processes() -> Processes:
    """Return the processes that the environment tells of: one, unless a launcher set it up.

    Raises:
        TrainingFailed: There are several, and accelerate is not installed.
    """
    launched = any(name.startswith("ACCELERATE_") for name in os.environ)
    if not launched and int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return Processes()
    try:
        from subgoal.training.parallel.joint import JointProcesses
    except ModuleNotFoundError as error:
        if error.name != "accelerate":
            raise
        raise TrainingFailed(
            f"training in several processes: {install('accelerate', 'distributed')}"
        ) from error
    return JointProcesses()
