"""Where the marks of the report's charts go; the page's template draws them as SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.metrics import AgentScores, GroupScores
from subgoal.evaluation.offline.figures import AgentFigures
from subgoal.report.analyses import Curve

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
    """`training` or `held-out`; empty where there is but one kind."""
    points: str
    """The points as SVG's polyline takes them."""
    last: tuple[float, float]
    text: str
    """Name, kind and last value."""


class LineChart(NamedTuple):
    """Curves on two axes: loss, on a logarithmic axis, against tokens, or shares of turns."""

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


def line_chart(curves: Sequence[Curve], height: float = 300) -> LineChart | None:
    """Place the training curves; None where there is nothing to draw."""
    points = [point for curve in curves for point in curve.points if point[1] > 0]
    if not points:
        return None
    most = max(tokens for tokens, _ in points) or 1.0
    losses = _loss_ticks(min(loss for _, loss in points), max(loss for _, loss in points))
    least, peak = math.log(losses[0]), math.log(losses[-1])
    left, right, top, bottom = 52.0, WIDTH - 170.0, 12.0, height - 40

    def place(tokens: float, loss: float) -> tuple[float, float]:
        share = (math.log(max(loss, losses[0])) - least) / (peak - least)
        return round(left + (right - left) * tokens / most, 1), round(
            bottom - (bottom - top) * share, 1
        )

    names = list(dict.fromkeys(curve.name for curve in curves))
    lines: list[Line] = []
    for curve in (curve for curve in curves if curve.points):
        placed = [place(*point) for point in curve.points]
        lines.append(
            Line(
                name=curve.name,
                number=names.index(curve.name),
                kind=curve.kind,
                points=" ".join(f"{x},{y}" for x, y in placed),
                last=placed[-1],
                text=f"{curve.name}, {curve.kind} {curve.points[-1][1]:.3f}",
            )
        )
    return LineChart(
        height=height,
        x_ticks=tuple((place(v, 1)[0], _short(v)) for v in _ticks(most, _nice(most / 6))),
        y_ticks=tuple((place(0, v)[1], f"{v:g}") for v in losses),
        lines=tuple(lines),
    )


def help_chart(agents: Sequence[AgentFigures], height: float = 300) -> LineChart | None:
    """Place how often agents are right against the share of turns that they take over.

    None where nobody tells how certain it is.
    """
    left, right, top, bottom = 52.0, WIDTH - 170.0, 12.0, height - 40

    def place(taken: float, share: float) -> tuple[float, float]:
        x = left + (right - left) * taken / 100
        return round(x, 1), round(bottom - (bottom - top) * share / 100, 1)

    lines: list[Line] = []
    for number, one in enumerate(agents):
        if one.turns_alone is not None:
            placed = [place(each.taken, each.right or 0.0) for each in one.turns_alone.line]
            points = " ".join(f"{x},{y}" for x, y in placed)
            lines.append(Line(one.agent, number, "", points, placed[-1], one.agent))
    ticks = range(0, 101, 20)
    return (
        LineChart(
            height=height,
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
    """Return 1-2-5 steps of a logarithmic axis that hold both losses."""
    steps = [factor * 10.0**power for power in range(-6, 6) for factor in (1, 2, 5)]
    first = max(number for number, step in enumerate(steps) if step <= least or number == 0)
    last = next(number for number, step in enumerate(steps) if step >= most and number > first)
    return [round(step, 6) for step in steps[first : last + 1]]


def _ticks(most: float, step: float) -> list[float]:
    return [step * number for number in range(int(most / step + 1e-9) + 1)]


def _short(tokens: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{letter}"
    return f"{tokens:g}"
