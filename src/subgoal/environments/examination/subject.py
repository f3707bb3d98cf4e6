"""The world that is examined, what is played in it, and what it answered."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from random import Random
from time import perf_counter

from subgoal.environments.base import Ability, Environment, Observation, StepResult, Task, has
from subgoal.environments.task_table import SPLITS
from subgoal.errors import EnvironmentFailed, SubgoalError
from subgoal.summary import Finding

GIBBERISH = "xyzzy the plugh"
_WALK = 20
"""Steps that are walked by chance where nobody says what to play."""


@dataclass
class Playthrough:
    """What was played in one task, and what the world answered.

    Attributes:
        opening: What `reset` told.
        actions: What was sent.
        results: What was answered, up to the end of the episode.
        views: The room and the inventory, before the first action and after each.
        unsteady: The number of actions after which asking twice for those gave two answers.
        reset_seconds: How long `reset` took.
        step_seconds: How long all calls of `step` took.
    """

    opening: Observation
    actions: Sequence[str]
    results: list[StepResult] = field(default_factory=list[StepResult])
    views: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    unsteady: int | None = None
    reset_seconds: float = 0.0
    step_seconds: float = 0.0

    @property
    def texts(self) -> Iterator[str]:
        """All that the world said."""
        yield from (text for view in self.views for text in view)
        yield from (result.observation for result in self.results)


class Subject:
    """A world under examination.

    Args:
        make: Makes a new world.
        names: Task types that are played; empty: the first three.
        actions: What is played where the world has no oracle; none of them ends an episode. Empty:
            a walk by chance among the valid actions.
        gibberish: An action that the world cannot know.
        seconds: After so long, what can take any time comes to an end.

    Attributes:
        plays: What was walked.
        pathless: Tasks, by their keys, for which the oracle said that it has no path, and why.
    """

    def __init__(
        self,
        make: Callable[[], Environment],
        names: Sequence[str] = (),
        actions: Sequence[str] = (),
        gibberish: str = GIBBERISH,
        seconds: float = inf,
    ) -> None:
        self.make, self.names, self.gibberish = make, tuple(names), gibberish
        self.limit, self._start = seconds, perf_counter()
        self._actions, self._paths = tuple(actions), dict[str, Sequence[str]]()
        self.plays: list[Playthrough] = []
        self.pathless: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        """Since the examination began."""
        return perf_counter() - self._start

    @property
    def time_is_up(self) -> bool:
        """Whether what can take any time must come to an end."""
        return self.seconds > self.limit

    @cached_property
    def world(self) -> Environment:
        """The world, made when it is first asked for."""
        return self.make()

    @cached_property
    def tasks(self) -> dict[str, Sequence[Task]]:
        """All tasks by split."""
        return {split: self.world.tasks(split) for split in SPLITS}

    @cached_property
    def types(self) -> dict[str, dict[str, list[Task]]]:
        """All tasks by type and split.

        Raises:
            EnvironmentFailed: There are none.
        """
        types: dict[str, dict[str, list[Task]]] = {}
        for split, tasks in self.tasks.items():
            for task in tasks:
                types.setdefault(task.name, {one: [] for one in SPLITS})[split].append(task)
        if not types:
            raise EnvironmentFailed(f"world '{self.world.name}' lists no tasks in any split")
        return types

    @property
    def played(self) -> list[Task]:
        """One task of each type that is played, from different splits where it has them.

        Tasks whose path is known come first: an oracle need not know one for every task.
        """
        chosen: list[Task] = []
        for number, name in enumerate(self.names or tuple(self.types)[:3]):
            mine = self.types[name]
            splits = [*SPLITS[number % 3 :], *SPLITS[: number % 3]]
            tasks = [task for split in splits for task in mine[split]]
            chosen.append(min(tasks, key=lambda task: task.key not in self._paths))
        return chosen

    def path(self, task: Task) -> Sequence[str]:
        """Actions to play in a task: the oracle's, where the world has one."""
        if task.key not in self._paths:
            self._paths[task.key] = self._path(task)
        return self._paths[task.key]

    def _path(self, task: Task) -> Sequence[str]:
        if has(self.world, Ability.ORACLE_PATH):
            return self.world.oracle_path(task)
        if self._actions or not has(self.world, Ability.VALID_ACTIONS):
            return self._actions or [*self.world.language.idle, self.gibberish]
        self.world.reset(task)
        walked: list[str] = []
        chance = Random(task.key)
        while len(walked) < _WALK and (valid := sorted(self.world.valid_actions())):
            walked.append(chance.choice(valid))
            if self.world.step(walked[-1]).stop_reason is not None:
                break
        return walked

    def play(
        self,
        task: Task,
        actions: Iterable[str],
        world: Environment | None = None,
        curious: bool = False,
    ) -> Playthrough:
        """Play actions up to the end of the episode.

        Args:
            task: In which task.
            actions: What is sent.
            world: In which world; None: the one under examination.
            curious: Ask before each step, twice, for all that may be asked for free.
        """
        world = world or self.world
        start = perf_counter()
        play = Playthrough(world.reset(task), list(actions), reset_seconds=perf_counter() - start)
        play.views.append(_view(world))
        for number, action in enumerate(play.actions):
            if curious:
                if has(world, Ability.VALID_ACTIONS):
                    world.valid_actions()
                if _view(world) != play.views[-1] and play.unsteady is None:
                    play.unsteady = number
            start = perf_counter()
            result = world.step(action)
            play.step_seconds += perf_counter() - start
            play.results.append(result)
            if result.stop_reason is not None:
                break
            play.views.append(_view(world))
        return play

    def close(self) -> None:
        """End the world, where it was made."""
        if "world" in vars(self):
            self.world.close()


Check = Callable[[Subject], Iterable[Finding]]
"""Looks at one side of a world and tells what it found."""


def findings(check: Check, subject: Subject) -> list[Finding]:
    """Return what a check found; what the world raises against the contract is a finding, too.

    That all is well is said only where nothing else was found.
    """
    found: list[Finding] = []
    try:
        found += check(subject)
    except SubgoalError as error:
        found.append(breach(str(error)))
    return [one for one in found if one.remark or not one.fine] or found


def fine(text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(fine=True, text=text)


def remark(text: str) -> Finding:
    """Return what is worth knowing, though the main job can run."""
    return Finding(fine=True, text=text, remark=True)


def breach(text: str) -> Finding:
    """Return what is against the contract."""
    return Finding(fine=False, text=text)


def _view(world: Environment) -> tuple[str, str]:
    return world.look(), world.inventory()
