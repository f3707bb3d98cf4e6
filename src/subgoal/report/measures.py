"""What the agents of a run scored, task by task: what is compared with another run, or shared."""

from collections.abc import Mapping, Sequence

import numpy as np

from subgoal.environments.base import parts_of
from subgoal.evaluation.bootstrap import Floats, Interval, bootstrap
from subgoal.evaluation.protocol import Mean, Protocol
from subgoal.evaluation.summary import evaluated, played, rules_of, stage_name
from subgoal.record import Record
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder

HELD_OUT = "turns right on held-out paths, in percent"
"""What an assessment measures."""


class Measure(Record):
    """What one agent scored, task by task."""

    what: str
    """The protocol's name, or `HELD_OUT`."""
    agent: str
    """The agent's name."""
    rules: Protocol | None = None
    """The protocol; None of an assessment."""
    scores: dict[str, float]
    """Points by the key of the task; of an assessment: percent by the key of the group."""
    score: Interval
    """Their mean, as the protocol takes it."""

    @property
    def over(self) -> Mean:
        """How tasks are averaged."""
        return self.rules.mean if self.rules else Mean.EPISODES


def measures(folder: RunFolder, seed: int = 0) -> list[Measure]:
    """Return what was measured in a run folder, of all evaluations that are complete.

    Args:
        folder: The run folder.
        seed: Seed of the intervals.

    Raises:
        SubgoalError: A file of the run folder is damaged, or gone.
    """
    found: list[Measure] = []
    for protocol, agents in evaluated(folder).items():
        for agent in agents:
            if _complete(folder, stage_name(protocol, agent)):
                episodes = played(folder, protocol, agent)
                rules = rules_of(folder, protocol, agent, episodes)
                scores = {one.key: float(one.score) for one in episodes}
                score = interval(scores, rules.mean, seed)
                measure = Measure(
                    what=protocol, agent=agent, rules=rules, scores=scores, score=score
                )
                found.append(measure)
    return [*found, *assessed(folder, seed)]


def assessed(folder: RunFolder, seed: int = 0) -> list[Measure]:
    """Return what agents had right on held-out paths, of all assessments that are complete.

    Args:
        folder: The run folder.
        seed: Seed of the intervals.

    Raises:
        SubgoalError: A file of the run folder is damaged, or gone.
    """
    begin = "assess-"
    agents = [
        one.stage.removeprefix(begin)
        for one in folder.manifests()
        if one.stage.startswith(begin) and one.state is StageState.COMPLETE
    ]
    if not agents:
        return []
    from subgoal.evaluation.offline.assess import right_turns  # it needs torch

    found = {agent: right_turns(folder, agent) for agent in agents}
    return [
        Measure(
            what=HELD_OUT, agent=agent, scores=scores, score=interval(scores, Mean.EPISODES, seed)
        )
        for agent, scores in found.items()
        if scores
    ]


def _complete(folder: RunFolder, stage: str) -> bool:
    manifest = folder.manifest(stage)
    return manifest is not None and manifest.state is StageState.COMPLETE


def interval(scores: Mapping[str, float], over: Mean, seed: int = 0) -> Interval:
    """Return the mean of scores by task, with its interval.

    Args:
        scores: By the key of the task.
        over: What counts alike, types or episodes.
        seed: Seed of the interval.
    """
    return bootstrap(strata(scores, list(scores)), over, seed)


def strata(scores: Mapping[str, float], keys: Sequence[str]) -> list[Floats]:
    """Return the scores of some tasks, an array a task type."""
    types: dict[str, list[float]] = {}
    for key in keys:
        types.setdefault(parts_of(key)[1], []).append(scores[key])
    return [np.array(group, float) for group in types.values()]
