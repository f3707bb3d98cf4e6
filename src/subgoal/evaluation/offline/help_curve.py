"""How often an agent is right where it asks for help whenever it is not certain.

Nothing is fitted: at a threshold of certainty it takes over the turns at or above it, and somebody
else (the model whose logs these are) the rest. A share that is read off the same turns, such as
that of 90 % right, is a little too kind.
"""

from collections.abc import Sequence

from subgoal.record import Record

THRESHOLDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
"""The certainties at which the curve is told as a table."""
WANTED = 90.0
"""How often a turn that is taken over should be right, in percent, where nobody says else."""
_POINTS = 200
"""Most points of the line, for charts."""


class HelpPoint(Record):
    """What happens at one threshold."""

    threshold: float
    """The least certainty with which a turn is taken over."""
    taken: float
    """How many of all turns are, in percent."""
    right: float | None
    """How many of them are right, in percent; None where none is taken over."""


class HelpCurve(Record):
    """Share of turns that are taken over, and how many of them are right."""

    table: tuple[HelpPoint, ...]
    """At the `THRESHOLDS`."""
    line: tuple[HelpPoint, ...]
    """From the most certain turn to the least."""
    at_wanted: float
    """The largest share of turns that can be taken over with `WANTED` % of them right, in
    percent."""
    area: float
    """Mean share right over all shares that can be taken over, in percent; the higher, the better
    certainty tells right from wrong."""


def help_curve(turns: Sequence[tuple[float | None, bool]], of: int) -> HelpCurve | None:
    """Return the curve of turns, or None where there are none or one's certainty is not known.

    Args:
        turns: Certainty of each turn that may be taken over, and whether it is right.
        of: Number of all turns.

    >>> curve = help_curve([(0.9, True), (0.6, False), (0.9, True), (0.2, False)], 4)
    >>> curve.at_wanted, [point.right for point in curve.line]
    (50.0, [100.0, 66.66666666666667, 50.0])
    """
    known = [(certainty, right) for certainty, right in turns if certainty is not None]
    if not known or len(known) < len(turns):
        return None
    known.sort(key=lambda turn: -turn[0])
    line: list[HelpPoint] = []
    right, area = 0, 0.0
    for number, (certainty, one) in enumerate(known, start=1):
        right += one
        if number == len(known) or known[number][0] < certainty:
            point = _point(certainty, number, right, of)
            area += (point.taken - (line[-1].taken if line else 0.0)) * right / number
            line.append(point)
    good = [one.taken for one in line if one.right is not None and one.right >= WANTED]
    return HelpCurve(
        table=tuple(_at(threshold, known, of) for threshold in THRESHOLDS),
        line=(*line[: -1 : -(-len(line) // _POINTS)], line[-1]),
        at_wanted=max(good, default=0.0),
        area=100 * area / line[-1].taken,
    )


def _at(threshold: float, known: Sequence[tuple[float, bool]], of: int) -> HelpPoint:
    taken = [right for certainty, right in known if certainty >= threshold]
    return _point(threshold, len(taken), sum(taken), of)


def _point(threshold: float, taken: int, right: int, of: int) -> HelpPoint:
    return HelpPoint(
        threshold=threshold,
        taken=100 * taken / of,
        right=100 * right / taken if taken else None,
    )
