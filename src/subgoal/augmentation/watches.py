"""Watches: readings that are taken again and again are cut where they have said what they will say.

An oracle looks at a thing and measures it until it changes, or until it gives up, forty readings
later, where the first one tells: what is liquid at 9 degrees and is cooled does not melt above 200.
Where readings measure what the task names (`degrees`), a watch is cut after the first one from
which its numbers go no nearer to those that the task names: nothing later can change the answer.
What is solid at 16 degrees and heated may melt before 150, so that its watch goes on. An oracle
knows when a thing has changed and measures it by its new name (`liquid wax`), which nobody can have
read yet: such a watch goes on until all its readings have been taken of the thing by that name.

Other watches are cut after the first point that says what the whole watch says: what its actions
were last answered, and the view, as a thing may change with the last reading.

A watch takes several readings in turn; one action done many times is no watch but waits, or looks.
A watch that ends the path ends with what the task asks for, and stays. A mistake that was put in on
purpose is no reading: it parts two watches.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step, Trajectory

_QUANTITY = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?) ?([^\W\d_]+|%)")
"""A number with its unit, the word that follows it."""


def needless_readings(path: Trajectory, ends: Sequence[int] = ()) -> frozenset[int]:
    """Return which steps of a path, from 0, are readings that say nothing new.

    Args:
        path: The path.
        ends: The last step of each sub-goal, from 0: no watch goes beyond one.
    """
    task, steps = path.task, path.steps
    named, spoken = _Named.by(task.description), language(task.environment)
    found = set[int]()
    for watch in watches(steps, ends, spoken):
        found.update(watch[_needed(steps, watch, named, spoken) :])
    return frozenset(found)


@dataclass(frozen=True)
class _Named:
    """The quantities that a task names."""

    by_unit: dict[str, tuple[float, ...]]

    @classmethod
    def by(cls, description: str) -> "_Named":
        """Return those of a task's description, by their units."""
        found: dict[str, set[float]] = {}
        for number, unit in _QUANTITY.findall(description):
            found.setdefault(unit.lower(), set()).add(float(number))
        return cls({unit: tuple(sorted(numbers)) for unit, numbers in found.items()})

    def distances(self, text: str) -> list[float]:
        """Return how far the quantities of a text are from each that the task names."""
        return [
            abs(float(number) - limit)
            for number, unit in _QUANTITY.findall(text)
            for limit in self.by_unit.get(unit.lower(), ())
        ]


def watches(steps: Sequence[Step], ends: Sequence[int], spoken: WorldLanguage) -> Iterator[range]:
    """Yield the runs of readings within a sub-goal, without one that ends the path.

    Args:
        steps: The steps of a path.
        ends: The last step of each sub-goal, from 0.
        spoken: The words of the path's world.
    """
    first = 0
    for number, step in enumerate(steps):
        chosen = step.action.isdigit() and number > first
        reads = chosen or take_apart(step.action, spoken).verb in spoken.watching
        if step.injected or not reads:
            yield range(first, number)
            first = number + 1
        elif number in ends:
            if number + 1 < len(steps):
                yield range(first, number + 1)
            first = number + 1


def _needed(steps: Sequence[Step], watch: range, named: _Named, spoken: WorldLanguage) -> int:
    """Return after how many of its steps a watch can be cut."""
    points: list[_Point] = []
    said: dict[str, str] = {}
    far: dict[str, list[float]] = {}
    named_by: dict[str, tuple[str, ...]] = {}
    asked = ""
    for number in watch:
        action, observation = steps[number].action, steps[number].observation
        asked = asked if action.isdigit() else action
        said = {**said, asked: observation}
        far = {**far, asked: named.distances(observation)}
        phrase = take_apart(asked, spoken)
        named_by |= dict.fromkeys([phrase.verb] * bool(phrase.arguments), phrase.arguments[-1:])
        points.append(_Point(said, steps[number + 1].look, far, len(set(named_by.values())) < 2))
    if len(said) < 2:
        return len(watch)
    return next(n for n in range(1, len(points) + 1) if _told(points[n - 1], points[n - 1 :]))


class _Point(NamedTuple):
    """What a watch has told by one of its steps."""

    said: dict[str, str]
    """What each of its actions was last answered."""
    view: str
    """What is seen."""
    far: dict[str, list[float]]
    """By action, how far its numbers are from each that the task names."""
    agreed: bool
    """Whether all its actions last called the thing by one name."""


def _told(point: _Point, onward: Sequence[_Point]) -> bool:
    """Return whether a point tells what all that come after it do."""
    last = onward[-1]
    if point.said.keys() != last.said.keys() or (last.agreed and not point.agreed):
        return False
    if any(point.far.values()):
        return not any(_nearer(point.far, later.far) for later in onward)
    return (point.said, point.view) == (last.said, last.view)


def _nearer(before: dict[str, list[float]], after: dict[str, list[float]]) -> bool:
    """Return whether a number came nearer to one that the task names."""
    return any(
        then < now
        for asked, distances in after.items()
        for now, then in zip(before[asked], distances, strict=False)
    )
