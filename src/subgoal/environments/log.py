"""What stands where a world is asked for and there is none: the place of a log."""

from collections.abc import Sequence

from typing_extensions import override

from subgoal.environments.base import Environment, Observation, StepResult, Task
from subgoal.errors import EnvironmentFailed


class LogWorld(Environment):
    """The world of a log: it has a name and no tasks, and cannot be stepped.

    Args:
        name: What the log is called: `log:airline`.
    """

    name = "log:"

    def __init__(self, name: str) -> None:
        self.name = name

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return ()

    @override
    def reset(self, task: Task) -> Observation:
        raise EnvironmentFailed(f"'{self.name}' is a log and no world: nothing can be played in it")

    @override
    def step(self, action: str) -> StepResult:
        raise EnvironmentFailed(f"'{self.name}' is a log and no world: nothing can be played in it")
