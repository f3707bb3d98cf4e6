"""The stage `evaluate`: agents play a protocol's tasks; every episode is kept, and resumed from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.released import ReleasedAgent
from subgoal.annotation import annotate
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.cluster import Cluster
from subgoal.datasets.splits import check_leaks
from subgoal.engines.config import REFERENCE, EngineConfig, EngineName
from subgoal.environments.base import Environment, StopReason, Task, parts_of
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits
from subgoal.environments.registry import WorldOptions, make
from subgoal.errors import ConfigInvalid, EnvironmentFailed, StudentInvalid
from subgoal.evaluation.capacity import episodes_at_once, prefix_bytes
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.episode_worker import (
    GROUP,
    Engagement,
    on_one_core,
    pinned,
    played_in,
    worlds_of_a_worker,
)
from subgoal.evaluation.protocol import Protocol, protocol
from subgoal.evaluation.rollout import rollout
from subgoal.evaluation.step_limits import StepLimits
from subgoal.evaluation.summary import (
    BY_CHANCE,
    EvaluationSummary,
    Students,
    journal,
    stage_name,
    students_file,
    summarize,
)
from subgoal.progress import Progress, console
from subgoal.record import Record
from subgoal.storage.journal import Journal, file_digest, write_text
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import CARD, read_card, weights_file

if TYPE_CHECKING:
    from subgoal.agents.llm.model import PaidModel

Play = Callable[[str, Sequence[Task]], Iterator[Episode]]
"""Lets the agent of a name play tasks."""

BROKEN_IN_A_ROW = 6
"""So many episodes (in a cluster: groups of episodes) in a row whose world broke off end the
evaluation: something is wrong."""


WORLDS_A_CORE = 4
"""So many worlds a core where `auto` decides: one that plays waits for its student most of the
time, and a batch of eight costs a small student little more than one of two
(`research/benchmarks/rollout.py`)."""


class _OneAgent(Record):
    """All that decides one agent's episodes."""

    environment: str
    options: WorldOptions
    protocol: Protocol
    types: tuple[str, ...]
    per_type: int
    agent: str
    decoding: Decoding
    engines: dict[str, str] | None
    """Engine and numbers of each student; None: all as they were trained, by transformers."""
    openai: OpenAIConfig | None = None
    """The model behind an endpoint that the agent asks; None: it asks none."""


def tasks_of(config: EvaluateConfig) -> list[Task]:
    """Return the tasks that the configuration plays.

    Raises:
        ConfigInvalid: The protocol or world does not exist.
        TaskUnknown: A type does not.
    """
    with make(config.environment, **config.options) as world:
        return _chosen(config, protocol(config.protocol, config.environment), world)


def asked_of(
    config: EvaluateConfig, folder: RunFolder | None = None
) -> tuple[Protocol, list[Task]]:
    """Return the rules, with a limit for every task, and the tasks that the configuration plays.

    Args:
        config: Who plays what.
        folder: The run folder that knows limits, or learns them.

    Raises:
        ConfigInvalid: The protocol or world does not exist.
        TaskUnknown: A type does not.
    """
    with make(config.environment, **config.options) as world:
        rules = protocol(config.protocol, config.environment)
        tasks = _chosen(config, rules, world)
        return StepLimits(folder).filled(rules, tasks, world, config.options), tasks


def _chosen(config: EvaluateConfig, rules: Protocol, world: Environment) -> list[Task]:
    known = world.tasks(rules.split, rules.simplifications)
    return rules.select(known, config.types, config.per_type or None)


def evaluate(
    config: EvaluateConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
    cluster: Cluster | None = None,
    released: ReleasedAgent | None = None,
    students: Path | None = None,
    openai: OpenAIConfig | None = None,
) -> EvaluationSummary:
    """Run the stage: each agent plays the tasks that it has not played.

    Args:
        config: Who plays what.
        folder: The run folder with the students.
        worlds: Episodes at once; in a cluster, of each worker (`auto`: one).
        limits: When a world is given up and replaced.
        cluster: Whose processes play, each with worlds and students of its own; None: this one.
        released: An agent that is ready, which plays instead of `config.agents`.
        students: Where the students lie, a folder a role; None: in the run folder.
        openai: The model behind an endpoint, for agents that ask one.

    Raises:
        ConfigInvalid: The released agent plays another world, or there are no sub-goals for
            `random_subgoals` to draw from, or no model is named for an agent that asks one.
        TeacherFailed: The model's endpoint answers nobody, or the budget is used up.
        StudentInvalid: A student is missing or damaged.
        DataLeak: A student was trained on a task that is to be played.
        ClusterFailed: The cluster cannot be had.
    """
    rules, tasks = asked_of(config, folder)
    kinds, place = _cast(config, released, students or folder / "students")
    needed = any(kind.needs_subgoals for kind in kinds.values())
    subgoals = subgoals_of(config, folder, place) if needed else []
    engine = config.engine if cluster is None else on_one_core(config.engine)
    asking = [kind for kind in kinds.values() if kind.paid]
    if asking and cluster is not None:
        said = "asks a model from this process: leave out the cluster"
        raise ConfigInvalid(f"the agent '{asking[0]}' {said}")
    with ExitStack() as resources:
        model = resources.enter_context(_model(openai, folder)) if asking else None
        shop = AgentShop(place, subgoals, config.decoding, engine, model=model)
        if cluster is None:
            made = Pool(config.environment, worlds, limits, WORLDS_A_CORE, config.options)
            pool = resources.enter_context(made)
            if not all(_complete(folder, stage_name(rules.name, name)) for name in kinds):
                pool.start(len(tasks))  # while the students are loaded

            def play(name: str, missing: Sequence[Task]) -> Iterator[Episode]:
                make, engines = shop.factory(kinds[name]), shop.loaded_engines(kinds[name])
                places = episodes_at_once(engines, pool.size)
                return rollout(missing, make, name, rules, pool, places)

        else:

            def play(name: str, missing: Sequence[Task]) -> Iterator[Episode]:
                job = Engagement(
                    environment=config.environment,
                    options=config.options,
                    rules=rules,
                    agent=kinds[name],
                    name=name,
                    decoding=config.decoding,
                    engine=pinned(engine, shop.engines(kinds[name]).values()),
                    subgoals=tuple(subgoals),
                    worlds=worlds_of_a_worker(worlds),
                    limits=limits,
                )
                needed = shop.folders(kinds[name]).values()
                return played_in(cluster, job, list(needed), missing)

        # A group that a cluster loses is as many episodes in a row.
        group = 1 if cluster is None else GROUP * worlds_of_a_worker(worlds)
        deciding = {path for kind in kinds.values() for path in deciders(shop, kind).values()}
        digests = {path: file_digest(path) for path in deciding}
        for name, kind in kinds.items():
            _check_same_students(digests)
            paid = openai if kind.paid else None
            patience = BROKEN_IN_A_ROW * group
            _play_all(config, rules, name, kind, tasks, shop, folder, play, patience, paid)
    return summarize(folder, rules.name)


def _model(config: OpenAIConfig | None, folder: RunFolder) -> "PaidModel":
    from subgoal.agents.llm.model import model_of  # few agents ask one

    return model_of(config or OpenAIConfig(), folder)


def _cast(
    config: EvaluateConfig, released: ReleasedAgent | None, students: Path
) -> tuple[Mapping[str, AgentName], Path]:
    """Return the kind of each agent that plays, by name, and where their students lie."""
    if released is None:
        return {str(name): name for name in config.agents}, students
    released.check_world(config.environment)
    return {released.name: released.card.kind}, released.folder


def subgoals_of(
    config: EvaluateConfig, folder: RunFolder, students: Path | None = None
) -> list[str]:
    """Return every sub-goal of the training set once, sorted.

    Args:
        config: It may name the file of annotations.
        folder: Whose own annotations they are else.
        students: Where the students lie; None: in the run folder. Sub-goals of task types that
            those of the hierarchical agent were not trained on are left out.

    Raises:
        ConfigInvalid: There is no such file, or there are no sub-goals.
        DataCorrupt: The file is damaged.
    """
    path = config.annotations
    named = annotate.named_file(path, "annotations") if path else None
    store = named or annotate.journal(folder)
    found: dict[tuple[str, ...], set[str]] = {}
    for one in store:
        kind = (one.trajectory.task.environment, one.trajectory.task.name)
        found.setdefault(kind, set()).update(str(span.subgoal) for span in one.spans)
    if not any(found.values()):
        raise ConfigInvalid(
            f"random_subgoals has no sub-goals to draw from: {folder.path} holds no annotations; "
            "name the file that the students were trained on with --annotations"
        )
    place = students or folder / "students"
    cards = [read_card(place / role) for role in AgentShop(place).roles(AgentName.HIERARCHICAL)]
    learned = {parts_of(key)[:2] for card in cards for key in card.trained_on}
    return sorted(set[str]().union(*(found[kind] for kind in learned & found.keys() or found)))


def _play_all(
    config: EvaluateConfig,
    rules: Protocol,
    name: str,
    kind: AgentName,
    tasks: Sequence[Task],
    shop: AgentShop,
    folder: RunFolder,
    play: Play,
    patience: int,
    openai: OpenAIConfig | None = None,
) -> None:
    one = _OneAgent(
        environment=config.environment,
        options=config.options,
        protocol=rules,
        types=config.types,
        per_type=config.per_type,
        agent=name,
        decoding=config.decoding,
        engines=other_engines(shop, kind),
        openai=openai and openai.deciding(),
    )
    shop.factory(kind)  # what is missing or damaged is said before anything is played
    for card in shop.cards.values():
        check_leaks(card.trained_on, tasks)
    store = journal(folder, rules.name, name)
    inputs = deciders(shop, kind)
    if kind.needs_subgoals:
        own = annotate.journal(folder)
        inputs["annotations"] = config.annotations or (own.sealed_path if own.sealed else own.path)
    with folder.stage(stage_name(rules.name, name), one, inputs, (store.path,)) as stage:
        if stage.complete and not any(map(_broken, store)):
            return
        if stage.fresh:
            store.clear()  # left over from an evaluation that was forgotten
        stage.note(*shop.strange(kind, tasks), *_chance(config))
        extents = {role.value: shop.cards[role].extent for role in shop.roles(kind)}
        about = students_file(folder, rules.name, name)
        write_text(about, Students(extents=extents).model_dump_json(indent=1) + "\n")
        for role, engine in shop.engines(kind).items():
            console.print(f"{name}: the student '{role}' plays on {engine.label}", markup=False)
        with shop.threads(kind):
            scores = _play_missing(name, tasks, play, store, patience)
        kept = prefix_bytes(shop.loaded_engines(kind)) / 2**20
        outputs = {str(file.relative_to(folder.path)): file for file in (store.seal(), about)}
        stage.finish(
            outputs,
            episodes=len(scores),
            mean=sum(scores) / max(1, len(scores)),
            cache_megabytes_an_episode=round(kept, 1),
        )


def _chance(config: EvaluateConfig) -> list[str]:
    with make(config.environment, **config.options) as world:
        return [] if world.deterministic else [BY_CHANCE]


def other_engines(shop: AgentShop, name: AgentName) -> dict[str, str] | None:
    """Return the engines of an agent's students, where they are not the reference."""
    labels = {role.value: engine.label for role, engine in shop.engines(name).items()}
    return None if set(labels.values()) <= {REFERENCE} else labels


def deciders(shop: AgentShop, kind: AgentName) -> dict[str, Path]:
    """Return the file that decides what each student of an agent says, by what it is called."""
    return {
        f"students/{role}": _decider(shop.folders(kind)[role], engine)
        for role, engine in shop.engines(kind).items()
    }


def _check_same_students(digests: Mapping[Path, str]) -> None:
    """Check that nobody has trained students again since those that play were loaded."""
    for path, digest in digests.items():
        if not path.is_file() or file_digest(path) != digest:
            raise StudentInvalid(
                f"{path.parent} was written anew while agents played; what they played is kept, "
                "and the same command goes on with what is there now"
            )


def _decider(student: Path, engine: EngineConfig) -> Path:
    """Return the file that decides what a student says: on a server, its card must do."""
    return student / CARD if engine.engine is EngineName.OPENAI else weights_file(student)


def _play_missing(
    name: str,
    tasks: Sequence[Task],
    play: Play,
    store: Journal[Episode],
    patience: int,
) -> list[int]:
    """Play what the journal does not hold, or holds as broken off; return all scores."""
    held = {key: e for key, e in store.by_key().items() if not _broken(e)}
    missing = [task for task in tasks if task.key not in held]
    scores = [episode.score for episode in held.values()]
    in_a_row = 0
    with (
        closing(store),
        Progress(f"play {name}", len(tasks), "episodes", len(scores)) as progress,
    ):
        for episode in play(name, missing):
            store.append(episode)
            in_a_row = in_a_row + 1 if _broken(episode) else 0
            if in_a_row >= patience:
                raise EnvironmentFailed(
                    f"the world broke off {in_a_row} episodes in a row; the last time because: "
                    f"{episode.error}"
                )
            scores.append(episode.score)
            progress.advance(note=f"mean score {sum(scores) / len(scores):.1f}")
    return scores


def _complete(folder: RunFolder, stage: str) -> bool:
    manifest = folder.manifest(stage)
    return manifest is not None and manifest.state is StageState.COMPLETE


def _broken(episode: Episode) -> bool:
    return episode.stop_reason is StopReason.ENVIRONMENT_ERROR
