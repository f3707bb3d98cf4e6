"""What reaches the terminal: lines as they are, and the progress of long work.

Worlds, models, servers and files of others may write anything. A `PlainConsole` shows it as text:
never as markup, and with each character that would steer the terminal, reorder a line or hide in it
written as an escape.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.segment import Segment
from rich.text import Text
from typing_extensions import override

from subgoal.record import Record

T = TypeVar("T")

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"  # halves of letters, and tags
)


def printable(text: str, encoding: str = "utf-8") -> str:
    """Write what would steer a terminal, reorder a line or be invisible in it as escapes.

    Args:
        text: Anything.
        encoding: Of the terminal; what it cannot write is written as an escape too.
    """
    text = _STEERING.sub(lambda found: _escape(found[0]), text)
    if encoding.startswith("utf"):
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _printable(text: Text) -> Text:
    """Escape within a styled text, its styles kept, before it is laid out in lines."""
    made, end = text.blank_copy(), 0
    for found in _STEERING.finditer(text.plain):
        made.append_text(text[end : found.start()]).append(_escape(found[0]))
        end = found.end()
    return made.append_text(text[end:]) if end else text


class PlainConsole(Console):
    """A console that shows text from outside as text.

    Args:
        options: As for `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        """Make a styled text of a string, as rich does, but printable."""
        return _printable(super().render_str(text, **options))

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, but all text printable."""
        if isinstance(renderable, Text):
            renderable = _printable(renderable)
        for segment in super().render(renderable, options):
            if segment.control:  # how a bar is drawn in place; it holds no text
                yield segment
            else:
                yield segment._replace(text=printable(segment.text, self.encoding))


console = PlainConsole(stderr=True)
"""Where progress and messages go; results go to standard output."""


def tell_loading(package: str = "torch") -> None:
    """Say that a package is about to be imported, which takes seconds; nothing where it is there.

    Args:
        package: What is imported.
    """
    if package not in sys.modules:
        console.print(f"loading {package} ...", style="dim")


_PLAIN_SECONDS = 10.0
_RELAY_SECONDS = 0.5
_FILE_SECONDS = 1.0


def clock(seconds: float) -> str:
    """Return seconds as `1:02:03`, or `2:03` below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def first_to_end(
    budgets: Iterable[tuple[float | None, float, float]], seconds: float
) -> float | None:
    """Return after how many seconds the first of some budgets is used up, at the rate so far.

    Args:
        budgets: The limit (None or 0: there is none), what is used, and what was at the beginning.
        seconds: Since the beginning.

    Returns:
        Seconds; None where nothing limited was used yet.
    """
    left = [
        max(0.0, limit - used) * seconds / (used - before)
        for limit, used, before in budgets
        if limit and used > before
    ]
    return min(left, default=None)


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
    ends: float | None = None
    """Seconds until a clock ends it, whatever is done by then; None: none does."""
    seconds: float = 0.0
    """Since the start."""
    note: str = ""
    """The text at the end, such as `loss 1.23`."""
    ended: bool = False
    """True in the last update."""

    @property
    def left(self) -> float:
        """Seconds left: until all is done at the rate so far, or until a clock ends it."""
        left = (self.total - self.done) / self.rate if self.rate > 0 else self.ends or 0.0
        return max(0.0, left if self.ends is None else min(left, self.ends))

    def __str__(self) -> str:
        return (
            f"{self.label}: {self.done:,.0f}/{self.total:,.0f} {self.unit}, "
            f"{self.rate:,.1f}/s, {clock(self.seconds)} elapsed, "
            f"{clock(self.left)} left{'; ' + self.note if self.note else ''}"
        )


class Board:
    """Shows pieces of work side by side, one row each; a context manager."""

    def __init__(self) -> None:
        self._rows: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._bar: RichProgress | None = None
        if console.is_terminal:
            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                TextColumn("{task.fields[note]}", markup=False),
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
            console.print(str(update), soft_wrap=True)

    def _draw(self, bar: RichProgress, update: Update) -> None:
        if update.label not in self._rows:
            self._rows[update.label] = bar.add_task(
                printable(update.label), total=update.total, rate="", left="", note=""
            )
        left = f"{clock(update.left)} left"
        rate = f"{update.rate:,.1f} {printable(update.unit)}/s" if update.rate else ""
        row = self._rows[update.label]
        bar.update(row, completed=update.done, rate=rate, left=left, note=printable(update.note))

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


class _ProgressFile:
    """Keeps how far the work of a stage has come in a file, for whoever watches from elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path, self._pieces, self._written = path, dict[str, Update](), 0.0

    def show(self, update: Update) -> None:
        begun = update.label not in self._pieces
        if begun:
            self._pieces = {name: one for name, one in self._pieces.items() if not one.ended}
        self._pieces[update.label] = update
        if begun or update.ended or time.monotonic() - self._written >= _FILE_SECONDS:
            self._written = time.monotonic()
            pieces = [{**one.model_dump(), "left": one.left} for one in self._pieces.values()]
            text = json.dumps({"at": round(time.time(), 1), "work": pieces}) + "\n"
            with suppress(OSError):  # nobody's work stops because nobody can watch it
                new = self._path.with_suffix(".new")
                new.write_text(text, encoding="utf-8")
                new.replace(self._path)


_file: _ProgressFile | None = None


@contextmanager
def kept_in(path: Path) -> Generator[None]:
    """Within the block, keep in a file how far all work of this process has come.

    Args:
        path: The file, a JSON object: `at`, seconds since 1970, and `work`, a list of what `Update`
            holds, with the seconds `left`. It is gone when the block has ended well.
    """
    global _file  # noqa: PLW0603
    before, _file = _file, _ProgressFile(path)
    try:
        yield
        path.unlink(missing_ok=True)
    finally:
        _file = before


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
        self._end: float | None = None
        self._start = time.monotonic()
        self._board = Board() if _receiver is None else _Relay(_receiver)
        self._file = _file

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return (self._done - self._before) / max(time.monotonic() - self._start, 1e-9)

    def advance(
        self, amount: float = 1, note: str | None = None, ends: float | None = None
    ) -> None:
        """Count some more.

        Args:
            amount: How much more, in the unit.
            note: Replaces the text at the end, such as `loss 1.23`.
            ends: Seconds until a clock or another budget ends the work; None: as said before.
        """
        self._done += amount
        if ends is not None:
            self._end = time.monotonic() + ends
        if note is not None:
            self._note = note
        self._show()

    def over(self, things: Iterable[T]) -> Iterator[T]:
        """Yield things, and count each when the next is asked for."""
        for one in things:
            yield one
            self.advance()

    def __enter__(self) -> Self:
        self._board.__enter__()
        self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._show(ended=True)
        self._board.__exit__(kind, error, trace)

    def _show(self, ended: bool = False) -> None:
        update = self._update(ended)
        self._board.show(update)
        if self._file is not None:
            self._file.show(update)

    def _update(self, ended: bool) -> Update:
        return Update(
            label=self.label,
            total=self.total,
            unit=self.unit,
            done=self._done,
            rate=self.rate,
            ends=None if self._end is None else self._end - time.monotonic(),
            seconds=time.monotonic() - self._start,
            note=self._note,
            ended=ended,
        )
