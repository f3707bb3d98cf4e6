"""Where the marks of the report's charts go; the page's template draws them as SVG."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.metrics import AgentScores, GroupScores
from subgoal.evaluation.offline.figures import AgentFigures
from subgoal.report.curves import Curve, CurveKind

WIDTH = 920
"""Width of every chart in its own units; the page scales it."""
LABELS = 330
"""Width that the row labels of the bar chart take."""
BAR = 9
"""Height of a bar."""
GAP = 13
"""Space between two rows of bars."""


Ticks = tuple[tuple[float, str], ...]
"""Position and text of the ticks of an axis."""


class Bar(NamedTuple):
    """One agent's mean on one row: the bar ends at `x`, its interval goes from `low` to `high`."""

    agent: int
    """The agent's number: its colour."""
    y: float
    x: float
    low: float
    high: float
    text: str
    """What a pointer or a screen reader is told."""


class BarRow(NamedTuple):
    """The bars of one task type, group of types, or all; `y` is its middle."""

    label: str
    y: float
    top: float
    strong: bool
    """True for the rows that sum up others."""
    bars: tuple[Bar, ...]


class BarChart(NamedTuple):
    """Mean scores with intervals: all, then each group of types followed by its types."""

    height: float
    ticks: Ticks
    rows: tuple[BarRow, ...]


class Line(NamedTuple):
    """One drawn curve."""

    name: str
    number: int
    """The student's number: its colour."""
    kind: str
    """`training` or `validation`; empty where there is but one kind."""
    points: str
    """The points as SVG's polyline takes them."""
    dots: tuple[tuple[float, float], ...]
    """Which of them are marked: the last, or all where there are few."""
    text: str
    """Name, kind and last value."""


class LineChart(NamedTuple):
    """Curves on two axes, such as loss, on a logarithmic axis, against tokens."""

    height: float
    x_ticks: Ticks
    y_ticks: Ticks
    lines: tuple[Line, ...]


class Forest(NamedTuple):
    """A difference and its interval in percent of the width of the axis, and where zero lies."""

    zero: float
    x: float
    low: float
    high: float


def bar_chart(agents: Sequence[AgentScores]) -> BarChart:
    """Place a bar for every agent on every row: all, groups of types, task types."""
    rows: list[BarRow] = []
    top = 30.0
    for label, strong, groups in _rows(agents):
        bars = [
            _bar(number, agents[number].agent, top + GAP / 2 + BAR * place, group)
            for place, (number, group) in enumerate(groups)
        ]
        height = BAR * len(groups) + GAP
        rows.append(
            BarRow(label=label, y=top + height / 2, top=top, strong=strong, bars=tuple(bars))
        )
        top += height
    ticks = tuple((score_x(value), str(value)) for value in range(0, 101, 20))
    return BarChart(height=top + 8, ticks=ticks, rows=tuple(rows))


def loss_chart(curves: Sequence[Curve]) -> LineChart | None:
    """Place curves of losses, on a logarithmic axis; None where there is nothing to draw."""
    losses = [loss for curve in curves for _, loss in curve.points if loss > 0]
    if not losses:
        return None
    ticks = _loss_ticks(max(_LEAST, min(losses)), min(max(losses), _PEAK))
    least, peak = math.log(ticks[0]), math.log(ticks[-1])

    def height(loss: float) -> float:
        return (math.log(min(max(loss, ticks[0]), ticks[-1])) - least) / (peak - least)

    return _line_chart(curves, ticks, height, "{:.3f}")


def score_chart(curves: Sequence[Curve]) -> LineChart | None:
    """Place curves of scores, from 0 to 100; None where there is nothing to draw."""

    def height(score: float) -> float:
        return min(max(score, 0.0), 100.0) / 100

    return _line_chart(curves, range(0, 101, 20), height, "{:.1f}")


_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, WIDTH - 170.0, 12.0, 260.0
"""Where the axes of a line chart end."""
_LEAST, _PEAK = 1e-9, 1e9
"""Losses beyond are drawn there."""
_MANY = 6
"""Powers of ten of which the ticks between are left out."""
_FEW = 20
"""Points of which each is marked."""


def _line_chart(
    curves: Sequence[Curve],
    y_ticks: Sequence[float],
    height: Callable[[float], float],
    form: str,
) -> LineChart | None:
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return None
    most = max(x for curve in curves for x, _ in curve.points) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        along, up = (_RIGHT - _LEFT) * x / most, (_BOTTOM - _TOP) * height(y)
        return round(_LEFT + along, 1), round(_BOTTOM - up, 1)

    names = list(dict.fromkeys(curve.name for curve in curves))
    lines: list[Line] = []
    for curve in curves:
        placed = [place(*point) for point in curve.points]
        few = curve.kind is CurveKind.VALIDATION and len(placed) <= _FEW
        lines.append(
            Line(
                name=curve.name,
                number=names.index(curve.name),
                kind=curve.kind,
                points=" ".join(f"{x},{y}" for x, y in placed),
                dots=tuple(placed if few else placed[-1:]),
                text=f"{curve.name}, {curve.kind} {form.format(curve.points[-1][1])}",
            )
        )
    return LineChart(
        height=_BOTTOM + 40,
        x_ticks=tuple((place(x, y_ticks[0])[0], _short(x)) for x in _ticks(most, _step(most))),
        y_ticks=tuple((place(0, y)[1], f"{y:g}") for y in y_ticks),
        lines=tuple(lines),
    )


def _step(most: float) -> float:
    """Return the distance of ticks of a whole number, such as tokens or rounds."""
    return max(1.0, _nice(most / 6))


def help_chart(agents: Sequence[AgentFigures]) -> LineChart | None:
    """Place how often agents are right against the share of turns that they take over.

    None where nobody tells how certain it is.
    """

    def place(taken: float, share: float) -> tuple[float, float]:
        x = _LEFT + (_RIGHT - _LEFT) * taken / 100
        return round(x, 1), round(_BOTTOM - (_BOTTOM - _TOP) * share / 100, 1)

    lines: list[Line] = []
    for number, one in enumerate(agents):
        if one.turns_alone is not None:
            placed = [place(each.taken, each.right or 0.0) for each in one.turns_alone.line]
            points = " ".join(f"{x},{y}" for x, y in placed)
            lines.append(Line(one.agent, number, "", points, tuple(placed[-1:]), one.agent))
    ticks = range(0, 101, 20)
    return (
        LineChart(
            height=_BOTTOM + 40,
            x_ticks=tuple((place(value, 0)[0], str(value)) for value in ticks),
            y_ticks=tuple((place(0, value)[1], str(value)) for value in ticks),
            lines=tuple(lines),
        )
        if lines
        else None
    )


def forests(intervals: Sequence[Interval]) -> list[Forest]:
    """Place differences on one axis that holds them all, and zero."""
    least = min([0.0, *(interval.low for interval in intervals)])
    most = max([0.0, *(interval.high for interval in intervals)])
    width = (most - least) or 1.0

    def place(value: float) -> float:
        return round(4 + 92 * (value - least) / width, 2)

    return [Forest(place(0), place(i.mean), place(i.low), place(i.high)) for i in intervals]


_Row = tuple[str, bool, list[tuple[int, GroupScores]]]


def _rows(agents: Sequence[AgentScores]) -> list[_Row]:
    """Return label, whether it sums up others, and (agent number, figures) of every row."""
    rows: list[_Row] = [("all task types", True, [(n, a.overall) for n, a in enumerate(agents)])]
    classes = dict.fromkeys(group.name for agent in agents for group in agent.classes)
    types = {group.name: group.group for agent in agents for group in agent.types}
    for kind in (*classes, ""):
        if kind:
            rows.append((f"{kind} tasks", True, _having(agents, kind, classes=True)))
        rows += [(name, False, _having(agents, name)) for name in types if types[name] == kind]
    return rows


def _having(
    agents: Sequence[AgentScores], name: str, classes: bool = False
) -> list[tuple[int, GroupScores]]:
    return [
        (number, group)
        for number, agent in enumerate(agents)
        for group in (agent.classes if classes else agent.types)
        if group.name == name
    ]


def _bar(number: int, agent: str, y: float, group: GroupScores) -> Bar:
    return Bar(
        agent=number,
        y=round(y, 1),
        x=score_x(group.score.mean),
        low=score_x(group.score.low),
        high=score_x(group.score.high),
        text=f"{agent}, {group.name}: {group.score}, {group.episodes} episodes",
    )


def score_x(score: float) -> float:
    """Return where a score of 0..100 lies across a bar chart."""
    return round(LABELS + (WIDTH - LABELS - 20) * score / 100, 1)


def _nice(step: float) -> float:
    """Round a tick distance up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * 0.999)


def _loss_ticks(least: float, most: float) -> list[float]:
    """Return steps of a logarithmic axis that hold both losses: 1-2-5, or 1 where they are many."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1
    factors = (1, 2, 5) if high - low < _MANY else (1,)
    steps = [float(f"{factor}e{power}") for power in range(low, high + 1) for factor in factors]
    first = max(number for number, step in enumerate(steps) if step <= least or number == 0)
    last = next(number for number, step in enumerate(steps) if step >= most and number > first)
    return steps[first : last + 1]


def _ticks(most: float, step: float) -> list[float]:
    return [step * number for number in range(int(most / step + 1e-9) + 1)]


def _short(tokens: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{letter}"
    return f"{tokens:g}"
