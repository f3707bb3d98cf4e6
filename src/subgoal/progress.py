"""Progress of long work: a bar with rate and time left, or plain lines without a terminal."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from subgoal.record import Record

console = Console(stderr=True)
"""Where progress and messages go; results go to standard output."""

_PLAIN_SECONDS = 10.0
_RELAY_SECONDS = 0.5


def clock(seconds: float) -> str:
    """Return seconds as `1:02:03`, or `2:03` below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Update(Record):
    """How far one piece of work has come."""

    label: str
    """What is done, such as `collect`."""
    total: float
    """How much of it, in `unit`."""
    unit: str
    """What is counted, such as `paths` or `tokens`."""
    done: float
    """How much is done."""
    rate: float = 0.0
    """Units a second since the start."""
    seconds: float = 0.0
    """Since the start."""
    note: str = ""
    """The text at the end, such as `loss 1.23`."""
    ended: bool = False
    """True in the last update."""

    def __str__(self) -> str:
        left = (self.total - self.done) / self.rate if self.rate > 0 else 0.0
        return (
            f"{self.label}: {self.done:,.0f}/{self.total:,.0f} {self.unit}, "
            f"{self.rate:,.1f}/s, {clock(self.seconds)} elapsed, "
            f"{clock(max(left, 0))} left{'; ' + self.note if self.note else ''}"
        )


class Board:
    """Shows pieces of work side by side, one row each; a context manager."""

    def __init__(self) -> None:
        self._rows: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
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

    def show(self, update: Update) -> None:
        """Show how far a piece has come; its label says which row is its own."""
        if self._bar is not None:
            self._draw(self._bar, update)
            return
        last = self._said.setdefault(update.label, time.monotonic() - update.seconds)
        if update.ended or time.monotonic() - last >= _PLAIN_SECONDS:
            self._said[update.label] = time.monotonic()
            console.print(str(update), markup=False, highlight=False, soft_wrap=True)

    def _draw(self, bar: RichProgress, update: Update) -> None:
        if update.label not in self._rows:
            self._rows[update.label] = bar.add_task(
                update.label, total=update.total, rate="", note=""
            )
        rate = f"{update.rate:,.1f} {update.unit}/s" if update.rate else ""
        row = self._rows[update.label]
        bar.update(row, completed=update.done, rate=rate, note=update.note)

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


class _Relay:
    """Hands updates on to another process instead of showing them."""

    def __init__(self, send: Callable[[Update], None]) -> None:
        self._send, self._sent = send, -_RELAY_SECONDS

    def show(self, update: Update) -> None:
        if update.ended or time.monotonic() - self._sent >= _RELAY_SECONDS:
            self._sent = time.monotonic()
            self._send(update)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


_receiver: Callable[[Update], None] | None = None


def relay_to(send: Callable[[Update], None]) -> None:
    """From now on, hand all updates of this process to `send`: another process shows them."""
    global _receiver  # noqa: PLW0603
    _receiver = send


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
        self._start = time.monotonic()
        self._board = Board() if _receiver is None else _Relay(_receiver)

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return (self._done - self._before) / max(time.monotonic() - self._start, 1e-9)

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Count `amount` more; `note` replaces the text at the end, such as `loss 1.23`."""
        self._done += amount
        if note is not None:
            self._note = note
        self._board.show(self._update())

    def __enter__(self) -> Self:
        self._board.__enter__()
        self._board.show(self._update())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._board.show(self._update(ended=True))
        self._board.__exit__(kind, error, trace)

    def _update(self, ended: bool = False) -> Update:
        return Update(
            label=self.label,
            total=self.total,
            unit=self.unit,
            done=self._done,
            rate=self.rate,
            seconds=time.monotonic() - self._start,
            note=self._note,
            ended=ended,
        )
