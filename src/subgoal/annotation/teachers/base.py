"""The contract of a teacher: who sets sub-goals on a trajectory."""

from abc import ABC, abstractmethod

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.trajectories.trajectory import Trajectory


class Teacher(ABC):
    """Annotates trajectories with sub-goals; paid once, not needed when agents play."""

    name: str
    """Written into every annotation."""

    @abstractmethod
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        """Split a trajectory into sub-goals.

        Raises:
            TeacherFailed: The teacher has no annotation for the path.
            AnnotationInvalid: Its annotation does not fit the path.
        """
