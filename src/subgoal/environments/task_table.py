"""Which tasks a world has: the check and the listing that every adapter shares."""

from collections.abc import Mapping, Sequence

from subgoal.environments.base import Task
from subgoal.errors import TaskUnknown, nearest

SPLITS = ("train", "dev", "test")
"""The splits of every world, in order."""
_MOST_LISTED = 30


class TaskTable:
    """The task types, splits, variations and simplifications of one world.

    Args:
        environment: The world's name in the registry.
        variations: For each task type, in the world's order: split -> variation numbers.
        simplifications: Single simplifications; a setting is some of them, joined by commas.
    """

    def __init__(
        self,
        environment: str,
        variations: Mapping[str, Mapping[str, Sequence[int]]],
        simplifications: Sequence[str] = (),
    ) -> None:
        self.environment = environment
        self.variations = variations
        self.simplifications = tuple(simplifications)

    @property
    def names(self) -> tuple[str, ...]:
        """The task types, in the world's order."""
        return tuple(self.variations)

    def tasks(self, split: str, simplifications: str = "") -> tuple[Task, ...]:
        """List all tasks of a split, by type, then by variation.

        Raises:
            TaskUnknown: No such split or simplification.
        """
        self.check_split(split)
        self.check_simplifications(simplifications)
        return tuple(
            Task(
                environment=self.environment,
                name=name,
                variation=variation,
                split=split,
                simplifications=simplifications,
            )
            for name, splits in self.variations.items()
            for variation in splits[split]
        )

    def check(self, task: Task) -> None:
        """Accept a task that this world has.

        Raises:
            TaskUnknown: The world, type, variation, split or simplification is another's.
        """
        if task.environment != self.environment:
            raise TaskUnknown(f"task {task.key} belongs to another world than '{self.environment}'")
        self.check_name(task.name)
        self.check_split(task.split)
        self.check_simplifications(task.simplifications)
        splits = self.variations[task.name]
        if task.variation in splits[task.split]:
            return
        home = [split for split in SPLITS if task.variation in splits[split]]
        if home:
            raise TaskUnknown(
                f"variation {task.variation} of task type '{task.name}' is in the {home[0]} split,"
                f" not in {task.split}"
            )
        known = [variation for split in SPLITS for variation in splits[split]]
        raise TaskUnknown(
            f"task type '{task.name}' of world '{self.environment}' has no variation"
            f" {task.variation}; it has {min(known)} to {max(known)}"
        )

    def check_name(self, name: str) -> None:
        """Accept a task type of this world, or raise `TaskUnknown` naming the nearest."""
        self._check("task type", name, self.names)

    def check_split(self, split: str) -> None:
        """Accept a split, or raise `TaskUnknown` naming the nearest."""
        self._check("split", split, SPLITS)

    def check_simplifications(self, setting: str) -> None:
        """Accept a simplification setting, or raise `TaskUnknown` naming the nearest."""
        for name in setting.split(",") if setting else ():
            self._check("simplification", name, self.simplifications)

    def _check(self, what: str, name: str, known: Sequence[str]) -> None:
        if name not in known:
            more = ", ..." if len(known) > _MOST_LISTED else ""
            listed = ", ".join(known[:_MOST_LISTED]) or "none"
            hint = nearest(name, known) or f"; it has: {listed}{more}"
            raise TaskUnknown(f"world '{self.environment}' has no {what} '{name}'{hint}")
