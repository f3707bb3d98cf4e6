"""An agent that is watched: every step is shown as it happens."""

from collections.abc import Callable

from typing_extensions import override

from subgoal.agents.agent import Agent, Turn
from subgoal.environments.environment import Environment, Observation, StepResult


class WatchedAgent(Agent):
    """Passes everything on to another agent and shows it.

    Args:
        agent: Who plays.
        opened: Called with the episode's beginning.
        decided: Called with the sub-goal (empty for none) and the action before it is sent.
        answered: Called with the action sent and the world's answer, but for the last step.
    """

    def __init__(
        self,
        agent: Agent,
        opened: Callable[[Observation], None],
        decided: Callable[[str, str], None],
        answered: Callable[[str, StepResult], None],
    ) -> None:
        self._agent = agent
        self._opened, self._decided, self._answered = opened, decided, answered

    @override
    def begin(self, opening: Observation, world: Environment) -> None:
        self._agent.begin(opening, world)
        self._opened(opening)

    @override
    def act(self) -> Turn:
        action = yield from self._agent.act()
        self._decided(action.subgoal or "", action.text)
        return action

    @override
    def observe(self, action: str, result: StepResult) -> None:
        self._agent.observe(action, result)
        self._answered(action, result)

    @override
    def close(self) -> None:
        self._agent.close()
