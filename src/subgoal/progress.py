"""Progress of long work: a bar with rate and time left, or plain lines without a terminal."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

console = Console(stderr=True)
"""Where progress and messages go; results go to standard output."""

_PLAIN_SECONDS = 10.0


def clock(seconds: float) -> str:
    """Return seconds as `1:02:03`, or `2:03` below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Progress:
    """One piece of long work; a context manager.

    Args:
        label: What is done, such as `collect`.
        total: How much of it, in `unit`.
        unit: What is counted, such as `paths` or `tokens`.
        done: How much was there before (a resumed stage); it does not count for the rate.
    """

    def __init__(self, label: str, total: float, unit: str, done: float = 0) -> None:
        self.label, self.total, self.unit = label, total, unit
        self._before = self._done = done
        self._note = ""
        self._start = self._said = time.monotonic()
        self._bar: RichProgress | None = None
        if console.is_terminal:
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=console,
            )
            self._row = self._bar.add_task(label, total=total, rate="", note="")
            self._bar.update(self._row, completed=done)

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return (self._done - self._before) / max(time.monotonic() - self._start, 1e-9)

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Count `amount` more; `note` replaces the text at the end, such as `loss 1.23`."""
        self._done += amount
        if note is not None:
            self._note = note
        if self._bar is not None:
            rate = f"{self.rate:,.1f} {self.unit}/s"
            self._bar.update(self._row, completed=self._done, rate=rate, note=self._note)
        elif time.monotonic() - self._said >= _PLAIN_SECONDS:
            self._say()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        left = (self.total - self._done) / self.rate if self.rate > 0 else 0.0
        console.print(
            f"{self.label}: {self._done:,.0f}/{self.total:,.0f} {self.unit}, "
            f"{self.rate:,.1f}/s, {clock(self._said - self._start)} elapsed, "
            f"{clock(max(left, 0))} left{'; ' + self._note if self._note else ''}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
