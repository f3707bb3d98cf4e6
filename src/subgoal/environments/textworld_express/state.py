"""What a game shows after a step, read from the engine's answer."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from subgoal.environments.textworld_express.language import LANGUAGE

_EXIT = re.compile(r"to the (North|South|East|West) you see (the|a closed) (.+?)\. ", re.IGNORECASE)
_UNKNOWN_ACTION = "Unknown action: "
"""How the answer to what a game does not know begins."""


class GameState(NamedTuple):
    """The state of a game as its player sees it."""

    observation: str
    """The answer to the action."""
    accepted: bool
    """Whether the game knew the action."""
    look: str
    """The room; in a game without rooms, what was said last."""
    inventory: str
    """What is carried; empty in a game without things."""
    valid: tuple[str, ...]
    """The valid actions, sorted; the engine shuffles them, and repeats some."""
    score: int
    """0 to 100; -100 after most of the mistakes that end a game."""
    solved: bool
    """Whether the game is won."""
    failed: bool
    """Whether it is lost."""

    @classmethod
    def read(cls, answer: str) -> "GameState":
        """Read the engine's answer.

        Args:
            answer: JSON.
        """
        told = json.loads(answer)
        return cls(
            observation=told["observation"],
            accepted=not told["observation"].startswith(_UNKNOWN_ACTION),
            look=told["look"] or told["observation"],
            inventory=told["inventory"],
            valid=tuple(sorted(set(told["validActions"]))),
            score=round(100 * told["score"]),
            solved=told["tasksuccess"],
            failed=told["taskfailure"],
        )

    @property
    def place(self) -> str:
        """The name of the room; empty in a game without rooms."""
        found = re.match(LANGUAGE.room, self.look)
        return found[1] if found else ""

    @property
    def exits(self) -> Mapping[str, str]:
        """By direction, the room that lies there; empty behind a closed door."""
        found = _EXIT.findall(self.look)
        return {way.lower(): place if open_to == "the" else "" for way, open_to, place in found}
