"""Named evaluation protocols: which tasks, how many, how long, and how a score is taken.

Everything that a report says about how agents were compared comes from here. Length classes and
limits are those of the ScienceWorld literature (paper, section 4; SwiftSage; the split on which
7-8B agents report); what they say of single task types stands beside that world.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from subgoal.environments.base import Task
from subgoal.environments.scienceworld.task_types import MEDIUM, NUMBERS, SHORT, UNSEEN_STEPS
from subgoal.errors import ConfigInvalid, TaskUnknown, nearest
from subgoal.record import Record
from subgoal.validation import checked_by


class LengthClass(StrEnum):
    """How long a task type's oracle paths are, as the paper groups them."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


class Scoring(StrEnum):
    """How an episode's score is taken from the scores after each step."""

    LAST = "last"
    """The last score; a negative one counts 0 (paper)."""
    LAST_POSITIVE = "last_positive"
    """The last score; where it is negative, the last that was not (SwiftSage)."""
    BEST = "best"
    """The best score reached, at least 0."""


class Mean(StrEnum):
    """How episodes are averaged."""

    TYPES = "types"
    """Over a type's variations, then over types, unweighted."""
    EPISODES = "episodes"
    """Over all episodes."""


def length_class(name: str) -> LengthClass | None:
    """Return the length class of a ScienceWorld task type; None for another world's."""
    if name not in NUMBERS:
        return None
    if name in SHORT:
        return LengthClass.SHORT
    return LengthClass.MEDIUM if name in MEDIUM else LengthClass.LONG


class Protocol(Record):
    """Under which rules agents are compared."""

    name: str
    """Its name."""
    split: str
    """Which split's tasks are played."""
    per_type: int
    """The first so many variations of each type (fewer where there are fewer)."""
    simplifications: str
    """The world's simplification setting; empty: none."""
    move_limit: int
    """Most moves, by the world's own count; 0: no limit."""
    step_limit: int
    """Most agent steps (actions sent)."""
    type_step_limits: dict[str, int] = {}
    """Most agent steps by task type, where they differ; with it only these types are played."""
    scoring: Scoring = Scoring.LAST
    """How an episode's score is taken."""
    mean: Mean = Mean.TYPES
    """How episodes are averaged."""

    def steps_for(self, name: str) -> int:
        """Return the most agent steps for a task type."""
        return self.type_step_limits.get(name, self.step_limit)

    def select(
        self, tasks: Sequence[Task], types: Sequence[str] = (), per_type: int | None = None
    ) -> list[Task]:
        """Choose the tasks to play.

        Args:
            tasks: The world's tasks of the protocol's split and simplifications.
            types: Only these types; empty: all of the protocol's.
            per_type: The first so many variations a type; None: as the protocol says.

        Returns:
            Tasks by type, then by variation, in the world's order.

        Raises:
            TaskUnknown: A type is not the world's, or not the protocol's; or there are no tasks.
        """
        if not tasks:
            raise TaskUnknown(f"the world has no tasks of the split '{self.split}'")
        known = list(dict.fromkeys(task.name for task in tasks))
        allowed = self.type_step_limits if set(known) & set(self.type_step_limits) else known
        for name in types:
            if name not in known:
                raise TaskUnknown(f"there is no task type '{name}'{nearest(name, known)}")
            if name not in allowed:
                raise TaskUnknown(
                    f"the protocol '{self.name}' does not play '{name}'; leave it out, or choose "
                    "another protocol"
                )
        limit = self.per_type if per_type is None else per_type
        chosen: list[Task] = []
        for name in known:
            if name in allowed and (not types or name in types):
                chosen += [task for task in tasks if task.name == name][:limit]
        return chosen

    def find(self, tasks: Sequence[Task], name: str, variation: int = 0) -> Task:
        """Return one task.

        Args:
            tasks: The world's tasks of the protocol's split and simplifications.
            name: The task type.
            variation: Which of the type's variations in the split, from 0.

        Raises:
            TaskUnknown: There is no such type or variation.
        """
        mine = [task for task in tasks if task.name == name]
        if not mine:
            known = dict.fromkeys(task.name for task in tasks)
            raise TaskUnknown(f"there is no task type '{name}'{nearest(name, known)}")
        if not 0 <= variation < len(mine):
            raise TaskUnknown(f"'{name}' has variations 0 to {len(mine) - 1} in split {self.split}")
        return mine[variation]

    def score(self, scores: Sequence[int]) -> int:
        """Take an episode's score, 0..100, from the scores after each of its steps."""
        match self.scoring:
            case Scoring.LAST:
                return max(0, scores[-1]) if scores else 0
            case Scoring.LAST_POSITIVE:
                return next((score for score in reversed(scores) if score >= 0), 0)
            case Scoring.BEST:
                return max([0, *scores])

    def __str__(self) -> str:
        limit = f"{self.move_limit} moves, " if self.move_limit else ""
        steps = "agent steps by type" if self.type_step_limits else f"{self.step_limit} agent steps"
        return (
            f"{self.name}: {self.split} split, first {self.per_type} variations a type, "
            f"simplifications {self.simplifications or 'none'}, at most {limit}{steps}, "
            f"{self.scoring} score, mean over {self.mean}"
        )


def _base(name: str, split: str, per_type: int, simplifications: str) -> Protocol:
    return Protocol(
        name=name,
        split=split,
        per_type=per_type,
        simplifications=simplifications,
        move_limit=100,
        step_limit=200,
    )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        _base("paper", "test", 10, "easy"),
        _base("swiftsage", "test", 10, "easy").model_copy(
            update={"move_limit": 300, "step_limit": 600, "scoring": Scoring.LAST_POSITIVE}
        ),
        _base("plain", "test", 10, ""),
        _base("dev", "dev", 3, ""),
        _base("dev-easy", "dev", 3, "easy"),
        _base("dev-quick", "dev", 1, ""),
        Protocol(
            name="unseen",
            split="test",
            per_type=10,
            simplifications="easy",
            move_limit=0,
            step_limit=120,
            type_step_limits=UNSEEN_STEPS,
            scoring=Scoring.BEST,
            mean=Mean.EPISODES,
        ),
    )
}
"""Every protocol by name. Tune and choose on `dev`; test protocols are for what is reported."""


def protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        ConfigInvalid: There is none of that name.
    """
    if name not in PROTOCOLS:
        hint = nearest(name, PROTOCOLS) or f"; there are: {', '.join(PROTOCOLS)}"
        raise ConfigInvalid(f"there is no protocol '{name}'{hint}")
    return PROTOCOLS[name]


ProtocolName = Annotated[str, checked_by(protocol)]
"""The name of a protocol that there is."""
