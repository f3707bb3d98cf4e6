"""The chart of a table of several worlds: does a hierarchy pay the more, the longer a task is?

A panel a comparison; in it a point a task type, and a bar a length class. `page/lengths.svg.j2`
draws it.
"""

import math
from collections.abc import Iterator

from research.tables.figures import RowFigures, TableFigures
from research.tables.lengths import BOUNDS
from subgoal.evaluation.compare import PairedDifference
from subgoal.record import Record
from subgoal.report.charts import WIDTH

_PANEL, _GAP, _LEFT, _TOP = 250.0, 40.0, 52.0, 28.0
_TICKS = (2, 4, 8, 16, 32, 64)
_BESIDE = 2.5
"""How far points of the same length stand from each other."""


class Mark(Record):
    """A difference with its interval: of a task type, or of a length class."""

    left: float
    """Where it begins; a task type is a point there."""
    right: float
    """Where it ends."""
    y: float
    """The mean difference."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval."""
    world: int
    """Number of its world; -1: a length class, of all worlds."""
    text: str
    """What a pointer or a screen reader is told."""


class Panel(Record):
    """One comparison."""

    title: str
    """What is compared."""
    left: float
    """Where it begins."""
    right: float
    """Where it ends."""
    marks: tuple[Mark, ...]
    """Length classes, then task types."""
    x_ticks: tuple[tuple[float, str], ...]
    """Position and text on the horizontal axis."""


class LengthChart(Record):
    """The whole chart."""

    title: str
    """The table's heading."""
    width: float = WIDTH
    """Its width."""
    top: float = _TOP
    """Where the panels begin."""
    bottom: float = _TOP + _PANEL
    """Where they end."""
    panels: tuple[Panel, ...]
    """From left to right."""
    worlds: tuple[str, ...]
    """The names of the worlds."""
    y_ticks: tuple[tuple[float, str], ...]
    """Position and text on the vertical axis."""
    axis: str
    """What the horizontal axis shows."""


def length_chart(table: TableFigures) -> LengthChart | None:
    """Place the chart; None where nothing is compared yet."""
    shown = [row for row in table.rows if row.series and row.differences]
    if not shown:
        return None
    width = (WIDTH - _LEFT - _GAP * (len(shown) - 1) - 8) / len(shown)
    lefts = [_LEFT + number * (width + _GAP) for number in range(len(shown))]
    return LengthChart(
        title=table.title,
        panels=tuple(
            _panel(table, row, left, width) for row, left in zip(shown, lefts, strict=True)
        ),
        worlds=tuple(table.lengths),
        y_ticks=tuple((_up(value), f"{value:+d}" if value else "0") for value in _SCORES),
        axis=table.axis,
    )


_SCORES = (-100, -50, 0, 50, 100)


def _panel(table: TableFigures, row: RowFigures, left: float, width: float) -> Panel:
    most = max(length for of in table.lengths.values() for length in of.values())
    least = min(length for of in table.lengths.values() for length in of.values())
    low, high = math.log(least) - 0.15, math.log(most) + 0.15

    def across(length: float) -> float:
        at = min(max(math.log(length), low), high)
        return round(left + width * (at - low) / (high - low), 1)

    marks: list[Mark] = []
    begin = math.exp(low)
    for name, most_actions in BOUNDS.items():
        ends = across(begin) + 2, across(min(most_actions, math.exp(high))) - 2
        begin = most_actions
        marks += [_mark(one, *ends, -1, f"{name} tasks") for one in _of(row, name)]
    taken: list[float] = []
    for world, of in enumerate(table.lengths.values()):
        for name, length in sorted(of.items(), key=lambda item: item[1]):
            x = across(length) + _BESIDE * sum(abs(other - across(length)) < 1 for other in taken)
            taken.append(across(length))
            said = f"{name} ({length:g} actions)"
            marks += [_mark(one, x, x, world, said) for one in _of(row, name)]
    ticks = tuple((across(n), str(n)) for n in _TICKS if low <= math.log(n) <= high)
    return Panel(title=row.series, left=left, right=left + width, marks=tuple(marks), x_ticks=ticks)


def _of(row: RowFigures, name: str) -> Iterator[PairedDifference]:
    found = row.difference(name)
    if found is not None:
        yield found


def _mark(one: PairedDifference, left: float, right: float, world: int, name: str) -> Mark:
    between = one.difference
    return Mark(
        left=left,
        right=right,
        y=_up(between.mean),
        low=_up(between.low),
        high=_up(between.high),
        world=world,
        text=f"{name}: {between.mean:+.1f} [{between.low:+.1f}, {between.high:+.1f}]",
    )


def _up(points: float) -> float:
    return round(_TOP + _PANEL * (100 - points) / 200, 1)
