"""From which sub-goal owns which step to spans, mended as the paper does.

A single step without an owner joins the sub-goal before it; two or more in a row, and any doubtful
step, are left as a *segment* to ask the teacher about again. Steps between two of one sub-goal are
its own, since a sub-goal is contiguous. What was mended is marked, and so are its neighbours, with
whom it shares a boundary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from subgoal.annotation.replies.alignment import DOUBTFUL, Ownership
from subgoal.annotation.subgoal import Subgoal, SubgoalSpan


@dataclass(frozen=True)
class Reading:
    """What could be read from a reply."""

    spans: tuple[SubgoalSpan, ...] = ()
    """Spans in order; where `segments` is empty they cover the path."""
    owners: tuple[int, ...] = ()
    """Which of the reply's sub-goals each span is."""
    segments: tuple[tuple[int, int], ...] = ()
    """Inclusive (first, last) steps left without a sub-goal."""
    reason: str = ""
    """Why there are segments."""

    @property
    def covered(self) -> int:
        """How many steps have a sub-goal."""
        return sum(span.last - span.first + 1 for span in self.spans)


def mend(ownership: Ownership, subgoals: Sequence[Subgoal | None], first: int = 1) -> Reading:
    """Settle owners into spans.

    Args:
        ownership: Which of `subgoals` owns each step.
        subgoals: The reply's sub-goals in order; None for one that is malformed.
        first: Number of the first step.
    """
    owned = [DOUBTFUL if o >= 0 and subgoals[o] is None else o for o in ownership.owners]
    _doubt_inversions(owned)
    mended: set[int] = set()
    for start, stop in _gaps(owned):
        before = owned[start - 1] if start else -1
        after = owned[stop] if stop < len(owned) else len(subgoals)
        sides = ownership.certain[max(start - 1, 0) : stop + 1]
        sure = stop - start == 1 or (sides[0] and sides[-1])
        owner = _heir(owned[start:stop], before, after, subgoals, sure)
        if owner is not None:
            owned[start:stop] = [owner] * (stop - start)
            mended |= {before, owner, after}
    runs = [(-1, 0, 0), *_runs(owned), (len(subgoals), len(owned), len(owned))]
    # A sub-goal that was dropped, since none of its actions is in the path, leaves its mark.
    for (before, start, stop), (after, _, _) in pairwise(runs):
        if after > before + 1 and (before >= 0 or start == stop):
            mended |= {before, after}
    found = {
        o: SubgoalSpan(
            subgoal=named, first=first + start, last=first + stop - 1, repaired=o in mended
        )
        for o, start, stop in _runs(owned)
        if o >= 0 and (named := subgoals[o]) is not None
    }
    segments = tuple((first + start, first + stop - 1) for start, stop in _gaps(owned))
    reason = _reason(owned) if segments else ""
    return Reading(tuple(found.values()), tuple(found), segments, reason)


def _heir(
    gap: Sequence[int], before: int, after: int, subgoals: Sequence[Subgoal | None], sure: bool
) -> int | None:
    """Return which sub-goal the steps of a gap join, or None where the teacher must be asked."""
    if DOUBTFUL in gap:
        return None
    if before == after:
        return before if sure else None
    between = range(before + 1, after)
    if len(gap) > 1 or any(subgoals[index] is None for index in between):
        return None
    if between:
        return between[0] if len(between) == 1 else None
    return before if before >= 0 else after


def _doubt_inversions(owned: list[int]) -> None:
    """Make doubtful every step whose sub-goal is out of order with another step's."""
    highest = -1
    late: set[int] = set()
    for step, owner in enumerate(owned):
        if 0 <= owner < highest:
            late.add(step)
        highest = max(highest, owner)
    lowest = len(owned) + max(owned, default=0) + 1
    for step in range(len(owned) - 1, -1, -1):
        owner = owned[step]
        if owner > lowest or step in late:
            owned[step] = DOUBTFUL
        lowest = min(lowest, owner) if owner >= 0 else lowest


def _runs(owned: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (owner, start, stop) of every run of one owner, counted from 0."""
    runs: list[tuple[int, int, int]] = []
    start = 0
    for owner, steps in groupby(owned):
        stop = start + len(list(steps))
        runs.append((owner, start, stop))
        start = stop
    return runs


def _gaps(owned: Sequence[int]) -> list[tuple[int, int]]:
    """Return (start, stop) of every maximal run of steps without an owner."""
    return [(start, stop) for owner, start, stop in _runs([max(o, -1) for o in owned]) if owner < 0]


def _reason(owned: Sequence[int]) -> str:
    doubtful = owned.count(DOUBTFUL)
    if doubtful:
        return f"{doubtful} steps have no clear sub-goal"
    return f"{sum(owner < 0 for owner in owned)} steps in a row or more have no sub-goal"
