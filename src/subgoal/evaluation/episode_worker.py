"""Episodes played in the processes of a cluster."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from typing_extensions import override

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.cluster import Cluster, Worker, grouped
from subgoal.engines.config import EngineConfig
from subgoal.environments.base import StopReason, Task
from subgoal.environments.pool import Pool, WorldLimits
from subgoal.environments.registry import WorldOptions
from subgoal.errors import ClusterFailed
from subgoal.evaluation.capacity import episodes_at_once
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.protocol import Protocol
from subgoal.evaluation.rollout import rollout
from subgoal.record import Record
from subgoal.storage.temporary import temporary_folder

GROUP = 4
"""So many episodes are sent to a process at once, times its worlds."""
_STUDENTS = "students/"


class Engagement(Record):
    """All that decides how one agent plays."""

    environment: str
    """The world."""
    options: WorldOptions
    """Its options."""
    rules: Protocol
    """Limits and score."""
    agent: AgentName
    """Who plays."""
    name: str
    """The agent's name in the records."""
    decoding: Decoding
    """How students write."""
    subgoals: tuple[str, ...]
    """All sub-goals of the training set, for the agent that draws from them."""
    engine: EngineConfig
    """What they play on."""
    worlds: int
    """Worlds of each worker."""
    limits: WorldLimits
    """When a world is given up."""


class EpisodeWorker(Worker):
    """Plays in a process of a cluster, with worlds and students of its own."""

    @override
    def __init__(self, shared: Mapping[str, bytes]) -> None:
        job = self._job = Engagement.model_validate_json(shared["job"])
        self._pool = Pool(job.environment, job.worlds, job.limits, options=job.options)
        self._pool.start()  # while the students are loaded
        self._folder = temporary_folder("students")
        students = Path(self._folder.name)
        for name, content in shared.items():
            if name.startswith(_STUDENTS):
                file = students / name.removeprefix(_STUDENTS)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        threads = 1  # a worker has one core
        self._shop = AgentShop(students, job.subgoals, job.decoding, job.engine, threads)
        self._make = self._shop.factory(job.agent)
        engines = self._shop.loaded_engines(job.agent)
        self._places = episodes_at_once(engines, job.worlds)
        for file in students.rglob("*.safetensors"):
            file.unlink()  # it is loaded; a process that is killed leaves nothing large behind

    @override
    def work(self, items: Sequence[str]) -> list[str]:
        job = self._job
        tasks = [Task.model_validate_json(item) for item in items]
        with self._shop.threads(job.agent):
            played = rollout(tasks, self._make, job.name, job.rules, self._pool, self._places)
            return [episode.model_dump_json() for episode in played]

    @override
    def close(self) -> None:
        self._pool.close()
        self._folder.cleanup()


def played_in(
    cluster: Cluster, job: Engagement, students: Sequence[Path], tasks: Sequence[Task]
) -> Generator[Episode]:
    """Play tasks in a cluster; yield the episodes as their groups are done.

    A group is played as `rollout` plays it, so the same groups give the same episodes on whatever
    machine of one kind; a group that was lost is played again.

    Args:
        cluster: Where.
        job: How.
        students: The folders of the students that play; their names are their roles.
        tasks: What is played.
    """
    items = [task.model_dump_json() for task in tasks]
    for group, outcomes in worked_on(cluster, EpisodeWorker, job, students, items):
        if isinstance(outcomes, list):
            yield from map(Episode.model_validate_json, outcomes)
            continue
        for item in group:
            yield lost(Task.model_validate_json(item), job, str(outcomes))


def worked_on(
    cluster: Cluster,
    kind: type[EpisodeWorker],
    job: Engagement,
    students: Sequence[Path],
    items: Sequence[str],
) -> Generator[tuple[Sequence[str], list[str] | ClusterFailed]]:
    """Let workers with worlds and students of their own work on items, in groups.

    Args:
        cluster: Where.
        kind: What does the work.
        job: How it plays.
        students: The folders of the students that play; their names are their roles.
        items: What is played.

    Yields:
        A group of items and its outcomes, or why it has none, in the order in which they are done.
    """
    shared = {"job": job.model_dump_json().encode()}
    for folder in students:
        for file in (file for file in folder.rglob("*") if file.is_file()):
            shared[f"{_STUDENTS}{folder.name}/{file.relative_to(folder)}"] = file.read_bytes()
    weights = sum(len(content) for content in shared.values())
    # Beside the worlds: the interpreter with its libraries, the weights, and what they compute.
    memory = job.worlds * job.limits.bytes + 500 * 2**20 + 2 * weights
    yield from cluster.spread(kind, shared, grouped(items, GROUP * job.worlds), memory)


def lost(task: Task, job: Engagement, reason: str) -> Episode:
    """Return the episode of a task whose group was lost with its process.

    Args:
        task: The task.
        job: How it would have been played.
        reason: What happened.
    """
    return Episode(
        task=task,
        agent=job.name,
        protocol=job.rules.name,
        steps=(),
        score=0,
        final_score=0,
        stop_reason=StopReason.ENVIRONMENT_ERROR,
        seconds=0.0,
        tokens=0,
        error=reason,
    )


def on_one_core(engine: EngineConfig) -> EngineConfig:
    """Return what workers play on: they have a core each, and no GPU unless it is named."""
    return engine.model_copy(update={"device": "cpu"}) if engine.device == "auto" else engine


def pinned(engine: EngineConfig, decided: Iterable[EngineConfig]) -> EngineConfig:
    """Return a configuration that workers decide as it was decided here, whatever they have.

    Students of different kinds may be decided differently; then each worker decides for each.
    """
    first, *others = [*decided] or [engine]
    return engine if any(other != first for other in others) else first


def worlds_of_a_worker(worlds: int | Literal["auto"]) -> int:
    """Return how many worlds a worker has, for `auto` one: it has one core."""
    return 1 if worlds == "auto" else max(1, worlds)
