"""Attempts: episodes of one task side by side, with the texts that their students wrote."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subgoal.agents.base import Agent
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.environments.base import Environment, Task
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import Play
from subgoal.evaluation.protocol import Protocol
from subgoal.evaluation.rollout import play_all
from subgoal.text.format import Role, Text


@dataclass(frozen=True)
class Attempt:
    """One episode and what its students wrote.

    Attributes:
        episode: What was played.
        texts: The texts of each student, in the order of the episode.
        shown: True where its end was shown to the agent (`corrections.py`), not written by it.
    """

    episode: Episode
    texts: dict[Role, list[Text]]
    shown: bool = False


def attempts(
    groups: Sequence[Sequence[tuple[Task, Decoding]]],
    shop: AgentShop,
    kind: AgentName,
    rules: Protocol,
    pool: Pool,
) -> Iterator[tuple[int, Attempt]]:
    """Play groups of attempts; yield each attempt with the number of its group as it ends.

    Args:
        groups: What each attempt plays, and how its students write.
        shop: Makes the agents; its students are loaded.
        kind: Who plays.
        rules: Limits and score.
        pool: The worlds.
    """
    agents: dict[str, Agent] = {}

    def play(number: int, attempt: int, task: Task, decoding: Decoding) -> Play:
        name = f"{number}/{attempt}"
        make_agent = shop.writing(decoding).factory(kind)

        def make(task: Task, world: Environment) -> Agent:
            agents[name] = agent = make_agent(task, world)
            return agent

        return Play(task, make, name, rules, pool)

    plays = (
        play(number, attempt, task, decoding)
        for number, group in enumerate(groups)
        for attempt, (task, decoding) in enumerate(group)
    )
    for episode in play_all(plays, pool):
        number = int(episode.agent.partition("/")[0])
        yield number, Attempt(episode, agents.pop(episode.agent).texts())
