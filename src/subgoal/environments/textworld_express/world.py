"""TextWorldExpress (Jansen and Côté, 2022) through the engine itself, without its Python class.

The class asks two things a step, each in a round trip of py4j. Here a step is one exchange, and
what the answer tells besides (room, inventory, valid actions) is kept: asking for it is free.
"""

from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.java import Argument, JavaProcess, SharedJava
from subgoal.environments.java_world import JavaWorld, package_folder
from subgoal.environments.task_table import TaskTable
from subgoal.environments.textworld_express.games import (
    EASY,
    ENGINE_VERSION,
    GAMES,
    Walks,
    variations,
)
from subgoal.environments.textworld_express.language import LANGUAGE
from subgoal.environments.textworld_express.search import short_path, straightened
from subgoal.environments.textworld_express.state import GameState
from subgoal.errors import EnvironmentFailed

_FILES = ("textworld-express.jar", "cooking_world.json", "twc_objects.folds.json")
_OPENING = "look around"
"""The step that loading a game takes by itself; gold paths begin with it."""


class TextWorldExpress(JavaWorld):
    """One live TextWorldExpress; Java starts with the first `reset` or `oracle_path`.

    A task type is a game, a variation one of the package's seeds.
    """

    name = "textworldexpress"
    language = LANGUAGE
    title = "TextWorldExpress"
    interface = "textworldexpress.runtime.PythonInterface"

    def __init__(
        self,
        answer_seconds: float = Environment.answer_seconds,
        flags: Sequence[str] | None = None,
        java: SharedJava | None = None,
    ) -> None:
        super().__init__(answer_seconds, flags, java)
        self._table = TaskTable(self.name, {name: variations(name) for name in GAMES}, (EASY,))
        self._loaded = ("", "")
        self._now: GameState | None = None
        self._moves = 0

    @classmethod
    @override
    def engine_files(cls) -> Sequence[Path]:
        package = "textworld-express"
        folder = package_folder(cls.name, "textworld_express", package, ENGINE_VERSION)
        return [folder / file for file in _FILES]

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self._table.tasks(split, simplifications)

    @override
    def reset(self, task: Task) -> Observation:
        now = self._load(task)
        (description,) = self._ask(self._call("getTaskDescription"))
        self._running, self._moves = True, 0
        described = task.model_copy(update={"description": str(description)})
        return Observation(task=described, look=now.look, inventory=now.inventory)

    @override
    def step(self, action: str) -> StepResult:
        self._check_running()
        before, now = self._last, self._send(action)
        if not now.accepted:
            self._now = before
        entered = now.place != before.place
        self._moves += now.accepted
        self._running = not (now.solved or now.failed)
        stop = StopReason.SOLVED if now.solved else StopReason.FAILED if now.failed else None
        return StepResult(
            # The engine answers a walk with the room, which `look` tells.
            observation=f"You go to the {now.place}." if entered else now.observation,
            score=now.score,
            moves=self._moves,
            accepted=now.accepted,
            entered=entered,
            stop_reason=stop,
        )

    @override
    def look(self) -> str:
        return self._last.look

    @override
    def inventory(self) -> str:
        return self._last.inventory

    @override
    def valid_actions(self) -> Sequence[str]:
        return self._last.valid

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        self._table.check(task)
        walks = GAMES[task.name].walks
        if walks is Walks.AT_RANDOM:
            return short_path(lambda: self._load(task), self._send)
        self._load(task, gold=True)
        path = self._strings("getGoldActionSequence")
        if not path:
            self._loaded = ("", "")  # the engine says nothing else until it loads the game again
            raise EnvironmentFailed(f"TextWorldExpress has no gold path for {task.key}")
        path = path[path[0] == _OPENING :]
        if walks is Walks.WITH_DETOURS:
            return straightened(path, lambda: self._load(task), self._send)
        return path

    @override
    def _settle(self, java: JavaProcess) -> None:
        self._loaded = ("", "")

    @property
    def _last(self) -> GameState:
        self._live()
        if self._now is None:
            raise EnvironmentFailed("no task is loaded in this TextWorldExpress: call reset first")
        return self._now

    def _load(self, task: Task, gold: bool = False) -> GameState:
        """Make the game of a task; the running episode ends."""
        self._table.check(task)
        self._start()
        game = GAMES[task.name]
        wanted = (game.engine, game.easy if task.simplifications else game.plain)
        if self._loaded != wanted:
            (refusal,) = self._ask(self._call("load", *wanted))
            if refusal:
                raise EnvironmentFailed(f"TextWorldExpress cannot load {task.key}: {refusal}")
            self._loaded = wanted
        return self._told("generateNewGameJSON", task.variation, task.split, gold)

    def _send(self, action: str) -> GameState:
        return self._told("stepJSON", action)

    def _told(self, method: str, *arguments: Argument) -> GameState:
        (answer,) = self._ask(self._call(method, *arguments))
        self._now = GameState.read(str(answer))
        return self._now
