"""The world's own planner as a teacher: free, where a world has one."""

from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.base import Teacher
from subgoal.environments import registry
from subgoal.environments.base import Ability, Environment, need
from subgoal.errors import EnvironmentFailed, TeacherFailed
from subgoal.trajectories.trajectory import Trajectory


class WorldTeacher(Teacher):
    """Steps in a row that the world's planner takes for one sub-goal are its span.

    Args:
        options: What the world's class is made with.
    """

    name = "world"

    def __init__(self, options: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._options = options
        self._worlds: dict[str, Environment] = {}

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        task = trajectory.task
        if task.environment not in self._worlds:
            self._worlds[task.environment] = registry.make(task.environment, **self._options)
        world = self._worlds[task.environment]
        need(world, Ability.SUBGOALS, "the teacher 'world' asks for it; choose another teacher")
        try:
            pursued = world.subgoals(task, trajectory.actions)
        except EnvironmentFailed as error:
            raise TeacherFailed(f"{trajectory.key}: {error}") from error
        spans: list[tuple[str, int]] = []
        for subgoal, same in groupby(pursued):
            spans.append((subgoal, (spans[-1][1] if spans else 0) + len(list(same))))
        return AnnotatedTrajectory.of(trajectory, spans, self.name)
