"""Which train variations a round plays: more of the task types from which most can be learned."""

import random
from collections.abc import Mapping, Sequence

from subgoal.environments.base import Task

_LEAST = 0.08
"""Added to each type's spread, so that no type is forgotten."""
_UNKNOWN = 0.3
"""The spread of a type that has not been played."""
_NEW = 0.5
"""Share that the latest round has in a type's spread."""


class Draw:
    """Draws tasks, the types by the spread of their last scores.

    A type whose attempts all score alike teaches nothing; the others come more often. Within a type
    every variation comes once before one comes again.

    Args:
        tasks: All tasks that may be drawn.
        seed: Seed of the draws.
    """

    def __init__(self, tasks: Sequence[Task], seed: int) -> None:
        self._by_type: dict[str, list[Task]] = {}
        for task in tasks:
            self._by_type.setdefault(task.name, []).append(task)
        self._seed = seed

    def tasks(
        self, number: int, drawn: Mapping[str, int], spreads: Mapping[str, float]
    ) -> list[Task]:
        """Draw the tasks of a round.

        Args:
            number: How many.
            drawn: How many of each type were drawn before.
            spreads: The spread of each type's last scores, 0..1.

        Returns:
            The tasks; none twice, unless a type has fewer variations than were drawn of it.
        """
        chance = random.Random(f"{self._seed}/{sum(drawn.values())}")
        names = list(self._by_type)
        weights = [_LEAST + spreads.get(name, _UNKNOWN) for name in names]
        count = dict(drawn)
        found: list[Task] = []
        for name in chance.choices(names, weights, k=number):
            before = count.get(name, 0)
            found.append(self._variation(name, before))
            count[name] = before + 1
        return found

    def _variation(self, name: str, before: int) -> Task:
        mine = self._by_type[name]
        pass_, place = divmod(before, len(mine))
        return random.Random(f"{self._seed}/{name}/{pass_}").sample(mine, len(mine))[place]


def counted(drawn: Mapping[str, int], tasks: Sequence[Task]) -> dict[str, int]:
    """Return how many tasks of each type were drawn, a round's counted."""
    count = dict(drawn)
    for task in tasks:
        count[task.name] = count.get(task.name, 0) + 1
    return count


def renewed(
    spreads: Mapping[str, float], latest: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """Return the spread of each type's scores, the latest round's taken in.

    Args:
        spreads: The spreads before, 0..1.
        latest: The spreads of a round's groups, by type.
    """
    found = dict(spreads)
    for name, values in latest.items():
        mean = sum(values) / len(values)
        found[name] = (1 - _NEW) * found.get(name, _UNKNOWN) + _NEW * mean
    return found
