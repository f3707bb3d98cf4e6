"""Records of what was done in a world: `Step` and `Trajectory`."""

from subgoal.environments.base import StopReason, Task
from subgoal.record import Record


class Step(Record):
    """One elementary action and what came of it."""

    action: str
    """The elementary action that was sent."""
    observation: str
    """The world's answer to `action`."""
    score: int
    """Score after `action`, 0..100 (negative after a fatal mistake)."""
    moves: int
    """The world's own count of moves after `action`."""
    look: str
    """The room before `action`."""
    inventory: str
    """What the agent carried before `action`."""
    accepted: bool = True
    """False where the world did not know `action`."""
    entered: bool = False
    """True where `action` brought the agent into another place."""
    injected: bool = False
    """True for a mistake that was put into the path on purpose: read, never learned."""


class Trajectory(Record):
    """A path through a world, from the beginning of a task to its end.

    >>> from subgoal.environments.errand import ErrandWorld
    >>> from subgoal.trajectories.replay import replay
    >>> with ErrandWorld() as world:
    ...     task = world.tasks("train")[0]
    ...     path = replay(world, task, world.oracle_path(task), "oracle")
    >>> path.actions[:2], path.final_score
    (('open door to bedroom', 'go to bedroom'), 100)
    """

    task: Task
    """The task, with its description."""
    steps: tuple[Step, ...]
    """Steps in order."""
    stop_reason: StopReason
    """How the path ended; `solved` for a good oracle path."""
    final_score: int
    """Score after the last step."""
    source: str
    """Where the actions came from: `oracle` (the world's own), `recorded`, `shipped`, `file`,
    or who acted: a policy of your own by its place."""
    variant: str = ""
    """Which of several paths of the task, such as `path 2`; empty for the first."""

    @property
    def key(self) -> str:
        """Its identity; see `path_key`."""
        return path_key(self.task, self.variant)

    @property
    def actions(self) -> tuple[str, ...]:
        """The elementary actions, in order."""
        return tuple(step.action for step in self.steps)


def path_key(task: Task, variant: str) -> str:
    """Return the identity of one path of a task: the task's key, and the variant where it is one.

    Args:
        task: The task.
        variant: Which of several paths; empty: the first.
    """
    return f"{task.key}#{variant}" if variant else task.key
