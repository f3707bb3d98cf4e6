"""The stage `improve`: an agent plays train variations, and its successes become paths.

Kept is what solves its task where no path was known, in fewer moves than the path that was, or
after a mistake: what imitation of oracle paths alone does not show. Sub-goals are the agent's own.
A student that is trained on what is written plays the next round.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from typing_extensions import override

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.annotation.annotate import journal_at
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.augmentation.augment import learned_from
from subgoal.environments.base import Environment, Task
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits
from subgoal.environments.registry import make
from subgoal.evaluation.capacity import episodes_at_once
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.evaluate import WORLDS_A_CORE
from subgoal.evaluation.protocol import Protocol, practice
from subgoal.evaluation.rollout import rollout
from subgoal.evaluation.step_limits import StepLimits
from subgoal.progress import Progress, console
from subgoal.record import Record
from subgoal.self_training.config import ImproveConfig
from subgoal.self_training.own_path import TEACHER, Worth, own_path, worth
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import weights_file
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory

FILE = "improved.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""
_EPISODES = "improve/episodes.jsonl"
_FIRST = 1
_TEMPERATURE = 0.5
"""Sampling temperature of the tries after the first."""


class TypeGain(Record):
    """What a task type brought."""

    played: int
    """Episodes."""
    solved: int
    """Those that solved their task."""
    kept: dict[Worth, int]
    """Own paths, by why they were kept."""


class ImproveSummary(Summary):
    """What `improve` did."""

    read: Path
    """The annotations before."""
    written: Path
    """The annotations with the agent's own paths."""
    paths: int
    """Own paths that were added."""
    by_type: dict[str, TypeGain]
    """What each task type brought."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how many own paths were kept, by type and by why."""
        rows = tuple(
            (name, str(gain.played), str(gain.solved), *(str(gain.kept.get(w, 0)) for w in Worth))
            for name, gain in self.by_type.items()
        )
        return [
            TextLine(text=f"{self.paths} paths of the agent's own", tone=Tone.STRONG),
            Table(head=("type", "played", "solved", *(f"kept: {w}" for w in Worth)), rows=rows),
            *files(self.read, self.written),
        ]


def journal(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of annotated trajectories with the agent's own."""
    return journal_at(folder / FILE)


def improve(
    config: ImproveConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
) -> ImproveSummary:
    """Run the stage: play, choose, replay, store. A second call does only what is missing.

    Args:
        config: Who plays what.
        folder: The run folder with the students.
        worlds: Episodes at once.
        limits: When a world is given up and replaced.

    Raises:
        ConfigInvalid: There is no such file of annotations.
        RunFolderInvalid: The run folder has no annotations.
        StudentInvalid: A student is missing or damaged.
    """
    source, held = learned_from(config.annotations, folder, "annotations")
    episodes, store = _episodes(folder), journal(folder)
    shop = AgentShop(folder / "students", (), config.decoding, config.engine)
    shop.load(AgentName.HIERARCHICAL)
    inputs = {
        f"students/{role}": weights_file(place)
        for role, place in shop.folders(AgentName.HIERARCHICAL).items()
    }
    rules, tasks = _asked(config, folder)
    inputs["annotations"] = held
    with folder.stage("improve", config, inputs, (episodes.path, store.path)) as stage:
        if not stage.complete:
            if stage.fresh:
                episodes.clear()
                store.clear()
            stage.note(*shop.strange(AgentName.HIERARCHICAL, tasks))
            for note in stage.manifest.notes:
                console.print(f"Note: {note}", soft_wrap=True)
            pool = Pool(config.environment, worlds, limits, WORLDS_A_CORE, config.options)
            with pool:
                _play(config, rules, tasks, shop, pool, episodes)
                made = _own_paths(source, episodes, pool)
            store.clear()
            with closing(store):
                for one in (*source.by_key().values(), *made):
                    store.append(one)
            digests = {store.sealed_path.name: store.seal()}
            stage.finish(digests, episodes=len(episodes.by_key()), paths=len(made))
    return _summary(held, source, episodes, store)


def _episodes(folder: RunFolder) -> Journal[Episode]:
    return Journal(folder / _EPISODES, Episode, "episodes", lambda one: f"{one.agent} {one.key}")


def _asked(config: ImproveConfig, folder: RunFolder) -> tuple[Protocol, list[Task]]:
    """Return the rules, and the tasks that are played."""
    chosen: list[Task] = []
    with make(config.environment, **config.options) as world:
        rules = practice(config.environment, "improve", config.simplifications)
        known = rules.select(world.tasks("train", config.simplifications), config.types)
        for name in dict.fromkeys(task.name for task in known):
            mine = [task for task in known if task.name == name]
            count = min(config.per_type, len(mine))
            chosen += [mine[number * len(mine) // count] for number in range(count)]
        return StepLimits(folder).filled(rules, chosen, world, config.options), chosen


def _play(
    config: ImproveConfig,
    rules: Protocol,
    tasks: Sequence[Task],
    shop: AgentShop,
    pool: Pool,
    episodes: Journal[Episode],
) -> None:
    held = episodes.by_key()
    places = episodes_at_once(shop.loaded_engines(AgentName.HIERARCHICAL), pool.size)
    total = len(tasks) * config.tries
    with (
        closing(episodes),
        Progress("play train variations", total, "episodes", len(held)) as progress,
        shop.threads(AgentName.HIERARCHICAL),
    ):
        solved = sum(one.solved for one in held.values())
        for number in range(_FIRST, config.tries + 1):
            name = f"own {number}"
            missing = [task for task in tasks if f"{name} {task.key}" not in held]
            factory = shop.writing(_decoding(config, number)).factory(AgentName.HIERARCHICAL)
            for episode in rollout(missing, factory, name, rules, pool, places):
                episodes.append(episode)
                solved += episode.solved
                progress.advance(note=f"{solved} solved")


def _decoding(config: ImproveConfig, number: int) -> Decoding:
    if number == _FIRST:
        return config.decoding
    return config.decoding.model_copy(update={"temperature": _TEMPERATURE, "seed": number})


def _chosen(
    source: Journal[AnnotatedTrajectory], episodes: Journal[Episode]
) -> list[tuple[Episode, Worth]]:
    """Return the episodes that are worth learning from, each way to play a task once."""
    known: dict[str, int] = {}
    for one in source:
        if not one.variant:
            known[one.trajectory.task.key] = one.trajectory.steps[-1].moves
    chosen: dict[tuple[str, tuple[str, ...]], tuple[Episode, Worth]] = {}
    for episode in episodes.by_key().values():
        why = worth(episode, known.get(episode.task.key))
        way = episode.key, tuple(step.action for step in episode.steps)
        if why is not None:
            chosen.setdefault(way, (episode, why))
    return list(chosen.values())


def _own_paths(
    source: Journal[AnnotatedTrajectory], episodes: Journal[Episode], pool: Pool
) -> list[AnnotatedTrajectory]:
    chosen = [(episode, f"{episode.agent} {why}") for episode, why in _chosen(source, episodes)]

    def made(world: Environment, item: tuple[Episode, str]) -> AnnotatedTrajectory | None:
        episode, variant = item
        task = episode.task

        def again(actions: Sequence[str]) -> Trajectory:
            return replay(world, task, actions, TEACHER)

        return own_path(episode, again, variant)

    found: list[AnnotatedTrajectory] = []
    with Progress("replay own paths", len(chosen), "paths") as progress:
        for one in pool.map(made, chosen):
            found += [one] if one is not None else []
            progress.advance()
    return sorted(found, key=lambda one: one.key)


def _summary(
    read: Path,
    source: Journal[AnnotatedTrajectory],
    episodes: Journal[Episode],
    store: Journal[AnnotatedTrajectory],
) -> ImproveSummary:
    before = set(source.by_key())
    own = [one for key, one in store.by_key().items() if key not in before]
    kept: defaultdict[str, Counter[Worth]] = defaultdict(Counter)
    for one in own:
        kept[one.trajectory.task.name][Worth(one.variant.rpartition(" ")[2])] += 1
    played: defaultdict[str, list[Episode]] = defaultdict(list)
    for episode in episodes.by_key().values():
        played[episode.task.name].append(episode)
    return ImproveSummary(
        read=read,
        written=store.sealed_path,
        paths=len(own),
        by_type={
            name: TypeGain(
                played=len(mine),
                solved=sum(episode.solved for episode in mine),
                kept=dict(kept[name]),
            )
            for name, mine in played.items()
        },
    )
