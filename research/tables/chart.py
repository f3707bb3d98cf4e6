"""Where the marks of a table's chart go; `page/table.svg.j2` draws them, in a file of its own."""

import math
from collections.abc import Sequence

from research.tables.figures import GroupKind, RowFigures, TableFigures
from research.tables.published import PUBLISHED_TYPES, published
from research.tables.table import Chart
from subgoal.record import Record
from subgoal.report.charts import BAR, GAP, WIDTH, Bar, BarRow, score_x

COLOURS = 9
"""How many colours there are."""
_HEIGHT = 340.0
_BESIDE = 7.0
"""How far points of two lines at the same place stand from each other."""
_INSET = 24.0
"""How far the first and the last place stand from the ends of the axis: room for points beside."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, WIDTH - 200.0, 16.0, _HEIGHT - 44


class Point(Record):
    """One row on a line."""

    x: float
    """Where it lies."""
    y: float
    """Its score."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval."""
    text: str
    """What a pointer or a screen reader is told."""


class Series(Record):
    """One line."""

    name: str
    """Its name."""
    colour: int
    """Its colour's number."""
    label_y: float
    """Where its name stands, beside its end."""
    points: tuple[Point, ...]
    """From left to right."""


class TableChart(Record):
    """A table as a chart: bars, or lines."""

    title: str
    """The table's heading."""
    height: float
    """Height; the width is that of every chart."""
    legend: tuple[tuple[str, int], ...]
    """Name and colour of what has one."""
    bars: tuple[BarRow, ...] = ()
    """A row of bars a group of tasks."""
    lines: tuple[Series, ...] = ()
    """A line a series."""
    x_ticks: tuple[tuple[float, str], ...] = ()
    """Position and text on the horizontal axis."""
    y_ticks: tuple[tuple[float, str], ...] = ()
    """Position and text on the vertical axis."""
    axis: str = ""
    """What the horizontal axis shows."""


def table_chart(table: TableFigures) -> TableChart | None:
    """Place a table's chart; None where it has none, or no figure is known yet."""
    if table.chart is Chart.BARS:
        return _bars(table)
    return _lines(table) if table.chart is Chart.LINES else None


def _bars(table: TableFigures) -> TableChart | None:
    rows = [row for row in table.rows if row.cells and not _part(row, table)]
    if not rows:
        return None
    names = [*(row.name for row in rows), *_published_names(table)]
    legend = tuple((name, number % COLOURS) for number, name in enumerate(names))
    placed: list[BarRow] = []
    top = 38.0 + 18 * len(legend)
    for group in table.groups(GroupKind.ALL, GroupKind.LENGTH):
        bars = _group(table, rows, group, top)
        height = BAR * len(bars) + GAP
        label = _all_label(table) if group == "all" else f"{group} tasks"
        placed.append(
            BarRow(label=label, y=top + height / 2, top=top, strong=True, bars=tuple(bars))
        )
        top += height
    return TableChart(
        title=table.title,
        height=top + 8,
        legend=legend,
        bars=tuple(placed),
        x_ticks=tuple((score_x(value), str(value)) for value in range(0, 101, 20)),
    )


def _part(row: RowFigures, table: TableFigures) -> bool:
    """Tell whether a row is but a part of one that sums rows up, which is drawn in its place."""
    sums = [set(one.types) for one in table.rows if not one.wanted and one.cells]
    return any(set(row.types) < types for types in sums)


def _all_label(table: TableFigures) -> str:
    names, of = table.types
    return f"{len(names)} of {of} task types" if _fewer(table) else "all task types"


def _fewer(table: TableFigures) -> bool:
    names, of = table.types
    return 0 < len(names) < of


def _published_names(table: TableFigures) -> list[str]:
    """Return the names of published figures; beside fewer task types, of how many they are."""
    fewer = f", all {PUBLISHED_TYPES} types" if _fewer(table) else ""
    return [f"{published(one).name}{fewer}" for one in table.published]


def _group(table: TableFigures, rows: Sequence[RowFigures], group: str, top: float) -> list[Bar]:
    found: list[tuple[int, str, float, float, float]] = []
    for number, row in enumerate(rows):
        cell = row.cell(group)
        if cell is not None:
            said = f"{row.name}, {group}: {cell.score}"
            found.append((number, said, cell.score.mean, cell.score.low, cell.score.high))
    for number, one in enumerate(map(published, table.published), start=len(rows)):
        score = one.score(group)
        if score is not None:
            found.append((number, f"{one.name}, {group}: {score}", score, score, score))
    return [
        Bar(
            agent=number % COLOURS,
            y=round(top + GAP / 2 + BAR * place, 1),
            x=score_x(mean),
            low=score_x(low),
            high=score_x(high),
            text=text,
        )
        for place, (number, text, mean, low, high) in enumerate(found)
    ]


def _lines(table: TableFigures) -> TableChart | None:
    shown = [row for row in table.rows if row.series and row.at and row.cells]
    if not shown:
        return None
    places = sorted({row.at for row in shown if row.at})
    least, most = math.log(places[0]), math.log(places[-1])

    def across(at: float) -> float:
        share = (math.log(at) - least) / (most - least) if most > least else 0.5
        return round(_LEFT + _INSET + (_RIGHT - _LEFT - 2 * _INSET) * share, 1)

    names = list(dict.fromkeys(row.series for row in shown))
    lines: list[Series] = []
    for number, name in enumerate(names):
        mine = sorted((row for row in shown if row.series == name), key=lambda row: row.at or 0)
        beside = _BESIDE * (number - (len(names) - 1) / 2)  # else intervals would hide each other
        points = tuple(_point(row, across(row.at or 1) + beside) for row in mine)
        lines.append(
            Series(name=name, colour=number % COLOURS, label_y=points[-1].y + 4, points=points)
        )
    return TableChart(
        title=table.title,
        height=_HEIGHT,
        legend=(),
        lines=tuple(_apart(lines)),
        x_ticks=tuple(_spaced([(across(at), _figure(at)) for at in places])),
        y_ticks=tuple((_up(score), str(score)) for score in range(0, 101, 20)),
        axis=table.axis,
    )


def _point(row: RowFigures, x: float) -> Point:
    score = row.cells[0].score
    return Point(
        x=round(x, 1),
        y=_up(score.mean),
        low=_up(score.low),
        high=_up(score.high),
        text=f"{row.name}: {score}",
    )


def _apart(lines: Sequence[Series]) -> list[Series]:
    """Move names apart that would overlap."""
    moved: list[Series] = []
    y = _HEIGHT
    for line in sorted(lines, key=lambda line: -line.label_y):
        y = min(line.label_y, y - 15)
        moved.append(line.model_copy(update={"label_y": round(y, 1)}))
    return moved


def _spaced(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out ticks whose text would overlap the one before."""
    kept: list[tuple[float, str]] = []
    for x, text in ticks:
        if not kept or x - kept[-1][0] >= 40:
            kept.append((x, text))
    return kept


def _up(score: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * score / 100, 1)


def _figure(value: float) -> str:
    return f"{value / 1e6:.3g}M" if value >= 1e5 else f"{value:g}"
