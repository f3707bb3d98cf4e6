"""Watches: readings that are taken again and again are cut where they have said what they will say.

An oracle looks at a thing and measures it until it changes, or until it gives up, forty readings
later, where the first one tells: what is liquid at 9 degrees and is cooled does not melt above 200.
A watch says what its actions were last answered: the words of state, and on which side of the
numbers that the task names a reading lies. The view counts with them, as a thing may change with
the last reading. A number whose unit the task does not name is read as it stands, and so is every
number where the task names none. A watch is cut after the first point that says what the whole
watch says and from which its numbers go no nearer to those that the task names: what is solid at
16 degrees and heated may melt before 150, so that its watch goes on.

A watch takes several readings in turn; one action done many times is no watch but waits, or looks.
A watch that ends the path ends with what the task asks for, and stays. A mistake that was put in on
purpose is no reading: it parts two watches.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    named = _Named.by(task.description)
    found = set[int]()
    for watch in _watches(steps, frozenset(ends), language(task.environment)):
        found.update(watch[_needed(steps, watch, named) :])
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

    def reading(self, text: str) -> str:
        """Return a text with the sides on which its quantities lie in place of their numbers."""

        def sides(match: re.Match[str]) -> str:
            number, unit = float(match[1]), match[2].lower()
            if unit not in self.by_unit:
                return match[0]
            told = (
                "<" if number < limit else ">="[number == limit] for limit in self.by_unit[unit]
            )
            return f"{''.join(told)} {unit}"

        return _QUANTITY.sub(sides, text)

    def distances(self, text: str) -> list[float]:
        """Return how far the quantities of a text are from each that the task names."""
        return [
            abs(float(number) - limit)
            for number, unit in _QUANTITY.findall(text)
            for limit in self.by_unit.get(unit.lower(), ())
        ]


def _watches(steps: Sequence[Step], ends: frozenset[int], spoken: WorldLanguage) -> Iterator[range]:
    """Return the runs of readings within a sub-goal, without one that ends the path."""
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


def _needed(steps: Sequence[Step], watch: range, named: _Named) -> int:
    """Return how many steps of a watch say what all of it says, and what is still to come."""
    said: dict[str, str] = {}
    far: dict[str, list[float]] = {}
    points: list[tuple[dict[str, str], str, dict[str, list[float]]]] = []
    asked = ""
    for number in watch:
        action, observation = steps[number].action, steps[number].observation
        asked = asked if action.isdigit() else action
        said = {**said, asked: named.reading(observation)}
        far = {**far, asked: named.distances(observation)}
        points.append((said, named.reading(steps[number + 1].look), far))
    if len(said) < 2:
        return len(watch)
    *last, _ = points[-1]
    return next(
        place
        for place, (*here, distances) in enumerate(points, start=1)
        if here == last and not any(_nearer(distances, later) for *_, later in points[place:])
    )


def _nearer(before: dict[str, list[float]], after: dict[str, list[float]]) -> bool:
    """Return whether a number came nearer to one that the task names."""
    return any(
        then < now
        for asked, distances in after.items()
        for now, then in zip(before[asked], distances, strict=False)
    )
