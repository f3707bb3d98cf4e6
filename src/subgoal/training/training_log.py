"""The log of a training run: an append-only journal, one line every few steps."""

from pathlib import Path

from subgoal.journal import Journal
from subgoal.record import Record


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
    dev_loss: float | None = None
    """Loss on held-out texts, now and then; None where it was not taken."""


def log(path: Path) -> Journal[LogLine]:
    """Return the journal of a training run."""
    return Journal(path, LogLine, "training-log", lambda line: f"{line.step:012}")


def cut_log(path: Path, step: int) -> LogLine | None:
    """Drop the lines after `step`, which a run that goes on from there writes again.

    Returns:
        The last line that is kept, if any.
    """
    lines = list(log(path))
    kept = [line for line in lines if line.step <= step]
    if len(kept) < len(lines):
        path.unlink()
        journal = log(path)
        for line in kept:
            journal.append(line)
        journal.close()
    return kept[-1] if kept else None
