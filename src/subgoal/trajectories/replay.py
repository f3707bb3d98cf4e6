"""Replaying: actions are sent to a world again, and what it answers becomes a trajectory."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from subgoal.cluster import Worker
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.pool import Pool, WorldLimits
from subgoal.errors import EnvironmentFailed, WorldLost
from subgoal.record import Record
from subgoal.trajectories.trajectory import Step, Trajectory, path_key

_TRIES = 2
"""How often a path is tried before it is given up: a world that died is started again."""


class CollectFailure(Record):
    """Why a task has no trajectory."""

    key: str
    """The key that the trajectory would have."""
    reason: str
    """One sentence."""


class Order(Record):
    """A trajectory that is wanted."""

    task: Task
    """The task."""
    variant: str = ""
    """Which of several paths of the task."""
    source: str
    """Where the actions come from."""
    actions: tuple[str, ...] | None
    """What to replay; None: the world's own oracle path."""
    max_moves: int
    """The replay stops after this many moves of the world."""

    @property
    def key(self) -> str:
        """The key of the trajectory that comes of it."""
        return path_key(self.task, self.variant)


class Delivery(Record):
    """What came of an order: one of the two."""

    trajectory: Trajectory | None = None
    """The trajectory."""
    failure: CollectFailure | None = None
    """Why there is none."""


def replay(
    world: Environment, task: Task, actions: Sequence[str], source: str, max_moves: int = 2000
) -> Trajectory:
    """Replay actions from the task's beginning, up to the one that ends the episode.

    Args:
        world: A live world.
        task: The task that the actions are for.
        actions: Elementary actions.
        source: Where they come from.
        max_moves: The replay stops after this many moves of the world.

    Returns:
        The trajectory; `stop_reason` is `path_end` where the actions ended before the world did.

    Raises:
        EnvironmentFailed: The world died.
    """
    opening = world.reset(task)
    look, inventory = opening.look, opening.inventory
    steps: list[Step] = []
    stop = StopReason.PATH_END
    for action in actions:
        result = world.step(action)
        steps.append(
            Step(
                action=action,
                observation=result.observation,
                score=result.score,
                moves=result.moves,
                look=look,
                inventory=inventory,
                accepted=result.accepted,
                entered=result.entered,
            )
        )
        if result.stop_reason is not None or result.moves >= max_moves:
            stop = result.stop_reason or StopReason.STEP_LIMIT
            break
        look, inventory = world.look(), world.inventory()
    return Trajectory(
        task=opening.task,
        steps=tuple(steps),
        stop_reason=stop,
        final_score=steps[-1].score if steps else 0,
        source=source,
    )


def deliver(world: Environment, order: Order) -> Delivery:
    """Replay what is ordered; once more where the world dies in between."""
    task, reason, tries = order.task, "", 0
    while tries < _TRIES:
        try:
            actions = world.oracle_path(task) if order.actions is None else order.actions
            path = replay(world, task, actions, order.source, order.max_moves)
            named = path.model_copy(update={"variant": order.variant})
            return Delivery(trajectory=named if order.variant else path)
        except EnvironmentFailed as error:
            reason = str(error)
            # Under another world's fault: that one has its own tries.
            tries += not isinstance(error, WorldLost)
    return Delivery(failure=CollectFailure(key=order.key, reason=reason))


class ReplayWorker(Worker):
    """Replays in a process of a cluster, in one world."""

    @override
    def __init__(self, shared: Mapping[str, bytes]) -> None:
        limits = WorldLimits.model_validate_json(shared["limits"])
        self._pool = Pool(shared["environment"].decode(), 1, limits)

    @override
    def work(self, items: Sequence[str]) -> list[str]:
        orders = [Order.model_validate_json(item) for item in items]
        return [one.model_dump_json() for one in self._pool.map(deliver, orders)]

    @override
    def close(self) -> None:
        self._pool.close()
