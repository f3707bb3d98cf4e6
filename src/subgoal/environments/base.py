"""The contract of a text world, and the records that cross it.

An adapter implements `Environment`; one object is one live world. Everything downstream
(collecting, playing, evaluating) sees only what is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self

from subgoal.record import Record


class StopReason(StrEnum):
    """How an episode or a replay ended."""

    SOLVED = "solved"
    """The world says that the task is complete (score 100)."""
    FAILED = "failed"
    """The world ended the episode without success (in ScienceWorld: a wrong `focus on`)."""
    STEP_LIMIT = "step_limit"
    """The protocol's limit of moves or agent steps was reached."""
    LOOP = "loop"
    """The agent repeated itself without effect."""
    INVALID_STREAK = "invalid_streak"
    """Too many actions in a row that the world does not know."""
    ENVIRONMENT_ERROR = "environment_error"
    """The world died or did not answer."""
    CONTEXT_FULL = "context_full"
    """The student's context is full and no rule could shorten it."""
    PATH_END = "path_end"
    """A replayed list of actions, or a person, ended before the world did."""


class Task(Record):
    """One playable task; `key` identifies it."""

    environment: str
    """Name of the world in the registry, such as `scienceworld`."""
    name: str
    """Task type, such as `boil`."""
    variation: int
    """Variation number within the type."""
    split: str
    """`train`, `dev` or `test`."""
    simplifications: str = ""
    """The world's simplification setting, such as `easy`; empty for the plain world."""
    description: str = ""
    """What the agent is told to do; empty until the task was loaded once."""

    @property
    def key(self) -> str:
        """The identity of the task: `scienceworld/boil/3` or `scienceworld/boil/3/easy`."""
        key = f"{self.environment}/{self.name}/{self.variation}"
        return f"{key}/{self.simplifications}" if self.simplifications else key


class Observation(Record):
    """What an agent knows when an episode begins."""

    task: Task
    """The task, with its description."""
    look: str
    """The room, as the world describes it."""
    inventory: str
    """What the agent carries, as the world describes it."""


class StepResult(Record):
    """The world's answer to one action."""

    observation: str
    """The answer to the action."""
    score: int
    """Score after the action; 0..100, negative (-100) after a fatal mistake."""
    moves: int
    """The world's own count of moves so far (a wait of ten ticks is ten moves)."""
    accepted: bool
    """False where the world did not know the action at all (nothing happened)."""
    entered: bool
    """True where the action brought the agent into another place."""
    stop_reason: StopReason | None = None
    """`solved` or `failed` where the world ended the episode, else None."""


class Environment(ABC):
    """One live world, deterministic for a task.

    `reset` before anything else but `tasks`. After an `EnvironmentFailed` the next `reset`
    starts the world again. Use as a context manager, or call `close`.

    What a subclass raises or returns against this contract becomes an `EnvironmentFailed` that
    names the world, the method and what came of it (`boundary.py`).
    """

    def __init_subclass__(cls) -> None:
        """Put the checks of the contract around the methods of a subclass."""
        super().__init_subclass__()
        from subgoal.environments.boundary import CHECKS, checked  # it needs what is above

        for name in CHECKS.keys() & vars(cls).keys():
            setattr(cls, name, checked(name, vars(cls)[name]))

    name: str
    """Name in the registry."""
    answer_seconds: float = 60.0
    """How long one answer may take (making an oracle path: ten times as long) before the world is
    taken for dead. A world without a process of its own cannot be stopped and ignores it."""

    never_replaced: tuple[str, ...] = ()
    """Verbs, such as `focus`: an action that begins with one is sent as an agent wrote it or not at
    all, and is never sent in place of another. Name those whose effect cannot be undone."""

    @property
    def pid(self) -> int | None:
        """Process id of the world's own process; None where it has none, or none runs."""
        return None

    def start(self) -> None:  # noqa: B027 - may be left out
        """Start what the world runs on, ahead of the first `reset`, which else does it.

        Raises:
            EnvironmentFailed: It cannot be started.
        """

    def beside(self) -> "Environment | None":
        """Make another world that shares this one's process; None where a process is one world.

        One answers at a time then. If the process dies under one of them, the others raise
        `WorldLost`.
        """
        return None

    @abstractmethod
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        """Return all tasks of a split, by type in the world's order, then by variation.

        Raises:
            TaskUnknown: No such split or simplification.
        """

    @abstractmethod
    def reset(self, task: Task) -> Observation:
        """Load the task from its beginning. Costs no move.

        Raises:
            TaskUnknown: No such task type or variation.
            EnvironmentFailed: The world cannot be started or does not answer.
        """

    @abstractmethod
    def step(self, action: str) -> StepResult:
        """Send one elementary action.

        Raises:
            EnvironmentFailed: The world died, or the episode is over, or never began.
        """

    @abstractmethod
    def look(self) -> str:
        """Describe the room. Free: changes nothing, costs no move."""

    @abstractmethod
    def inventory(self) -> str:
        """Describe what the agent carries. Free: changes nothing, costs no move."""

    @abstractmethod
    def valid_actions(self) -> Sequence[str]:
        """List the actions that the world accepts now. Can be slow: ask only when needed."""

    @abstractmethod
    def oracle_path(self, task: Task) -> Sequence[str]:
        """Return elementary actions that solve the task. Ends the running episode.

        Raises:
            EnvironmentFailed: The world has no oracle for the task, or died.
        """

    @abstractmethod
    def close(self) -> None:
        """End the world and free its memory. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
