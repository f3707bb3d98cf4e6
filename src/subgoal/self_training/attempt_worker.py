"""Attempts and looks at dev that are played in the processes of a cluster."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from subgoal.agents.config import Decoding
from subgoal.cluster import Cluster
from subgoal.environments.base import Task
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.episode_worker import (
    Engagement,
    EpisodeWorker,
    lost,
    played_in,
    worked_on,
)
from subgoal.evaluation.protocol import Protocol
from subgoal.record import Record
from subgoal.self_training.attempts import Attempt, attempts
from subgoal.self_training.policy import Policy
from subgoal.storage.temporary import temporary_folder
from subgoal.students.folder import save_student
from subgoal.text.format import Role, Text


class _Asked(Record):
    """An attempt that is to be played."""

    group: int
    """Number of its group."""
    attempt: int
    """Its number within the group."""
    task: Task
    """What is played."""
    decoding: Decoding
    """How students write."""


class _Played(Record):
    """An attempt that was played."""

    group: int
    """Number of its group."""
    episode: Episode
    """What was played."""
    texts: dict[Role, list[Text]]
    """What its students wrote."""


class AttemptWorker(EpisodeWorker):
    """Plays attempts in a process of a cluster, with worlds and students of its own."""

    @override
    def work(self, items: Sequence[str]) -> list[str]:
        job = self._job
        asked = [_Asked.model_validate_json(item) for item in items]
        groups = [[(one.task, one.decoding)] for one in asked]
        found: list[str] = []
        with self._shop.threads(job.agent):
            for number, attempt in attempts(groups, self._shop, job.agent, job.rules, self._pool):
                one = asked[number]
                name = {"agent": f"{one.group}/{one.attempt}"}
                episode = attempt.episode.model_copy(update=name)
                played = _Played(group=one.group, episode=episode, texts=attempt.texts)
                found.append(played.model_dump_json())
        return found


@dataclass(frozen=True)
class FarPlay:
    """Lets a cluster play with students as they are now.

    Attributes:
        cluster: Where.
        job: How attempts are played.
    """

    cluster: Cluster
    job: Engagement

    def attempts(
        self,
        policies: Mapping[Role, Policy],
        groups: Sequence[Sequence[tuple[Task, Decoding]]],
    ) -> Iterator[tuple[int, Attempt]]:
        """Play groups of attempts; yield each attempt with the number of its group as it ends.

        Args:
            policies: The students, by role.
            groups: What each attempt plays, and how its students write.
        """
        asked = [
            _Asked(group=number, attempt=attempt, task=task, decoding=decoding)
            for number, group in enumerate(groups)
            for attempt, (task, decoding) in enumerate(group)
        ]
        items = [one.model_dump_json() for one in asked]
        with _saved(policies) as students:
            done = worked_on(self.cluster, AttemptWorker, self.job, students, items)
            for group, outcomes in done:
                if isinstance(outcomes, list):
                    for one in map(_Played.model_validate_json, outcomes):
                        yield one.group, Attempt(one.episode, one.texts)
                    continue
                for one in map(_Asked.model_validate_json, group):
                    gone = lost(one.task, self.job, str(outcomes))
                    name = {"agent": f"{one.group}/{one.attempt}"}
                    yield one.group, Attempt(gone.model_copy(update=name), {})

    def episodes(
        self, policies: Mapping[Role, Policy], rules: Protocol, tasks: Sequence[Task]
    ) -> Iterator[Episode]:
        """Play tasks greedily; yield the episodes as they end.

        Args:
            policies: The students, by role.
            rules: Limits and score.
            tasks: What is played.
        """
        job = self.job.model_copy(update={"rules": rules, "decoding": Decoding(choose=True)})
        with _saved(policies) as students:
            yield from played_in(self.cluster, job, students, tasks)


@contextmanager
def _saved(policies: Mapping[Role, Policy]) -> Iterator[list[Path]]:
    """Write students into folders named as their roles, for as long as the block lasts."""
    with temporary_folder("students") as place:
        folders = [Path(place) / role for role in policies]
        for folder, policy in zip(folders, policies.values(), strict=True):
            save_student(folder, policy.student)
        yield folders
