"""Exact match of two agents, paired: the same held-out paths, the same actions asked for.

Both are asked the same only where they were trained on the same tasks of the same data
(`train.dataset.dev_share`, types) and the paths were told alike (`drop`, `move_limit`). What is not
so is refused rather than compared on what happens to be shared.
"""

from collections.abc import Sequence

import numpy as np

from research.tables.exact_match import ExactMatch
from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.compare import PairedDifference, paired
from subgoal.evaluation.protocol import Mean, grouped


def compare_match(first: ExactMatch, second: ExactMatch, seed: int = 0) -> list[PairedDifference]:
    """Compare the actions that two agents write exactly, path by path, in points.

    Args:
        first: Of one agent.
        second: Of the other.
        seed: Seed of the intervals.

    Returns:
        First minus second over all paths, by length class, and by task type.

    Raises:
        ComparisonInvalid: They were not asked for the same actions of the same paths.
    """
    _check(first, second)
    others = {path.key: path.exact for path in second.paths}
    by_type: dict[str, list[float]] = {}
    for path in first.paths:
        by_type.setdefault(path.type, []).append(path.exact - others[path.key])
    arrays = {name: np.array(values, float) for name, values in by_type.items()}

    def difference(name: str, types: Sequence[str]) -> PairedDifference:
        return paired(name, [arrays[one] for one in types], Mean.TYPES, seed)

    found = [difference("all", list(arrays))]
    environment = first.paths[0].key.partition("/")[0]
    found += [difference(kind, types) for kind, types in grouped(arrays, environment).items()]
    return found + [difference(name, [name]) for name in arrays]


def _check(first: ExactMatch, second: ExactMatch) -> None:
    if not first.paths or not second.paths:
        raise ComparisonInvalid(
            "exact match was not kept path by path; delete it from the run folder and measure it "
            "again"
        )
    ours, theirs = ({path.key: path.asked for path in one.paths} for one in (first, second))
    if set(ours) != set(theirs):
        alone = len(set(ours) ^ set(theirs))
        raise ComparisonInvalid(
            f"they were not asked about the same held-out paths ({alone} are of one alone); train "
            "both on the same data with the same train.dataset.dev_share and types"
        )
    if ours != theirs:
        raise ComparisonInvalid(
            "they were asked for other actions of the same paths; train both with the same "
            "train.dataset.drop and move_limit"
        )
