"""Thresholds: a task asks whether something is above or below a number, and a copy asks of another.

Paths of such tasks share few numbers (five, of three hundred melting points), so that a student
learns answers instead of comparing. Here the number of a task moves nearer to the readings: what is
still solid at 105 degrees melts above 100, as it does above 50, and whoever is asked about 50 need
not watch on. So the number comes to lie between any two readings before which nothing else has
changed, and the readings after these are left out. Where the readings had not passed the number
before, the answer is the other one now, and the task asks for what it asked for in the other case.
Elsewhere the number moves on the side where it is, and the answer stays.
"""

import random
import re
from collections.abc import Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.trajectories.trajectory import Step

_DEGREES = re.compile(r"(?<![0-9.])(-?[0-9]+)(?:\.[0-9]+)? degrees")
_NUMBER = re.compile(r"(?<![0-9.])-?[0-9]+(?=(?:\.[0-9]+)? degrees)")
_OTHERWISE = 0.6
"""Share of copies that are answered otherwise, where the readings had not passed the number."""
_FARTHEST = 30
"""Degrees between a first reading that has already passed the number and the number, at most."""


def nearer(one: AnnotatedTrajectory, chance: random.Random) -> AnnotatedTrajectory:
    """Return a path whose task asks about a number nearer to its readings; itself without one.

    Args:
        one: A path.
        chance: Draws the number.
    """
    task, steps = one.trajectory.task, one.trajectory.steps
    asked = {int(number) for number in _DEGREES.findall(task.description)}
    read = [(i, int(found[1])) for i, s in enumerate(steps) if (found := _read(s))]
    within = [span for span in one.spans if any(span.first - 1 <= i < span.last for i, _ in read)]
    if len(asked) != 1 or len(within) != 1 or read[-1][1] in asked:
        return one
    (number,) = asked
    values = [value for _, value in read]
    alike = _alike(steps, within[0].first - 1, [i for i, _ in read])
    passed, changed = _passed(values, number), alike < len(read)
    # What rises and changes before the number is reached had not changed at a lower one.
    turns = changed and _rising(values) and all(value < number for value in values)
    if alike > 1 and len(values) > 1 and ((passed and not changed) or turns):
        other = one if passed else _answered_otherwise(one, number)
        if other is not None and (passed or chance.random() < _OTHERWISE):
            apart = (i for i in range(1, alike) if abs(values[i] - values[i - 1]) > 1)
            at = chance.choice([0, *apart])
            cut = _cut(other, read[at][0], within[0])
            return _asked(cut, _between(values, at, values[-1] > values[0], chance)) if cut else one
    if (passed and len(values) > 1) or not (_rising(values) or _rising(values[::-1])):
        return one  # what had changed by then would have been read of another number, too
    low, high = sorted((number, values[-1] + (1 if number > values[-1] else -1)))
    return _asked(one, chance.randint(low, high))


def _rising(values: Sequence[int]) -> bool:
    return list(values) == sorted(set(values))


def _alike(steps: Sequence[Step], first: int, read: Sequence[int]) -> int:
    """Return how many readings came before anything else was answered, or named, otherwise."""
    told: set[str] = set()
    named: set[str] = set()
    count = 0
    for number in range(first, read[-1] + 1):
        step = steps[number]
        if step.injected or step.action.isdigit():
            continue
        if number in read:
            named.add(step.action)
        elif _verb(step) in {_verb(other) for other in steps[read[0] : read[-1]]}:
            told.add(step.observation)
        if len(told) > 1 or len(named) > 1:
            return count
        count += number in read
    return count


def _verb(step: Step) -> str:
    return step.action.split(" ", 1)[0]


def _answered_otherwise(one: AnnotatedTrajectory, number: int) -> AnnotatedTrajectory | None:
    """Exchange what a task asks for above and below its number; None where it does not say both."""
    said = one.trajectory.task.description
    case = rf"(?<![0-9.-]){number}(?:\.[0-9]+)? degrees[^,.]*,(.+?)\.(?=\s|$)"
    cases = list(re.finditer(case, said))
    if len(cases) != 2 or cases[0][1] == cases[1][1]:
        return None
    (a, b), (c, d) = (found.span(1) for found in cases)
    other = f"{said[:a]}{said[c:d]}{said[b:c]}{said[a:b]}{said[d:]}"
    return _described(one, other)


def _read(step: Step) -> re.Match[str] | None:
    return None if step.injected or step.entered else _DEGREES.search(step.observation)


def _passed(values: Sequence[int], number: int) -> bool:
    """Return whether the last reading alone lies beyond a number, and all lead there."""
    rising, falling = sorted(values), sorted(values, reverse=True)
    up = list(values) == rising and values[-1] > number and all(v < number for v in values[:-1])
    down = list(values) == falling and values[-1] < number and all(v > number for v in values[:-1])
    return len(values) > 1 and (up or down)


def _between(values: Sequence[int], at: int, rising: bool, chance: random.Random) -> int:
    """Draw a number that the reading `at` is the first to have passed."""
    side = 1 if rising else -1
    start = values[at - 1] + side if at else values[0] - side * _FARTHEST
    low, high = sorted((start, values[at] - side))
    return chance.randint(low, high)


def _asked(one: AnnotatedTrajectory, number: int) -> AnnotatedTrajectory:
    """Return a path whose task asks about a number."""
    said = one.trajectory.task.description
    return _described(one, _NUMBER.sub(str(number), said))


def _described(one: AnnotatedTrajectory, said: str) -> AnnotatedTrajectory:
    task = one.trajectory.task.model_copy(update={"description": said})
    path = one.trajectory.model_copy(update={"task": task})
    return one.model_copy(update={"trajectory": path})


def _cut(one: AnnotatedTrajectory, first: int, watch: SubgoalSpan) -> AnnotatedTrajectory | None:
    """Leave out what a watch does after the step `first`; None where that is more than to read."""
    last = watch.last - 1
    gone = last - first
    steps = one.trajectory.steps
    reads = {_verb(step) for step in steps[watch.first - 1 : first + 1]}
    after = [step for step in steps[first + 1 : last + 1] if not step.injected]
    if any(_verb(step) not in reads and not step.action.isdigit() for step in after):
        return None
    path = one.trajectory
    steps = (*path.steps[: first + 1], *path.steps[last + 1 :])
    spans = tuple(
        span.model_copy(
            update={
                "first": span.first - gone if span.first > last else span.first,
                "last": span.last - gone if span.last > last else span.last,
            }
        )
        for span in one.spans
    )
    return one.model_copy(
        update={"trajectory": path.model_copy(update={"steps": steps}), "spans": spans}
    )
