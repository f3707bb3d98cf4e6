"""Agents without a model: the ends of the scale on which students are measured."""

import random
from collections.abc import Iterator, Sequence

from typing_extensions import override

from subgoal.agents.base import Action, Agent, Surroundings, Turn
from subgoal.environments.base import Observation


class OracleAgent(Agent):
    """Replays given actions; after the last one it waits by looking around, or by repeating it.

    Args:
        path: The elementary actions.
    """

    grounded = False

    def __init__(self, path: Sequence[str]) -> None:
        self._path: Iterator[str] = iter(path)
        self._waiting = path[-1] if path else ""

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        self._waiting = world.language.looking or self._waiting

    @override
    def act(self) -> Turn:
        return Action(text=next(self._path, self._waiting))
        yield


class RandomActionAgent(Agent):
    """Picks uniformly among the valid actions.

    Args:
        seed: Seed of the choice.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        self._world = world

    @override
    def act(self) -> Turn:
        actions = self._world.valid_actions()
        return Action(
            text=self._chance.choice(actions) if actions else self._world.language.looking
        )
        yield
