"""How near one annotation of a path is to another of the same path."""

from collections.abc import Sequence

from subgoal.annotation.subgoal import SubgoalSpan
from subgoal.record import Record


class Fidelity(Record):
    """Agreement of annotations with reference ones, over several paths."""

    boundary_f1: float
    """F1 of the last steps of sub-goals (the path's end, which is given, not counted)."""
    names: float
    """Share of steps whose function name is the reference's."""
    exact: float
    """Share of steps whose whole sub-goal is the reference's."""
    paths: int
    """Paths compared."""


def fidelity(pairs: Sequence[tuple[Sequence[SubgoalSpan], Sequence[SubgoalSpan]]]) -> Fidelity:
    """Compare annotations with references.

    Args:
        pairs: (annotation, reference) of each path; both cover the same steps.
    """
    hits = found = true = names = exact = steps = 0
    for guess, reference in pairs:
        ours = {span.last for span in guess[:-1]}
        theirs = {span.last for span in reference[:-1]}
        hits, found, true = hits + len(ours & theirs), found + len(ours), true + len(theirs)
        for a, b in zip(_by_step(guess), _by_step(reference), strict=True):
            names += a.subgoal.name == b.subgoal.name
            exact += str(a.subgoal).lower() == str(b.subgoal).lower()
            steps += 1
    return Fidelity(
        boundary_f1=2 * hits / max(1, found + true),
        names=names / max(1, steps),
        exact=exact / max(1, steps),
        paths=len(pairs),
    )


def _by_step(spans: Sequence[SubgoalSpan]) -> list[SubgoalSpan]:
    return [span for span in spans for _ in range(span.first, span.last + 1)]
