"""What worlds share whose games run in an engine of the package `textworld`."""

from abc import abstractmethod
from collections.abc import Sequence
from threading import RLock
from typing import NamedTuple

from typing_extensions import override

from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

PYTHON_ENGINE = RLock()
"""Held while the package's Python code runs: it keeps grammars and types in places of its own."""


class EngineAnswer(NamedTuple):
    """What an engine says after an action, or at the beginning."""

    text: str
    """The answer."""
    score: int
    """0..100."""
    moves: int
    """Moves so far."""
    place: str
    """Where the agent is."""
    accepted: bool = True
    """The engine knew the action."""
    stop: StopReason | None = None
    """`solved` or `failed` where the game is over."""


class EngineWorld(Environment):
    """A world that plays one game of such an engine at a time, in this process."""

    _now: EngineAnswer | None = None
    _closed = False

    @property
    @abstractmethod
    def _table(self) -> TaskTable:
        """The tasks that there are."""

    @abstractmethod
    def _begin(self, task: Task) -> tuple[str, EngineAnswer]:
        """Load a game; return what the agent is told to do, and the beginning."""

    @abstractmethod
    def _play(self, action: str, before: EngineAnswer) -> EngineAnswer:
        """Send one action, which is one line."""

    @abstractmethod
    def _end(self) -> None:
        """Forget the game that is loaded, if any."""

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self._table.tasks(split, simplifications)

    @override
    def reset(self, task: Task) -> Observation:
        self._check(task)
        description, self._now = self._begin(task)
        told = task.model_copy(update={"description": description})
        return Observation(task=told, look=self.look(), inventory=self.inventory())

    @override
    def step(self, action: str) -> StepResult:
        before = self._live()
        if before.stop is not None:
            raise EnvironmentFailed("the episode is over: call reset")
        self._now = now = self._play(" ".join(action.split()), before)
        return StepResult(
            observation=now.text,
            score=now.score,
            moves=now.moves,
            accepted=now.accepted,
            entered=now.place != before.place,
            stop_reason=now.stop,
        )

    @override
    def close(self) -> None:
        self._closed, self._now = True, None
        self._end()

    def _check(self, task: Task) -> None:
        """Accept a task, and end the running episode."""
        self._table.check(task)
        if self._closed:
            raise EnvironmentFailed(f"this world '{self.name}' is closed: make another one")
        self._now = None

    def _live(self) -> EngineAnswer:
        if self._now is None:
            raise EnvironmentFailed("no episode is running: call reset first")
        return self._now
