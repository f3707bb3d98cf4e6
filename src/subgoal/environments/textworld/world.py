"""TextWorld (Côté et al., 2018): generated games, played by the interpreter that the package uses.

The package's own environment takes every state apart at each step. This adapter asks the
interpreter alone, whose answer has the room, the inventory, score and moves, and follows the
package's model of the game only where the valid actions are wanted.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from typing_extensions import override

from subgoal.environments.base import StopReason, Task
from subgoal.environments.task_table import TaskTable
from subgoal.environments.textworld.engine import PYTHON_ENGINE, EngineAnswer, EngineWorld
from subgoal.environments.textworld.games import (
    COOKING,
    LEVELS,
    ROUTE,
    VARIATIONS,
    GameFiles,
    game,
    interpreter,
)
from subgoal.environments.textworld.language import LANGUAGE

_TOLD = ("description", "inventory", "score", "moves")
_INFO = re.compile(rf"<({'|'.join(_TOLD)})>\n(.*?)</\1>", re.DOTALL)
_EVENT = re.compile(r"\[([^]]+)\]\n?")
"""What the interpreter says it does, such as `[taking the coin - succeeded]`."""
_SUCCEEDED = " - succeeded"
_STATUS = re.compile(r">?\s*-= [^\n]+ =-\s*-?\d+/\d+\s*\Z")
"""The line of input, with the room, at the end of an answer."""
_MENU = re.compile(r"\n\s*You scored .*Would you like to RESTART.*", re.DOTALL)
_WON, _LOST = "*** The End ***", "*** You lost! ***"
_VERBS = frozenset(built.split()[0] for built in LANGUAGE.actions)
_SEVERAL = re.compile(r"[.,;]|\bthen\b|\band\b")
_UNKNOWN = "That's not a verb I recognise."
_MOST = 150
_SEED = 1


class TextWorld(EngineWorld):
    """One live TextWorld; the first game of a task is generated, which takes a second or so.

    Actions are those of the package's own list of valid actions: the interpreter knows more, such
    as taking a move back, which would be none of a game's.
    """

    name = "textworld"
    language = LANGUAGE

    def __init__(self) -> None:
        if find_spec("textworld") is None:
            raise ModuleNotFoundError("No module named 'textworld'", name="textworld")
        self._game: GameFiles | None = None
        self._interpreter: Any = None
        self._told: dict[str, str] = {}
        self._happened: list[str] = []
        self._model: Any = None

    @property
    @override
    def _table(self) -> TaskTable:
        return _TABLE

    @override
    def _begin(self, task: Task) -> tuple[str, EngineAnswer]:
        self._end()
        self._game = game(task)
        self._interpreter = interpreter().FrotzEnv(str(self._game.story), _SEED)
        self._interpreter.reset()
        for what in _TOLD:
            self._interpreter.step(f"tw-extra-infos {what}")
        turn = self._heard("tw-trace-actions", EngineAnswer("", 0, 0, ""))
        self._happened.clear()
        return str(self._game.data["objective"]), turn

    @override
    def _play(self, action: str, before: EngineAnswer) -> EngineAnswer:
        verb = action.partition(" ")[0].lower()
        if verb not in _VERBS or _SEVERAL.search(action) or len(action) > _MOST:
            return before._replace(text=_UNKNOWN, accepted=False)
        return self._heard(action, before)

    @override
    def _end(self) -> None:
        self._game = self._interpreter = self._model = None
        self._told, self._happened = {}, []

    @override
    def look(self) -> str:
        self._live()
        return self._told["description"]

    @override
    def inventory(self) -> str:
        self._live()
        return self._told["inventory"]

    @override
    def valid_actions(self) -> Sequence[str]:
        if self._live().stop is not None:
            return ()
        assert self._game is not None
        with PYTHON_ENGINE:
            if self._model is None:
                self._model = _Model(self._game)
            self._model.follow(self._happened)
            self._happened.clear()
            return self._model.actions()

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        self._check(task)
        return tuple(game(task).data["metadata"]["walkthrough"])

    def _heard(self, action: str, before: EngineAnswer) -> EngineAnswer:
        """Send an action to the interpreter and take its answer apart."""
        answer, *_ = self._interpreter.step(action)
        told = {name: _plain(text) for name, text in _INFO.findall(answer)}
        text = _INFO.sub("", answer)
        events = _EVENT.findall(text)
        if not events:  # no move was made of it
            return before._replace(text=_plain(text), accepted=False)
        # An answer that ends a game badly tells none of it.
        self._told = told = {**self._told, "moves": str(before.moves + 1), **told}
        self._happened += [event for event in events if event.endswith(_SUCCEEDED)]
        room = re.match(LANGUAGE.room, told["description"])
        place = room[1] if room else before.place
        assert self._game is not None
        most = self._game.data["metadata"].get("max_score", 1)
        return EngineAnswer(
            text=self._said(_plain(text), place != before.place),
            score=round(100 * int(told["score"]) / most),
            moves=int(told["moves"]),
            place=place,
            stop=_stop(text),
        )

    def _said(self, text: str, entered: bool) -> str:
        """Leave of the description of a room that was entered its title: `look` says the rest."""
        description = self._told["description"]
        title = description.partition("\n")[0]
        return text.replace(description, title) if entered else text


class _Model:
    """The package's model of a game, which knows the valid actions."""

    def __init__(self, played: GameFiles) -> None:
        generator: Any = import_module("textworld.generator.game")
        loaded = generator.Game.load(str(played.path))
        self._names: Any = import_module("textworld.generator.inform7").Inform7Game(loaded)
        self._state: Any = generator.GameProgression(loaded, track_quests=False)

    def follow(self, events: Sequence[str]) -> None:
        """Do what happened in the interpreter; what belongs to another action is in brackets."""
        for event in events:
            done = None
            if not event.startswith("("):
                name = event.removesuffix(_SUCCEEDED)
                done = self._names.detect_action(name, self._state.valid_actions)
            if done is not None:
                self._state.update(done)

    def actions(self) -> list[str]:
        """Return the valid actions, sorted."""
        return sorted(set(self._names.gen_commands_from_actions(self._state.valid_actions)))


_TABLE = TaskTable(
    TextWorld.name, dict.fromkeys((*COOKING, *LEVELS), VARIATIONS), simplifications=(ROUTE,)
)


def _plain(text: str) -> str:
    """Leave out what the interpreter says it does, the line of input, and the menu at the end."""
    text = _MENU.sub("", _STATUS.sub("", _EVENT.sub("", text)))
    lines = (line.strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _stop(text: str) -> StopReason | None:
    if _WON in text:
        return StopReason.SOLVED
    return StopReason.FAILED if _LOST in text else None
