"""The contract of a teacher: who sets sub-goals on a trajectory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.trajectories.trajectory import Trajectory


class Teacher(ABC):
    """Annotates trajectories with sub-goals; paid once, not needed when agents play.

    Your own is `run.annotate(teacher=OneGoal())`, or `teacher = "module:Class"` in `[annotate]`.

    >>> import subgoal
    >>> class OneGoal(subgoal.Teacher):
    ...     name = "one goal"
    ...
    ...     def annotate(self, trajectory):
    ...         whole = [("finish()", len(trajectory.steps))]
    ...         return subgoal.AnnotatedTrajectory.of(trajectory, whole, self.name)
    """

    name: str
    """Written into every annotation."""

    def study(self, trajectories: Sequence[Trajectory]) -> None:  # noqa: B027 - may be left out
        """Read all paths of a run before the first is annotated.

        Args:
            trajectories: The solved paths.
        """

    @abstractmethod
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        """Split a trajectory into sub-goals.

        Raises:
            TeacherFailed: The teacher has no annotation for the path.
            AnnotationInvalid: Its annotation does not fit the path.
        """
