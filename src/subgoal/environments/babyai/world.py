"""Adapter for BabyAI, the levels `BabyAI-...` of minigrid 3.2.0."""

import os
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from subgoal.environments.babyai.language import ACTIONS, LANGUAGE
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # minigrid imports it; nothing is drawn

import gymnasium
from minigrid.envs.babyai.core import roomgrid_level

from subgoal.environments.babyai.bot import Bot
from subgoal.environments.babyai.rendering import carried, view

SPLITS = {"train": range(500), "dev": range(500, 550), "test": range(550, 650)}
"""Variations, which are the seeds of the levels."""
_PREFIX = "BabyAI-"


def _say_nothing(*_: object) -> None:
    """Stand in for `print` in minigrid, which says where it draws a mission anew."""


roomgrid_level.__dict__["print"] = _say_nothing


def _levels() -> dict[str, str]:
    """Return the levels by the names of their task types, in minigrid's order."""
    found = (name for name in gymnasium.registry if name.startswith(_PREFIX))
    return {name.removeprefix(_PREFIX).rpartition("-v")[0]: name for name in found}


class BabyAI(Environment):
    """One live BabyAI; a task type is a level, a variation its seed.

    A mission that is accomplished scores 100, everything else 0: minigrid's own reward, which falls
    with every step, is not taken, and no level ends after a number of steps of its own.
    """

    name = "babyai"
    language = LANGUAGE

    def __init__(self) -> None:
        self._known = _levels()
        self._table = TaskTable(self.name, dict.fromkeys(self._known, SPLITS))
        self._made: dict[str, Any] = {}
        self._level: Any | None = None
        self._view = ""

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self._table.tasks(split, simplifications)

    @override
    def reset(self, task: Task) -> Observation:
        level, self._view = self._loaded(task)
        self._level = level
        told = {"description": f"Your task is to {level.mission}."}
        described = task.model_copy(update=told)
        return Observation(task=described, look=self._view, inventory=self.inventory())

    @override
    def step(self, action: str) -> StepResult:
        level = self._living()
        if action not in ACTIONS:
            unknown = f"There is no action '{action}'."
            return StepResult(observation=unknown, score=0, moves=level.step_count, accepted=False)
        held, room, before = level.carrying, _room(level), self._view
        seen, reward, ended, *_ = level.step(ACTIONS.index(action))
        self._view = view(seen["image"].tobytes())
        told = [] if level.carrying is held else [carried(level.carrying)]
        entered = self._view != before and _room(level) is not room
        if entered:  # whoever reads that is shown the view
            told.append("You go into another room.")
        elif self._view != before:
            told.append(self._view)
        if ended:
            self._level = None
        return StepResult(
            observation=" ".join(told) or "Nothing changes.",
            score=100 if reward else 0,
            moves=level.step_count,
            entered=entered,
            stop_reason=(StopReason.SOLVED if reward else StopReason.FAILED) if ended else None,
        )

    @override
    def look(self) -> str:
        self._living()
        return self._view

    @override
    def inventory(self) -> str:
        return carried(self._living().carrying)

    @override
    def valid_actions(self) -> Sequence[str]:
        self._living()
        return ACTIONS

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        level, _ = self._loaded(task)
        bot, path = Bot(level), list[str]()
        ended = cut = False
        reward = 0
        while not (ended or cut):
            action, _ = bot.advise(None)  # it did as it said
            path.append(ACTIONS[action])
            _, reward, ended, cut, _ = level.step(action)
        if not reward:
            raise EnvironmentFailed(f"minigrid's bot does not solve {task.key}")
        return path

    @override
    def subgoals(self, task: Task, actions: Sequence[str]) -> Sequence[str]:
        level, _ = self._loaded(task)
        bot, done = Bot(level), None
        pursued: list[str] = []
        for action in actions:
            pursued.append(bot.advise(done)[1])
            done = ACTIONS.index(action) if action in ACTIONS else level.actions.done
            level.step(done)
        return pursued

    def _loaded(self, task: Task) -> tuple[Any, str]:
        """Return the level of a task, at its beginning, and what is seen there."""
        self._table.check(task)
        self._level = None
        if task.name not in self._made:
            made = gymnasium.make(self._known[task.name], disable_env_checker=True).unwrapped
            vars(made)["_reward"] = lambda: 1  # a late success would pay nothing, or less
            self._made[task.name] = made
        level = self._made[task.name]
        seen, _ = level.reset(seed=task.variation)
        return level, view(seen["image"].tobytes())

    def _living(self) -> Any:
        if self._level is None:
            raise EnvironmentFailed("no episode is running in this BabyAI: call reset first")
        return self._level


def _room(level: Any) -> object:
    return level.room_from_pos(*level.agent_pos)
