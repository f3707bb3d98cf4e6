"""A language model as the expert: it acts in the world, and its paths are collected."""

from collections.abc import Callable

from typing_extensions import override

from subgoal.agents.flat import FlatAgent
from subgoal.agents.llm.seat import Model, acting
from subgoal.agents.stopping import Endings
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.environments.base import Environment, Observation, StepResult, StopReason
from subgoal.trajectories.replay import Expert, Order, Situation, walk
from subgoal.trajectories.trajectory import Trajectory

MOST_ACTIONS = 100
"""So many actions end a path, whatever `collect.max_moves` allows: each is paid for."""


class ModelExpert(Expert):
    """A model that thinks and acts in turn (ReAct), as the agent `react` does.

    Args:
        model: The model.
        config: How it is asked.
        most: So many actions end a path.
    """

    def __init__(self, model: Model, config: OpenAIConfig, most: int = MOST_ACTIONS) -> None:
        self._model, self._most = model, most
        self.identity = config.deciding().model_dump_json()

    @override
    def path(self, world: Environment, order: Order) -> Trajectory:
        agent = FlatAgent(acting(self._model, order.task.key, world.language))
        decide = _decisions(agent, world, self._most)
        return walk(world, order.task, decide, order.source, order.max_moves)


def _decisions(
    agent: FlatAgent, world: Environment, most: int
) -> Callable[[Situation], str | StopReason]:
    """Return what decides on each action as an agent does, until it repeats itself."""
    endings = Endings()

    def decide(now: Situation) -> str | StopReason:
        if not now.history:
            opening = Observation(task=now.task, look=now.look, inventory=now.inventory)
            agent.begin(opening, world)
        else:
            action = now.history[-1][0]
            result = StepResult(
                observation=now.observation, score=now.score, moves=0, accepted=now.accepted
            )
            agent.observe(action, result)
            stop = endings.after(action, result)
            if stop is not None:
                return stop
        if len(now.history) >= most:
            return StopReason.STEP_LIMIT
        try:
            next(agent.act())
        except StopIteration as decided:
            return decided.value.text
        raise RuntimeError("a model behind an endpoint is asked at once")

    return decide
