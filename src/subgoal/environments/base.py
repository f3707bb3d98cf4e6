"""The contract of a text world, and the records that cross it.

An adapter implements `Environment`; one object is one live world. Everything downstream
(collecting, playing, evaluating) sees only what is here. Three methods make a world; what it can do
beyond them is an `Ability`, which whoever cannot do without asks for with `need`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.errors import ConfigInvalid, EnvironmentFailed
from subgoal.own_class import place_of
from subgoal.record import Record

_KEY = re.compile(r"(.+?)/([^/]+)/(-?\d+)(?:/(?!\d+$)(.+))?")
"""The key of a task: its world, type, variation and simplifications, which are no number."""


class StopReason(StrEnum):
    """How an episode or a replay ended."""

    SOLVED = "solved"
    """The world says that the task is complete (score 100)."""
    FAILED = "failed"
    """The world ended the episode without success."""
    STEP_LIMIT = "step_limit"
    """The protocol's limit of moves or agent steps was reached, or the world's own."""
    LOOP = "loop"
    """The agent repeated itself without effect."""
    INVALID_STREAK = "invalid_streak"
    """Too many actions in a row that the world does not know."""
    ENVIRONMENT_ERROR = "environment_error"
    """The world died or did not answer."""
    CONTEXT_FULL = "context_full"
    """The student's context is full and no rule could shorten it."""
    AGENT_FAILED = "agent_failed"
    """Who acts could not go on: its model gave no reply."""
    PATH_END = "path_end"
    """A replayed list of actions, or a person, ended before the world did."""


class Task(Record):
    """One playable task; `key` identifies it."""

    environment: str
    """Name of the world in the registry, such as `errand`."""
    name: str
    """Task type, such as `fetch`."""
    variation: int
    """Variation number within the type."""
    split: str
    """`train`, `dev` or `test`."""
    simplifications: str = ""
    """The world's simplification setting, such as `easy`; empty for the plain world."""
    description: str = ""
    """What the agent is told to do; empty until the task was loaded once."""
    tools: str = ""
    """Of a log: descriptions of the agent's tools, a JSON list as chat templates take it."""

    @property
    def key(self) -> str:
        """The identity of the task: `errand/fetch/3` or `errand/fetch/3/easy`."""
        key = f"{self.environment}/{self.name}/{self.variation}"
        return f"{key}/{self.simplifications}" if self.simplifications else key


class TaskParts(NamedTuple):
    """What a task's key says."""

    environment: str
    """The world."""
    name: str
    """The task type."""
    variation: str
    """The variation."""
    simplifications: str
    """The simplification setting; empty for the plain world."""


def parts_of(key: str) -> TaskParts:
    """Take the key of a task apart; a world's name may have slashes, as Gymnasium's have.

    Args:
        key: As `Task.key` has it.
    """
    found = _KEY.fullmatch(key)
    return TaskParts(*found.groups("")) if found else TaskParts(key, "", "", "")


class Observation(Record):
    """What an agent knows when an episode begins."""

    task: Task
    """The task, with its description."""
    look: str = ""
    """The room, as the world describes it; empty where it does not."""
    inventory: str = ""
    """What the agent carries, as the world describes it; empty where it does not."""


class StepResult(Record):
    """The world's answer to one action."""

    observation: str
    """The answer to the action."""
    score: int
    """Score after the action; 0..100, negative (-100) after a fatal mistake."""
    moves: int
    """The world's own count of moves so far (a wait of ten ticks is ten moves)."""
    accepted: bool = True
    """False where the world did not know the action at all (nothing happened)."""
    entered: bool = False
    """True where the action brought the agent into another place."""
    stop_reason: StopReason | None = None
    """`solved` or `failed` where the world ended the episode, `step_limit` where it lets nobody go
    on, else None."""


class Ability(StrEnum):
    """What a world may be able to do beyond `tasks`, `reset` and `step`, by the method's name."""

    LOOK = "look"
    """It describes the room."""
    INVENTORY = "inventory"
    """It describes what the agent carries."""
    VALID_ACTIONS = "valid_actions"
    """It lists the actions that it accepts now."""
    ORACLE_PATH = "oracle_path"
    """It knows actions that solve a task."""
    SUBGOALS = "subgoals"
    """Its own planner says which sub-goals a path pursues."""


class Environment(ABC):
    """One live world, deterministic for a task unless it says that it is not.

    `tasks`, `reset` and `step` are all that it must have; a world without one of the abilities
    leaves its method out (`has` tells). `reset` before anything else but `tasks`. After an
    `EnvironmentFailed` the next `reset` starts the world again. Use as a context manager, or call
    `close`.

    What a subclass raises or returns against this contract becomes an `EnvironmentFailed` that
    names the world, the method and what came of it (`boundary.py`).
    """

    def __init_subclass__(cls) -> None:
        """Put the checks of the contract around the methods of a subclass."""
        super().__init_subclass__()
        if not any(
            vars(kind).get("name", place_of(kind)) != place_of(kind) for kind in cls.__mro__
        ):
            cls.name = place_of(cls)
        from subgoal.environments.boundary import CHECKS, checked  # it needs what is above

        for name in CHECKS.keys() & vars(cls).keys():
            setattr(cls, name, checked(name, vars(cls)[name]))

    name: str
    """Name in the registry; where a class gives none, the place that it is imported from, such as
    `my_worlds:Garden`, by which it is found too."""
    language: WorldLanguage = NO_WORDS
    """The words of its actions and answers."""
    deterministic: bool = True
    """Whether the same actions in a task are answered alike each time."""
    answer_seconds: float = 60.0
    """How long one answer may take (starting, listing tasks, making an oracle path: ten times as
    long) before the world is taken for dead. In a world without a process of its own, that ends
    whatever Python can interrupt (`watch.py`)."""

    withheld: frozenset[Ability] = frozenset()
    """What of its abilities nobody is to use, such as a list of actions that gives a task away."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do beyond the three methods: here, what its class defines.

        A world that knows better, since not all that are made of its class are alike, says so.
        """
        mine = type(self)
        return frozenset(
            one for one in Ability if getattr(mine, one) is not getattr(Environment, one)
        )

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

    def look(self) -> str:
        """Describe the room. Free: changes nothing, costs no move. Empty: this world does not."""
        return ""

    def inventory(self) -> str:
        """Describe what the agent carries. Free, too. Empty: this world does not."""
        return ""

    def valid_actions(self) -> Sequence[str]:
        """List the actions that the world accepts now. Can be slow: ask only when needed.

        Empty: this world does not list them.
        """
        return ()

    def oracle_path(self, task: Task) -> Sequence[str]:
        """Return elementary actions that solve the task. Ends the running episode.

        Raises:
            EnvironmentFailed: The world has no oracle, or none for the task, or died.
        """
        del task
        raise EnvironmentFailed(_missing(self, Ability.ORACLE_PATH))

    def subgoals(self, task: Task, actions: Sequence[str]) -> Sequence[str]:
        """Return the sub-goal, as `open(red door)`, that each action of a path pursues.

        They are those of the world's own planner. Ends the running episode.

        Raises:
            EnvironmentFailed: The world has no planner of its own, or it knows none, or died.
        """
        del task, actions
        raise EnvironmentFailed(_missing(self, Ability.SUBGOALS))

    def close(self) -> None:  # noqa: B027 - may be left out
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


def has(world: Environment, ability: Ability) -> bool:
    """Return whether a world has an ability, and whoever asks may use it."""
    return ability in world.abilities - world.withheld


def need(world: Environment, ability: Ability, instead: str) -> None:
    """Make sure that a world has what is about to be asked of it.

    Args:
        world: The world.
        ability: What is needed.
        instead: Who needs it, and what can be done without it, for the message.

    Raises:
        ConfigInvalid: It has not.
    """
    if not has(world, ability):
        raise ConfigInvalid(f"{_missing(world, ability)}; {instead}")


def _missing(world: Environment, ability: Ability) -> str:
    if ability in world.withheld:
        return f"{ability} of world '{world.name}' is off ({ability} = false in world.options)"
    return f"world '{world.name}' has no method {ability}"
