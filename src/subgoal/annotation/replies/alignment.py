"""Alignment of the actions that a teacher listed with the true path.

A reply in the paper's form repeats the path's actions, with faults: some are missing, some are
extra or repeated, some are reworded. Which sub-goal owns which step follows from aligning the two
lists by minimal edit distance (paper, appendix on data generation: dynamic time warping). A step
has an owner only where *every* alignment of near-minimal cost gives it the same one. Where they
differ (a run of one action that crosses a boundary, with one of its repeats missing), the step is
doubtful and nothing is guessed.

It is an exact dynamic programme over numpy rows: a path of 1,000 actions takes milliseconds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import cdist

MISSING = -1
"""Owner of a step that no listed action stands for."""
DOUBTFUL = -2
"""Owner of a step that near-minimal alignments give to different sub-goals."""

_ALIKE = 0.55
"""Least similarity (0..1) of an action and its rewording."""
_INDEL = 1.0
_FORBIDDEN = 2 * _INDEL
_SLACK = 0.6
"""Alignments of up to this much more than the minimal cost have a say."""
_EPSILON = 1e-3

QUOTES = "'\"`\u00b4\u2018\u2019\u201c\u201d"
"""Quotation marks that language models write."""

Matrix = NDArray[np.float32]
Indices = NDArray[np.int64]


@lru_cache(maxsize=8192)
def normal(action: str) -> str:
    """Return an action as it is compared: lower case, single spaces, no quotes around it."""
    return " ".join(action.lower().split()).strip(QUOTES + " .,;[]{}")


@dataclass(frozen=True)
class Ownership:
    """Which sub-goal owns each step of a path."""

    owners: tuple[int, ...]
    """For each step the index of its sub-goal, or `MISSING`, or `DOUBTFUL`."""
    certain: tuple[bool, ...]
    """For each step whether every near-minimal alignment has it."""


def owners(
    listed: Sequence[Sequence[str]],
    actions: Sequence[str],
    cut_off: bool = False,
) -> Ownership:
    """Find which sub-goal owns each step.

    Args:
        listed: For each sub-goal, the actions that the teacher listed.
        actions: The true path.
        cut_off: True where the list breaks off, so that the rest of the path costs nothing.
    """
    path = [normal(action) for action in actions]
    items = [normal(item) for group in listed for item in group]
    groups = np.repeat(np.arange(len(listed)), [len(group) for group in listed])
    if items == path:
        return Ownership(tuple(map(int, groups)), (True,) * len(path))
    if not items:
        return Ownership((MISSING,) * len(path), (True,) * len(path))
    codes = {text: code for code, text in enumerate(dict.fromkeys([*path, *items]))}
    costs = _costs(items, path, codes)
    left = np.array([codes[item] for item in items])
    right = np.array([codes[action] for action in path])
    matches, lost = _near_minimal(left, right, costs, cut_off)
    return _agreed(matches, groups, len(path), lost)


def _costs(items: Sequence[str], path: Sequence[str], codes: Mapping[str, int]) -> Matrix:
    """Cost (texts, texts) of taking a listed action for a step: 0, 1..1.45, or forbidden."""
    table = np.full((len(codes), len(codes)), _FORBIDDEN, dtype=np.float32)
    np.fill_diagonal(table, 0)
    # Only an action that the path does not have can be a rewording, and only of one that is
    # listed less often than the path has it: this keeps the comparison of texts small.
    known, seen = Counter(path), Counter(items)
    new = [text for text in seen if text not in known]
    lacking = [text for text, count in known.items() if count > seen[text]]
    if new and lacking:
        alike = cdist(new, lacking, scorer=ratio, dtype=np.float32) / 100
        cells = np.ix_([codes[text] for text in new], [codes[text] for text in lacking])
        table[cells] = np.where(alike >= _ALIKE, 2 * _INDEL - alike, _FORBIDDEN)
    return table


def _agreed(matches: Indices, groups: Indices, steps: int, lost: Indices) -> Ownership:
    """Give a step its sub-goal where all its matches agree on it.

    Args:
        matches: (item, step) pairs.
        groups: Which sub-goal each item is listed for.
        steps: Length of the path.
        lost: Steps that some alignment leaves out.
    """
    lowest = np.full(steps, len(groups))
    highest = np.full(steps, -1)
    np.minimum.at(lowest, matches[:, 1], groups[matches[:, 0]])
    np.maximum.at(highest, matches[:, 1], groups[matches[:, 0]])
    owner = np.where(lowest == highest, lowest, np.where(highest < 0, MISSING, DOUBTFUL))
    certain = np.ones(steps, dtype=np.bool_)
    certain[lost] = False
    return Ownership(tuple(owner.tolist()), tuple(certain.tolist()))


def _near_minimal(
    left: Indices, right: Indices, costs: Matrix, cut_off: bool
) -> tuple[Indices, Indices]:
    """Find what the alignments of near-minimal edit distance do.

    No alignment of cost `d` strays further than `d` from the diagonal, so only that band of the
    table is computed, kept as (item, diagonal): the step is item + diagonal - `reach`.

    Args:
        left: Codes of the listed actions.
        right: Codes of the path's actions.
        costs: What it costs to take one for the other, by code.
        cut_off: True where the rest of the path costs nothing.

    Returns:
        (item, step) pairs that some of them match; steps that some of them leave out.
    """
    items, steps = len(left), len(right)
    most = Indel.distance(left.tolist(), right[:items].tolist() if cut_off else right.tolist())
    reach = min(int(most + _SLACK) + 1, max(items, steps))
    step = np.arange(-reach, reach + 1)[None, :] + np.arange(items + 1)[:, None]
    cost = costs[left[:, None], right[step[:-1].clip(0, steps - 1)]]
    ahead = step.astype(np.float32)
    ahead[(step < 0) | (step > steps)] = np.inf
    left_over = np.where(np.isinf(ahead), ahead, steps - ahead)
    before = _edit_table(cost, ahead)
    end = np.where(np.isfinite(left_over[-1]) & cut_off, np.float32(0), left_over[-1])
    after = _edit_table(cost[::-1, ::-1], left_over[::-1, ::-1], end[::-1])[::-1, ::-1]
    limit = after[0, reach] + _SLACK + _EPSILON
    matched = (before[:-1] + cost + after[1:] <= limit) & (cost < _FORBIDDEN)
    skipped = before[:, :-1] + after[:, 1:] + _INDEL <= limit
    item, diagonal = np.nonzero(matched)
    matches = np.stack([item, item + diagonal - reach], axis=1)
    return matches, step[:, :-1][skipped]


def _edit_table(cost: Matrix, ramp: Matrix, start: Matrix | None = None) -> Matrix:
    """Minimal edit distance of every prefix of the items to every prefix of the path.

    Args:
        cost: What a match costs, (items, diagonals).
        ramp: How many steps a prefix of the path has, (items + 1, diagonals).
        start: The first row, where it is not `ramp`'s.
    """
    # Rows are kept less the ramp: then a run of missing steps, however long, is a running
    # minimum, and a match costs `cost` less one missing step. Beyond the path all is infinite.
    beyond = np.isinf(ramp)
    ramp = np.where(beyond, np.float32(0), ramp)
    table = np.full(ramp.shape, np.inf, dtype=np.float32)
    table[0] = np.where(beyond[0], np.inf, 0 if start is None else start - ramp[0])
    gain = cost - np.float32(_INDEL)
    for above, row, price in zip(table[:-1], table[1:], gain, strict=True):
        np.add(above[1:], np.float32(_INDEL), out=row[:-1])
        np.minimum(row, above + price, out=row)
        np.minimum.accumulate(row, out=row)
    table[beyond] = np.inf
    return table + ramp
