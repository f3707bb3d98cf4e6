"""What an agent's episodes amount to: means with intervals, by type, by group of types, over all.

Scores and solved shares are averaged as the protocol says (over a type's variations and then over
types, or over episodes); steps, seconds and tokens are plain means over episodes, and the share of
invalid actions is over all actions. An episode that the world broke off counts with the score it
had reached, and `endings` tells how many there were: nothing leaves a mean silently.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from subgoal.agents.dialogue import Replacement
from subgoal.environments.base import StopReason
from subgoal.evaluation.bootstrap import Interval, bootstrap
from subgoal.evaluation.episode import Episode, by_type
from subgoal.evaluation.protocol import Mean, Protocol, grouped, groups
from subgoal.record import Record


class GroupScores(Record):
    """The figures of one group of episodes: of a task type, of a group of types, or of all."""

    name: str
    """The task type, the group of types, or `all`."""
    group: str = ""
    """The group of a task type, such as `short`; empty where its world has none."""
    types: int
    """Task types in the group."""
    episodes: int
    """Episodes in the group."""
    score: Interval
    """Mean score, 0..100."""
    solved: Interval
    """Share of episodes solved, in percent."""
    steps: float
    """Mean agent steps an episode."""
    seconds: float
    """Mean wall-clock seconds an episode."""
    tokens: float
    """Mean tokens computed an episode."""
    invalid: float
    """Share of actions that the world did not know as the agent said them, in percent."""
    llm_calls: float = 0.0
    """Mean requests an episode to a model behind an endpoint."""
    llm_tokens: float = 0.0
    """Mean tokens an episode that such a model read and wrote."""
    llm_cost: float = 0.0
    """Mean money an episode for them, by the price table."""
    replaced: dict[Replacement, int] = {}
    """Number of actions in whose place something else was sent, by why."""


class AgentScores(Record):
    """All figures of one agent under one protocol."""

    agent: str
    """The agent's name."""
    protocol: str
    """The protocol's name."""
    overall: GroupScores
    """Over all episodes."""
    types: tuple[GroupScores, ...]
    """By task type, in the order in which they were played."""
    classes: tuple[GroupScores, ...]
    """By group of types, such as `short`, in their order; empty in a world without groups."""
    endings: dict[StopReason, int]
    """How many episodes ended how, most frequent first."""


def by_group(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    """Group episodes as their world groups its task types; empty where it does not."""
    found = grouped(by_type(episodes), episodes[0].task.environment)
    return {
        group: [episode for episode in episodes if episode.task.name in types]
        for group, types in found.items()
    }


def group_scores(name: str, episodes: Sequence[Episode], over: Mean, seed: int = 0) -> GroupScores:
    """Average a group of episodes; at least one is needed."""
    types = by_type(episodes).values()
    actions = sum(len(episode.steps) for episode in episodes)
    invalid = sum(episode.invalid for episode in episodes)
    return GroupScores(
        name=name,
        types=len(types),
        episodes=len(episodes),
        score=bootstrap([np.array([e.score for e in group], float) for group in types], over, seed),
        solved=bootstrap(
            [np.array([100.0 * e.solved for e in group]) for group in types], over, seed
        ),
        steps=round(actions / len(episodes), 2),
        seconds=round(sum(episode.seconds for episode in episodes) / len(episodes), 3),
        tokens=round(sum(episode.tokens for episode in episodes) / len(episodes), 1),
        llm_calls=round(sum(e.spent.calls for e in episodes) / len(episodes), 2),
        llm_tokens=round(sum(e.spent.tokens for e in episodes) / len(episodes), 1),
        llm_cost=round(sum(e.spent.cost for e in episodes) / len(episodes), 6),
        invalid=round(100 * invalid / max(1, actions), 2),
        replaced=Counter(
            step.replaced for one in episodes for step in one.steps if step.replaced is not None
        ),
    )


def agent_scores(
    agent: str, episodes: Sequence[Episode], protocol: Protocol, seed: int = 0
) -> AgentScores:
    """Compute all figures of one agent.

    Args:
        agent: The agent's name.
        episodes: Its episodes under the protocol, at least one.
        protocol: Says how episodes are averaged.
        seed: Seed of the intervals.
    """

    def scores(name: str, group: Sequence[Episode]) -> GroupScores:
        return group_scores(name, group, protocol.mean, seed)

    endings = Counter(episode.stop_reason for episode in episodes)
    group_of = groups(episodes[0].task.environment)
    types = {name: scores(name, group) for name, group in by_type(episodes).items()}
    return AgentScores(
        agent=agent,
        protocol=protocol.name,
        overall=scores("all", episodes),
        types=tuple(
            one.model_copy(update={"group": group_of.get(name, "")}) for name, one in types.items()
        ),
        classes=tuple(scores(name, group) for name, group in by_group(episodes).items()),
        endings=dict(sorted(endings.items(), key=lambda item: (-item[1], item[0]))),
    )
