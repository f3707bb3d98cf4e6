"""ALFWorld (Shridhar et al., 2021): its text games, in the package's own engine.

The engine is TextWorld's for games that are written in PDDL: a planner holds the state, a grammar
words it. The room and the inventory are worded here by the same grammar, which costs no move.
"""

import json
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from typing_extensions import override

from subgoal.environments.alfworld.data import NAME, Games, games
from subgoal.environments.alfworld.language import LANGUAGE
from subgoal.environments.base import StopReason, Task
from subgoal.environments.task_table import TaskTable
from subgoal.environments.textworld.engine import PYTHON_ENGINE, EngineAnswer, EngineWorld
from subgoal.errors import EnvironmentFailed

ENGINE_VERSION = "0.4.2"
"""The version of the package `alfworld`. It decides the scores: 0.3.3 and 0.4 have other games,
other words (`put` became `move`) and other valid actions."""

_TASK = re.compile(r"Your task is to: .*")


class AlfWorld(EngineWorld):
    """One live ALFWorld.

    Args:
        data: The folder of the downloaded games; empty: what the variable `ALFWORLD_DATA` of the
            environment says, or the package's own default.
    """

    name = NAME
    language = LANGUAGE

    def __init__(self, data: str = "") -> None:
        if find_spec("alfworld") is None:
            raise ModuleNotFoundError("No module named 'alfworld'", name="alfworld")
        self._data = data
        self._engine: Any = None
        self._worded: dict[str, str] = {}

    @property
    def _games(self) -> Games:
        return games(self._data)

    @property
    @override
    def _table(self) -> TaskTable:
        return self._games.table

    @override
    def _begin(self, task: Task) -> tuple[str, EngineAnswer]:
        self._load(task)
        with _translator():
            text = str(self._engine.reset().feedback)
        self._worded.clear()
        told = _TASK.search(text)
        beginning = EngineAnswer(text, score=0, moves=0, place="")
        return told[0] if told else text, beginning

    @override
    def _play(self, action: str, before: EngineAnswer) -> EngineAnswer:
        known = action in self._engine.state["admissible_commands"]
        with PYTHON_ENGINE:
            state, _, _ = self._engine.step(action)
        self._worded.clear()
        went = known and action.startswith(LANGUAGE.movement)
        return EngineAnswer(
            text=str(state.feedback),
            score=100 if state["won"] else 0,
            moves=before.moves + known,
            place=self._place() if went else before.place,
            accepted=known,
            stop=StopReason.SOLVED if state["won"] else None,
        )

    @override
    def _end(self) -> None:
        self._engine = None

    @override
    def look(self) -> str:
        self._live()
        return self._wording("look")

    @override
    def inventory(self) -> str:
        self._live()
        return self._wording("inventory")

    @override
    def valid_actions(self) -> Sequence[str]:
        over = self._live().stop is not None
        return () if over else self._engine.state["admissible_commands"]

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        """Return the game's own walkthrough, or the planner's path where it has none."""
        self._check(task)
        self._load(task)
        if self._engine.walkthrough:
            return self._engine.walkthrough
        with _translator():
            self._engine.reset()
            path = self._engine._pddl_state.replan(self._engine._entity_infos)
        if not path:
            raise EnvironmentFailed(f"ALFWorld's planner has no path for {task.key}")
        return path

    def _load(self, task: Task) -> None:
        """Load a game, with the names that the package gives its things."""
        _check_version()
        file = self._games.files[task.name, task.variation]
        with _translator():
            engine: Any = import_module("textworld.envs.pddl.pddl").PddlEnv()
            engine.load(json.loads(file.read_text(encoding="utf-8")))
            things = engine._entity_infos
            names: Any = import_module("alfworld.agents.utils.misc").Demangler(game_infos=things)
            for thing in things.values():
                thing.name = names.demangle_alfred_name(thing.id)
        self._engine = engine

    def _wording(self, command: str) -> str:
        """Word what a command would answer now: it takes as long as a tenth of a step."""
        if command in self._worded:
            return self._worded[command]
        state = self._engine._pddl_state
        context: dict[str, Any] = {
            "state": state,
            "facts": list(state.facts),
            "variables": {},
            "mapping": {},
            "entity_infos": self._engine._entity_infos,
        }
        with PYTHON_ENGINE:
            text = str(self._engine._logic.grammar.derive(f"#{command}.feedback#", context))
        return self._worded.setdefault(command, text)

    def _place(self) -> str:
        facing = re.search(LANGUAGE.room, self._wording("look"))
        return facing[1] if facing else ""


@contextmanager
def _translator() -> Generator[None]:
    """Let PDDL be translated, which writes other arguments of the program over its own."""
    arguments = sys.argv
    with PYTHON_ENGINE:
        try:
            yield
        finally:
            sys.argv = arguments


@lru_cache
def _check_version() -> None:
    found = version("alfworld")
    if found != ENGINE_VERSION:
        raise EnvironmentFailed(
            f"world 'alfworld' needs the package alfworld {ENGINE_VERSION}, but {found} is"
            f" installed; run: pip install 'alfworld=={ENGINE_VERSION}'"
        )
