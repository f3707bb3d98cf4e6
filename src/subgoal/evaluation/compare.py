"""Paired comparison of two agents: the same tasks, episode by episode.

The difference of two means over the same tasks is the mean of the differences, so everything is
computed on one difference a task: its interval by the same stratified bootstrap as the means, and
a p-value by flipping signs. Tasks vary far more than agents do; pairing takes that out.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.bootstrap import Floats, Interval, bootstrap, sign_flip_p_value
from subgoal.evaluation.episode import Episode, by_type
from subgoal.evaluation.metrics import by_group
from subgoal.evaluation.protocol import Mean, Protocol
from subgoal.record import Record


class PairedDifference(Record):
    """First agent minus second on one group of tasks."""

    name: str
    """The task type, the group of types, or `all`."""
    episodes: int
    """Pairs of episodes."""
    difference: Interval
    """Mean difference in points."""
    wins: int
    """Tasks on which the first agent scored higher."""
    ties: int
    """Tasks on which both scored the same."""
    losses: int
    """Tasks on which the second agent scored higher."""
    p_value: float
    """Two-sided, by sign flips."""


class Comparison(Record):
    """Two agents on the same tasks."""

    first: str
    """Name of the first agent."""
    second: str
    """Name of the second agent."""
    protocol: str
    """The protocol's name."""
    overall: PairedDifference
    """Over all tasks."""
    types: tuple[PairedDifference, ...]
    """By task type, in the order in which they were played."""
    classes: tuple[PairedDifference, ...]
    """By group of types; empty in a world without groups."""


def compare(
    first: Sequence[Episode], second: Sequence[Episode], protocol: Protocol, seed: int = 0
) -> Comparison:
    """Compare two agents on the same tasks.

    Args:
        first: Episodes of the first agent, one a task.
        second: Episodes of the second agent on the same tasks, in any order.
        protocol: The protocol under which both played.
        seed: Seed of the intervals.

    Raises:
        ComparisonInvalid: The episodes do not pair: other tasks, another protocol, or none.
    """
    names = [_agent(first, protocol), _agent(second, protocol)]
    others = _paired(first, second, names)

    def difference(name: str, group: Sequence[Episode]) -> PairedDifference:
        differences = [
            np.array([episode.score - others[episode.key].score for episode in members], float)
            for members in by_type(group).values()
        ]
        return paired(name, differences, protocol.mean, seed)

    return Comparison(
        first=names[0],
        second=names[1],
        protocol=protocol.name,
        overall=difference("all", first),
        types=tuple(difference(name, group) for name, group in by_type(first).items()),
        classes=tuple(difference(name, group) for name, group in by_group(first).items()),
    )


def _agent(episodes: Sequence[Episode], protocol: Protocol) -> str:
    if not episodes:
        raise ComparisonInvalid("one side has no episodes; evaluate the agent first")
    strangers = {e.protocol for e in episodes} - {protocol.name}
    if strangers:
        raise ComparisonInvalid(
            f"'{episodes[0].agent}' was played under '{strangers.pop()}', not under "
            f"'{protocol.name}'; evaluate both agents under one protocol"
        )
    agents = sorted({episode.agent for episode in episodes})
    if len(agents) > 1:
        raise ComparisonInvalid(f"one side mixes the episodes of {' and '.join(agents)}")
    return agents[0]


def _paired(
    first: Sequence[Episode], second: Sequence[Episode], names: Sequence[str]
) -> dict[str, Episode]:
    """Return the second agent's episodes by task, checked to be the first agent's tasks."""
    one, two = _by_task(first), _by_task(second)
    _check_covered(one, two, names[0], names[1])
    _check_covered(two, one, names[1], names[0])
    return two


def _by_task(episodes: Sequence[Episode]) -> dict[str, Episode]:
    tasks = {episode.key: episode for episode in episodes}
    if len(tasks) < len(episodes):
        raise ComparisonInvalid(
            f"'{episodes[0].agent}' has several episodes of one task; keep one a task"
        )
    return tasks


def _check_covered(
    side: Mapping[str, Episode], other: Mapping[str, Episode], name: str, other_name: str
) -> None:
    alone = [key for key in side if key not in other]
    if alone:
        raise ComparisonInvalid(
            f"'{name}' and '{other_name}' were not played on the same tasks: {len(alone)} of "
            f"'{name}' are missing for '{other_name}' (first: {alone[0]}); evaluate both on the "
            "same types and variations"
        )


def paired(name: str, differences: Sequence[Floats], over: Mean, seed: int = 0) -> PairedDifference:
    """Describe the differences of one group of tasks.

    Args:
        name: The task type, the group of types, or `all`.
        differences: First side minus second on each task, in points, an array a task type.
        over: What counts alike, types or episodes.
        seed: Seed of the interval.
    """
    signs = np.sign(np.concatenate(differences))
    return PairedDifference(
        name=name,
        episodes=len(signs),
        difference=bootstrap(differences, over, seed),
        wins=int(np.count_nonzero(signs > 0)),
        ties=int(np.count_nonzero(signs == 0)),
        losses=int(np.count_nonzero(signs < 0)),
        p_value=round(sign_flip_p_value(differences, over, seed), 5),
    )
