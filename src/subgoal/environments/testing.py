"""The contract of `Environment` as tests that every adapter adopts in three lines.

    class TestMyWorld(EnvironmentContract):
        def make(self) -> Environment:
            return MyWorld()

pytest collects the inherited tests; nothing else is needed. One world is shared by the tests of
a class, so none of them may rely on what another left behind: which is part of the contract.
What a world need not have (`Ability`) is tested where it has it.
"""

# The tests' names say what they say.
# ruff: noqa: D102

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from subgoal.environments.base import Ability, Environment, StepResult, StopReason, Task, has
from subgoal.environments.task_table import SPLITS
from subgoal.errors import EnvironmentFailed, SubgoalError, TaskUnknown


class EnvironmentContract(ABC):
    """Tests of a world against the contract.

    Attributes:
        names: Task types to play; empty: the first three. Name quick ones for a slow world.
        gibberish: An action that the world cannot know.
        actions: What is played where the world has no oracle; none of them ends an episode.
        shared: The world under test.
    """

    names: ClassVar[tuple[str, ...]] = ()
    gibberish: ClassVar[str] = "xyzzy the plugh"
    actions: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[Environment | None] = None

    @abstractmethod
    def make(self) -> Environment:
        """Return a new world."""

    @classmethod
    def teardown_class(cls) -> None:
        """End the shared world (called by pytest)."""
        if cls.shared is not None:
            cls.shared.close()
            cls.shared = None

    @property
    def world(self) -> Environment:
        """The world under test, started once a class."""
        kind = type(self)
        if kind.shared is None:
            kind.shared = self.make()
        return kind.shared

    @property
    def played(self) -> list[Task]:
        """One task of each type that is played, from different splits."""
        tasks = [task for split in SPLITS for task in self.world.tasks(split)]
        names = self.names or tuple(dict.fromkeys(task.name for task in tasks))[:3]
        return [
            next(task for task in tasks if (task.name, task.split) == (name, SPLITS[number % 3]))
            for number, name in enumerate(names)
        ]

    def path(self, task: Task) -> Sequence[str]:
        """Actions to play in a task: the oracle's, where the world has one."""
        known = has(self.world, Ability.ORACLE_PATH)
        return self.world.oracle_path(task) if known else self.actions

    def replay(self, task: Task, actions: Sequence[str], curious: bool = False) -> list[StepResult]:
        """Play actions; `curious` asks before each step for all that may be asked for free."""
        self.world.reset(task)
        results: list[StepResult] = []
        for action in actions:
            if curious:
                assert self.world.look() == self.world.look()
                assert self.world.inventory() == self.world.inventory()
                self.world.valid_actions()
            results.append(self.world.step(action))
        return results

    def test_tasks_are_listed_the_same_each_time_and_splits_share_none(self) -> None:
        listed = {split: list(self.world.tasks(split)) for split in SPLITS}
        again = self.make()
        assert listed == {split: list(again.tasks(split)) for split in SPLITS}
        again.close()
        tasks = [task for split in SPLITS for task in listed[split]]
        assert all(listed.values()), "a split is empty"
        assert len({task.key for task in tasks}) == len(tasks)
        assert {task.environment for task in tasks} == {self.world.name}
        for split, members in listed.items():
            assert {task.split for task in members} == {split}
            order = list(dict.fromkeys(task.name for task in members))
            ranked = [(order.index(task.name), task.variation) for task in members]
            assert ranked == sorted(ranked), "by type, then by variation"

    def test_what_does_not_exist_is_refused(self) -> None:
        task = self.played[0]
        refuses(TaskUnknown, self.world.tasks, "no such split")
        refuses(TaskUnknown, self.world.tasks, "train", "no such simplification")
        for change in (
            {"environment": "no such world"},
            {"name": "no such type"},
            {"variation": 10**6},
            {"variation": -1},
            {"split": "no such split"},
            {"simplifications": "no such simplification"},
        ):
            refuses(TaskUnknown, self.world.reset, task.model_copy(update=change))

    def test_reset_tells_the_task_the_room_and_the_inventory(self) -> None:
        for task in self.played:
            opening = self.world.reset(task)
            assert opening.task.description
            assert opening.task == task.model_copy(update={"description": opening.task.description})
            assert (opening.look, opening.inventory) == (self.world.look(), self.world.inventory())
            assert self.world.reset(opening.task) == opening, "a described task is the same task"

    def test_the_oracle_path_solves_and_ends_the_running_episode(self) -> None:
        if not has(self.world, Ability.ORACLE_PATH):
            return
        for task in self.played:
            self.world.reset(task)
            path = self.world.oracle_path(task)
            assert path
            refuses(EnvironmentFailed, self.world.step, path[0])
            self.world.reset(task)
            results: list[StepResult] = []
            for action in path:
                look = self.world.look()
                results.append(self.world.step(action))
                if results[-1].stop_reason is not None:
                    break
                moved = results[-1].entered and has(self.world, Ability.LOOK)
                assert not moved or self.world.look() != look
            assert (results[-1].stop_reason, results[-1].score) == (StopReason.SOLVED, 100)
            assert all(0 <= result.score <= 100 for result in results)
            assert all(a.moves <= b.moves for a, b in pairwise(results))
            refuses(EnvironmentFailed, self.world.step, path[0])

    def test_the_same_actions_give_the_same_answers_whatever_is_asked_between(self) -> None:
        first, *others = self.played
        path = self.path(first)[:8]
        plain = self.replay(first, path)
        for other in others:
            self.world.reset(other)
        assert self.replay(first, path, curious=True) == plain

    def test_a_world_beside_it_and_this_one_play_as_if_alone(self) -> None:
        other = self.world.beside()
        if other is None:
            return
        tasks = self.played[:2]
        paths = [self.path(task)[:5] for task in tasks]
        alone = [self.replay(task, path) for task, path in zip(tasks, paths, strict=True)]
        found: list[list[StepResult]] = [[], []]
        with other:
            worlds = (self.world, other)
            for world, task in zip(worlds, tasks, strict=True):
                world.reset(task)
            for turn in zip(*paths, strict=False):
                for world, action, results in zip(worlds, turn, found, strict=True):
                    results.append(world.step(action))
        taken = min(map(len, paths))
        assert found == [results[:taken] for results in alone]

    def test_an_unknown_action_changes_nothing(self) -> None:
        task = self.played[0]
        done = self.replay(task, self.path(task)[:1])
        score, moves = (done[0].score, done[0].moves) if done else (0, 0)
        look, inventory = self.world.look(), self.world.inventory()
        result = self.world.step(self.gibberish)
        assert not result.accepted
        assert result.observation
        assert (result.score, result.moves) == (score, moves)
        assert (result.entered, result.stop_reason) == (False, None)
        assert (self.world.look(), self.world.inventory()) == (look, inventory)

    def test_valid_actions_are_accepted(self) -> None:
        if not has(self.world, Ability.VALID_ACTIONS):
            return
        task = self.played[0]
        self.world.reset(task)
        actions = self.world.valid_actions()
        assert actions
        assert len(set(actions)) == len(actions)
        for action in actions[:: max(1, len(actions) // 10)]:
            self.world.reset(task)
            assert self.world.step(action).accepted, action

    def test_nothing_can_be_asked_before_reset_or_after_close(self) -> None:
        task = self.played[0]
        world = self.make()
        for ability in (Ability.LOOK, Ability.INVENTORY, Ability.VALID_ACTIONS):
            if has(world, ability):
                refuses(EnvironmentFailed, getattr(world, ability))
        refuses(EnvironmentFailed, world.step, self.gibberish)
        with world:
            pass
        world.close()
        if type(world).close is Environment.close:  # there is nothing to end
            return
        refuses(EnvironmentFailed, world.reset, task)
        refuses(EnvironmentFailed, world.step, self.gibberish)


def refuses(error: type[SubgoalError], call: Callable[..., object], *arguments: object) -> None:
    """Assert that a call raises the error, with a message."""
    try:
        call(*arguments)
    except error as raised:
        message = str(raised)
    else:
        raise AssertionError(f"{call} should have raised {error.__name__}")
    assert message
