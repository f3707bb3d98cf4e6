"""The stage `assess`: is it good enough? Students are asked at every turn of held-out paths.

    assessment/<agent>.jsonl    what an agent wrote, path by path; sealed to `.zst` when complete

Held out is what no student was trained on, nor another path of its group. Of it, failures are not
asked about, unless there is nothing else. No world is needed, so it serves logs as well as worlds.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.augmentation.augment import learned_from
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.splits import unseen
from subgoal.environments.registry import language
from subgoal.errors import ConfigInvalid, DataLeak, StudentInvalid
from subgoal.evaluation.capacity import episodes_at_once
from subgoal.evaluation.config import AssessConfig
from subgoal.evaluation.evaluate import deciders, other_engines
from subgoal.evaluation.offline.answers import PathAnswers, beside, guided, planned
from subgoal.evaluation.offline.assessment import Assessment, assessment, went_well
from subgoal.evaluation.offline.baselines import baselines
from subgoal.evaluation.offline.figures import judged
from subgoal.evaluation.offline.teacher_forcing import (
    AT_ONCE,
    Reading,
    StudentCrew,
    side_by_side,
    teacher_forced,
)
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import StudentCard, read_card
from subgoal.students.ending import TrainingExtent, cautions
from subgoal.text.format import Role

ABLE: tuple[AgentName, ...] = (AgentName.HIERARCHICAL, AgentName.FLAT)
"""The agents that can be asked: all that they write comes from students."""


@dataclass(frozen=True)
class Assessed:
    """What the stage found.

    Attributes:
        figures: How much is right.
        paths: The held-out paths.
        answers: What was written on each of them, in their order, by agent.
        students: The agents that are no baselines.
        told: How paths are told.
    """

    figures: Assessment
    paths: Sequence[AnnotatedTrajectory]
    answers: Mapping[str, Sequence[PathAnswers]]
    students: Sequence[str]
    told: DatasetConfig


class _OneAsked(Record):
    """All that decides what an agent writes."""

    agent: str
    decoding: Decoding
    engines: dict[str, str] | None
    """As for `evaluate`."""


def assess(config: AssessConfig, folder: RunFolder, seed: int = 0) -> Assessed:
    """Run the stage: each agent is asked on the paths that it has not been asked on.

    Args:
        config: Whose students, and how they write.
        folder: The run folder with the students.
        seed: Seed of the intervals.

    Raises:
        ConfigInvalid: The students were told paths differently.
        DataLeak: No path was held out.
        RunFolderInvalid: There are no annotations.
        StudentInvalid: A student is missing or damaged.
        EngineFailed: The engine cannot be had.
    """
    place = folder / "students"
    shop = AgentShop(place, (), config.decoding, config.engine)
    names = _agents(config, shop, place)
    store, source = learned_from(config.annotations, folder, "annotations")
    paths = list(store.by_key().values())
    for name in names:
        shop.load(name)
    hidden = _hidden(shop.cards, paths, place)
    held_out = [one for one in hidden if went_well(one)] or hidden
    wanted = {one.key for one in held_out}
    told = _told(shop.cards)
    answers: dict[str, Sequence[PathAnswers]] = {}
    for name in names:
        own = [shop.cards[role] for role in shop.roles(name)]
        asked = unseen((key for card in own for key in card.trained_on), paths)
        asked = [one for one in asked if went_well(one) or one.key in wanted]
        found = _ask_all(name, config, folder, shop, source, asked, told)
        answers[str(name)] = [found[one.key] for one in held_out]
    kept = {one.key for one in hidden}
    learned = [one for one in paths if one.key not in kept]
    for title, baseline in baselines(learned, told).items():
        answers[title] = [baseline.answer(one) for one in held_out]
    students = list(map(str, names))
    extents: dict[str, dict[str, TrainingExtent]] = {
        str(name): {role: shop.cards[role].extent for role in shop.roles(name)} for name in names
    }
    notes = cautions(extents)
    figures = assessment(held_out, len(learned), answers, students, told, notes, seed)
    return Assessed(figures, held_out, answers, students, told)


def journal(folder: RunFolder, agent: str) -> Journal[PathAnswers]:
    """Return the journal of what an agent wrote on held-out paths."""
    path = folder / f"assessment/{agent}.jsonl"
    return Journal(path, PathAnswers, "answers", lambda one: one.key)


def right_turns(folder: RunFolder, agent: str) -> dict[str, float]:
    """Return how much of each held-out group of paths an agent had right, in percent of its turns.

    Args:
        folder: The run folder.
        agent: An agent that was asked.

    Returns:
        By the group's task. No student is loaded.

    Raises:
        RunFolderInvalid: The agent was not asked, or not to the end.
        ConfigInvalid: The file of the paths is gone.
        StudentInvalid: A student is.
    """
    manifest = folder.need(f"assess-{agent}", "assess")
    store = annotate.named_file(folder.path / manifest.sources["annotations"], "annotations")
    place = folder / "students"
    roles = AgentShop(place).roles(AgentName(agent))
    told = _told({role: read_card(place / role, role) for role in roles})
    paths, turns = store.by_key(), dict[str, list[bool]]()
    for one in journal(folder, agent):
        path = paths[one.key]
        right = [turn.match.exact for turn in judged(path, one.turns, told)]
        turns.setdefault(path.trajectory.task.key, []).extend(right)
    return {key: 100 * sum(right) / len(right) for key, right in turns.items() if right}


def _agents(config: AssessConfig, shop: AgentShop, place: Path) -> list[AgentName]:
    found = [AgentName(name) for name in config.agents] or [
        name for name in ABLE if shop.holds(name)
    ]
    if not found:
        raise StudentInvalid(f"{place} holds no students; first run `subgoal train`")
    return found


def _hidden(
    cards: Mapping[Role, StudentCard], paths: Sequence[AnnotatedTrajectory], place: Path
) -> list[AnnotatedTrajectory]:
    found = unseen((key for card in cards.values() for key in card.trained_on), paths)
    if not found:
        raise DataLeak(
            f"{place}: all {len(paths)} paths are of tasks that the students were trained on; hold "
            "more out with train.dataset.dev_share, and train again"
        )
    return found


def _told(cards: Mapping[Role, StudentCard]) -> DatasetConfig:
    """Return how paths were told to the students, as far as that decides what they are asked."""
    names = ("drop", "move_limit", "reasons")
    tables = [card.config.get("dataset", {}) for card in cards.values()]
    told = [
        DatasetConfig.model_validate({name: table[name] for name in names if name in table})
        for table in tables
    ]
    if any(one != told[0] for one in told):
        raise ConfigInvalid(
            "the students were trained with different train.dataset.drop, move_limit or reasons; "
            "name one agent with assess.agents"
        )
    return told[0]


def _ask_all(
    name: AgentName,
    config: AssessConfig,
    folder: RunFolder,
    shop: AgentShop,
    source: Path,
    paths: Sequence[AnnotatedTrajectory],
    told: DatasetConfig,
) -> dict[str, PathAnswers]:
    """Ask an agent on paths, as a stage; return what it wrote, by the path's key."""
    one = _OneAsked(agent=name, decoding=config.decoding, engines=other_engines(shop, name))
    store = journal(folder, name)
    inputs = {"annotations": source, **deciders(shop, name)}
    with folder.stage(f"assess-{name}", one, inputs, (store.path,)) as stage:
        if not stage.complete:
            if stage.fresh:
                store.clear()
            with closing(store), shop.threads(name):
                for answers in _missing(name, shop, paths, store, told):
                    store.append(answers)
            file = store.seal()
            stage.finish({str(file.relative_to(folder.path)): file}, paths=len(paths))
    return store.by_key()


def _missing(
    name: AgentName,
    shop: AgentShop,
    paths: Sequence[AnnotatedTrajectory],
    store: Journal[PathAnswers],
    told: DatasetConfig,
) -> Iterator[PathAnswers]:
    """Ask an agent on the paths that its journal does not hold; yield each as it ends."""
    held = store.by_key()
    missing = [path for path in paths if path.key not in held]
    at_once = episodes_at_once(shop.loaded_engines(name), AT_ONCE)
    # both ways of a path at once: a batch is as slow as its longest turn
    ways = (_own_way,) if name is AgentName.FLAT else (_own_way, _guided_way)
    readings = (way(path, name, shop, told) for path in missing for way in ways)
    begun: dict[str, list[PathAnswers]] = {}
    with Progress(f"assess {name}", len(paths), "paths", len(held)) as progress:
        for _, answers in side_by_side(readings, at_once):
            found = begun.setdefault(answers.key, [])
            found.append(answers)
            if len(found) == len(ways):
                yield _joined(begun.pop(answers.key))
                progress.advance()


def _own_way(
    path: AnnotatedTrajectory, name: AgentName, shop: AgentShop, told: DatasetConfig
) -> Reading[PathAnswers]:
    """Read a path with the agent's own sub-goals, if it sets any."""
    agent = shop.plain(name, language(path.trajectory.task.environment))
    turns = yield from beside(path, agent, told)
    return PathAnswers(key=path.key, turns=turns, shortened=agent.shortened)


def _guided_way(
    path: AnnotatedTrajectory, name: AgentName, shop: AgentShop, told: DatasetConfig
) -> Reading[PathAnswers]:
    """Read a path with its own sub-goals."""
    seats = shop.seats(name, language(path.trajectory.task.environment))
    answers = yield from teacher_forced(path, StudentCrew(seats), told)
    return PathAnswers(key=path.key, turns=(), guided=guided(answers), subgoals=planned(answers))


def _joined(ways: Sequence[PathAnswers]) -> PathAnswers:
    return PathAnswers(
        key=ways[0].key,
        turns=tuple(turn for way in ways for turn in way.turns),
        guided=tuple(turn for way in ways for turn in way.guided),
        subgoals=tuple(goal for way in ways for goal in way.subgoals),
        shortened=sum(way.shortened for way in ways),
    )
