"""The log of a training run: an append-only journal, one line every few steps."""

from contextlib import closing
from pathlib import Path

from subgoal.record import Record
from subgoal.storage.journal import Journal


class Setup(Record):
    """What `auto` became, and on what the run is trained."""

    optimizer: str
    """`muon` or `adamw`."""
    batching: str
    """`padded` or `pairs`."""
    attention: str
    """How attention is computed."""
    precision: str
    """What matrices multiply in."""
    device: str
    """Where the model is, such as `cuda`."""
    processes: int
    """How many processes share each step."""
    sharded: bool
    """True where they share the weights too (FSDP)."""


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
    score: float | None = None
    """Score of rollouts, points, now and then; None where there were none."""
    setup: Setup | None = None
    """How it is trained, on the first line of each attempt."""


def log(path: Path) -> Journal[LogLine]:
    """Return the journal of a training run."""
    return Journal(path, LogLine, "training-log", lambda line: f"{line.step:012}")


def cut_log(path: Path, step: int) -> None:
    """Drop the lines after `step`, which a run that goes on from there writes again."""
    lines = list(log(path))
    kept = [line for line in lines if line.step <= step]
    if len(kept) < len(lines):
        short = path.with_name(f".{path.name}.cut")
        short.unlink(missing_ok=True)
        with closing(log(short)) as journal:
            for line in kept:
                journal.append(line)
        if kept:
            short.replace(path)
        else:
            path.unlink()
