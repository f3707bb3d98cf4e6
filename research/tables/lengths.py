"""How long task types are by their oracle paths, and which are alike: for tables of several worlds.

Worlds group their task types each in its own way or not at all; the number of actions of an oracle
path means the same in all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from research.tables.cast import play_of
from research.tables.matrix import Place, Sized
from research.tables.table import Chart
from subgoal.annotation.annotate import journal_at

BOUNDS = {"short": 6.0, "medium": 14.0, "long": float("inf")}
"""The classes, and the most actions of a type's median oracle path in each."""
LENGTH_CLASSES = (
    "Length classes by the median number of actions of a task type's oracle paths: short up to "
    f"{BOUNDS['short']:.0f}, medium up to {BOUNDS['medium']:.0f}, long more."
)


def lengths(sized: Sized, place: Place) -> dict[str, float]:
    """Return the median number of actions of the paths that are trained on, by task type.

    Empty where the table does not show lengths, or no path is known yet.
    """
    trained = next((row for row in sized.rows if row.trained), None)
    if sized.table.chart is not Chart.LENGTHS or trained is None:
        return {}
    training = play_of(sized.table, trained, sized.scale, sized.scale.seeds[0]).training
    path = place.annotations(training, sized.scale) if training is not None else None
    if path is None or not path.is_file():
        return {}
    found: dict[str, list[int]] = defaultdict(list)
    for one in journal_at(path):
        found[one.trajectory.task.name].append(len(one.trajectory.actions))
    return {name: float(median(counts)) for name, counts in found.items()}


def classes(types: Iterable[str], lengths: Mapping[str, float]) -> dict[str, list[str]]:
    """Group task types by their length; a class without types is left out."""
    members: dict[str, list[str]] = {name: [] for name in BOUNDS}
    for one in types:
        members[next(name for name, most in BOUNDS.items() if lengths[one] <= most)].append(one)
    return {name: ours for name, ours in members.items() if ours}
