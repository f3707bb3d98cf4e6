"""Walking through a world: what it answers to a list of actions, or to who decides on the way.

Whatever the actions come from, the path becomes a trajectory.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from subgoal.cluster import Worker
from subgoal.environments.base import Ability, Environment, StopReason, Task, has
from subgoal.environments.pool import Pool, WorldLimits
from subgoal.errors import EnvironmentFailed, ExpertFailed, WorldLost
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
    """What to replay; None: the path of the expert, or of the world's own oracle."""
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


@dataclass(frozen=True)
class Situation:
    """Where a walk stands: what whoever decides on the next action may know.

    As a text it is the episode so far: the task, and each action with its answer.
    """

    task: Task
    """The task, with its description."""
    observation: str
    """The world's last answer; at the beginning the room."""
    look: str
    """The room; empty where the world does not describe it."""
    inventory: str
    """What is carried; empty where the world does not say."""
    score: int
    """The score so far."""
    accepted: bool
    """False where the world did not know the last action."""
    history: tuple[tuple[str, str], ...]
    """Each action so far, and the world's answer."""
    _world: Environment

    @property
    def valid_actions(self) -> Sequence[str]:
        """The actions that the world accepts now; empty where it lists none. Can be slow."""
        return self._world.valid_actions() if has(self._world, Ability.VALID_ACTIONS) else ()

    @override
    def __str__(self) -> str:
        said = [part for action, answer in self.history for part in (f"> {action}", answer)]
        return "\n".join([self.task.description, *said, *([] if said else [self.look])])


class Expert(ABC):
    """Makes paths by acting in worlds, several of them at once.

    Attributes:
        identity: What decides its paths beyond its name; empty: nothing that can be said.
    """

    identity: str = ""

    @abstractmethod
    def path(self, world: Environment, order: "Order") -> Trajectory:
        """Act in an order's task, from its beginning.

        Raises:
            ExpertFailed: The expert does not act; the path is lost.
            EnvironmentFailed: The world died.
        """


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
    given = iter(actions)
    return walk(world, task, lambda _: next(given, StopReason.PATH_END), source, max_moves)


def walk(
    world: Environment,
    task: Task,
    decide: Callable[[Situation], str | StopReason],
    source: str,
    max_moves: int,
) -> Trajectory:
    """Act in a task from its beginning, up to the action that ends the episode.

    Args:
        world: A live world.
        task: The task.
        decide: Returns the next action, or why the path ends here.
        source: Who decides.
        max_moves: The walk stops after this many moves of the world, or actions.

    Raises:
        EnvironmentFailed: The world died.
    """
    opening = world.reset(task)
    look, inventory = opening.look, opening.inventory
    answer, score, accepted = look, 0, True
    steps: list[Step] = []
    while True:
        told = tuple((step.action, step.observation) for step in steps)
        action = decide(
            Situation(opening.task, answer, look, inventory, score, accepted, told, world)
        )
        if isinstance(action, StopReason):
            stop = action
            break
        result = world.step(action)
        answer, score, accepted = result.observation, result.score, result.accepted
        steps.append(
            Step(
                action=action,
                observation=answer,
                score=score,
                moves=result.moves,
                look=look,
                inventory=inventory,
                accepted=accepted,
                entered=result.entered,
            )
        )
        if result.stop_reason is not None or max(result.moves, len(steps)) >= max_moves:
            stop = result.stop_reason or StopReason.STEP_LIMIT
            break
        look, inventory = world.look(), world.inventory()
    return Trajectory(
        task=opening.task,
        steps=tuple(steps),
        stop_reason=stop,
        final_score=score,
        source=source,
    )


def deliver(world: Environment, order: Order, expert: Expert | None = None) -> Delivery:
    """Replay what is ordered; once more where the world dies in between.

    Args:
        world: A live world.
        order: What is wanted.
        expert: Who acts where the order has no actions; None: the world's own oracle does.
    """
    task, reason, tries = order.task, "", 0
    while tries < _TRIES:
        try:
            if order.actions is None and expert is not None:
                path = expert.path(world, order)
            else:
                actions = world.oracle_path(task) if order.actions is None else order.actions
                path = replay(world, task, actions, order.source, order.max_moves)
            named = path.model_copy(update={"variant": order.variant})
            return Delivery(trajectory=named if order.variant else path)
        except ExpertFailed as error:
            return Delivery(failure=CollectFailure(key=order.key, reason=str(error)))
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
        options = json.loads(shared["options"])
        self._pool = Pool(shared["environment"].decode(), 1, limits, options=options)

    @override
    def work(self, items: Sequence[str]) -> list[str]:
        orders = [Order.model_validate_json(item) for item in items]
        return [one.model_dump_json() for one in self._pool.map(deliver, orders)]

    @override
    def close(self) -> None:
        self._pool.close()
