"""The bot that comes with minigrid: it solves missions, and its stack holds its sub-goals."""

# minigrid's bot says little of its types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from typing import Any

from minigrid.core.world_object import WorldObj
from minigrid.envs.babyai.core.verifier import ObjDesc
from minigrid.utils import baby_ai_bot as minigrid_bot
from typing_extensions import override

from subgoal.environments.babyai.rendering import thing
from subgoal.errors import EnvironmentFailed

_FREE = "free place"
_PLACES = {
    None: "",
    "left": " on your left",
    "right": " on your right",
    "front": " in front of you",
    "behind": " behind you",
}
_DEEPEST = 100
"""Sub-goals on the stack; it holds a dozen where the bot does not plan in a circle for ever."""


class _Planner(minigrid_bot.BabyAIBot):
    @override
    def _shortest_path(self, accept_fn: Any, try_with_blockers: bool = False) -> Any:
        if len(self.stack) > _DEEPEST:
            raise EnvironmentFailed("minigrid's bot plans in a circle")
        return super()._shortest_path(accept_fn, try_with_blockers)


class Bot:
    """The bot at work.

    Args:
        level: A level of minigrid that was just reset.
    """

    def __init__(self, level: Any) -> None:
        self._level = level
        self._bot: Any = _Planner(level)

    def advise(self, done: int | None) -> tuple[int, str]:
        """Return what the bot would do now, and the sub-goal that it pursues with it.

        Args:
            done: What was done since it was last asked, whatever it advised; None at the beginning.
        """
        action = int(self._bot.replan(done))
        return action, self._named(self._bot.stack[-1]) if self._bot.stack else "finish()"

    def _named(self, subgoal: Any) -> str:
        front = self._level.grid.get(*map(int, self._level.front_pos))
        match subgoal:
            case minigrid_bot.GoNextToSubgoal(reason="Explore"):
                return "explore()"
            case minigrid_bot.GoNextToSubgoal(reason="PutNext"):
                return f"carry_to({self._target(subgoal.datum)})"
            case minigrid_bot.GoNextToSubgoal():
                return f"go_next_to({self._target(subgoal.datum)})"
            case minigrid_bot.PickupSubgoal():
                return f"pickup({thing(front) if front else ''})"
            case minigrid_bot.DropSubgoal():
                held = self._level.carrying
                return f"drop({thing(held) if held else ''})"
            case _:  # OpenSubgoal, CloseSubgoal
                name = type(subgoal).__name__.removesuffix("Subgoal").lower()
                return f"{name}({thing(front) if front else ''})"

    def _target(self, datum: Any) -> str:
        if isinstance(datum, ObjDesc):
            described = f"{datum.color or ''} {datum.type or 'object'}".strip()
            return described + _PLACES[datum.loc]
        if isinstance(datum, WorldObj):
            return thing(datum)
        found = self._level.grid.get(*map(int, datum))
        return thing(found) if found else _FREE
