"""A teacher of your own: one sub-goal for each stretch of actions up to the next walk.

python examples/own_teacher.py [RUN_FOLDER]; or in a configuration that lies beside this file:

    [annotate]
    teacher = "own_teacher:WalkTeacher"
"""

import sys

import subgoal

WALK = "go to "


class WalkTeacher(subgoal.Teacher):
    """Begins a sub-goal at every walk, and names it after where the walk leads."""

    name = "walks"

    def annotate(self, trajectory: subgoal.Trajectory) -> subgoal.AnnotatedTrajectory:
        """Split a path at its walks."""
        ends = [n for n, action in enumerate(trajectory.actions) if n and action.startswith(WALK)]
        lasts = [*ends, len(trajectory.steps)]
        firsts = [1, *(end + 1 for end in ends)]
        actions = [trajectory.actions[first - 1] for first in firsts]
        names = [
            f"work_in({action.removeprefix(WALK)})" if action.startswith(WALK) else "begin()"
            for action in actions
        ]
        pairs = list(zip(names, lasts, strict=True))
        return subgoal.AnnotatedTrajectory.of(trajectory, pairs, self.name)


def main(folder: str, per_type: int = 10) -> None:
    """Collect paths of the tiny world and annotate them."""
    run = subgoal.Run(folder, {"annotate": {"transfer": False}})
    run.collect(environment="errand", per_type=per_type)
    print(run.annotate(teacher=WalkTeacher()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/own-teacher")
