"""Exact match: the share of a path's actions that a student writes exactly (paper, ablations).

Paths that the student was not trained on are told as `subgoal.evaluation.offline.teacher_forcing`
says, so every question has the true history, and the executor the true sub-goal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.splits import unseen
from subgoal.engines.config import EngineConfig
from subgoal.environments.registry import language
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.evaluation.bootstrap import Interval, bootstrap
from subgoal.evaluation.offline.teacher_forcing import (
    AT_ONCE,
    Reading,
    StudentCrew,
    side_by_side,
    teacher_forced,
)
from subgoal.evaluation.protocol import Mean, grouped
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.text.events import EventKind


class Share(Record):
    """How much of what was asked was written exactly."""

    asked: int
    """How often a student was asked."""
    exact: Interval | None
    """Share written exactly, in percent: of a path, mean over a type's paths, then over types; None
    where nothing was asked."""


class GroupMatch(Record):
    """The figures of one group of paths: a task type, a length class, or all."""

    name: str
    """The task type, the length class, or `all`."""
    types: int
    """Task types in the group."""
    paths: int
    """Paths in the group."""
    actions: Share
    """Actions, the true sub-goal given."""
    subgoals: Share
    """Sub-goals, as the planner sets them; nothing is asked of the flat agent."""
    ends: Share
    """Ends of sub-goals that another follows: whether the executor ends them there."""


class PathMatch(Record):
    """How exactly the actions of one path were written; what two agents are compared on."""

    key: str
    """Identity of the path."""
    type: str
    """Its task type."""
    asked: int
    """How many of its actions were asked for."""
    exact: float
    """Share written exactly, in percent."""


class ExactMatch(Record):
    """How exactly the students of one agent write held-out paths."""

    agent: AgentName
    """Whose students."""
    overall: GroupMatch
    """Over all paths."""
    classes: tuple[GroupMatch, ...]
    """By length class, short first; empty in a world without them."""
    types: tuple[GroupMatch, ...]
    """By task type, in the order in which each comes first."""
    paths: tuple[PathMatch, ...] = ()
    """Path by path, those of which an action was asked; empty in files from before it was kept."""
    trained_on: int
    """Paths that were given and left out, since a student was trained on their task."""
    shortened: int
    """Texts that were too long for a student and were shortened by the rule of its rendering."""


def exact_match(
    students: Path,
    name: AgentName,
    paths: Sequence[AnnotatedTrajectory],
    engine: EngineConfig | None = None,
    dataset: DatasetConfig | None = None,
    decoding: Decoding | None = None,
    at_once: int = AT_ONCE,
    seed: int = 0,
) -> ExactMatch:
    """Measure how exactly students write paths that they were not trained on.

    Args:
        students: The folder that holds a folder for each role.
        name: `hierarchical` or `flat`: whose students are asked.
        paths: Annotated paths with the world's answers; those of tasks that a student was trained
            on (its card names them) are left out.
        engine: What the students are asked on; None: as play decides.
        dataset: How the paths were told in training: its `drop` and `move_limit` hold here too;
            None: whole paths.
        decoding: How students write; None: greedily.
        at_once: Paths that are read side by side, at most.
        seed: Seed of the intervals.

    Raises:
        ConfigInvalid: The agent has no students of its own.
        DataLeak: The students were trained on all the paths, or there are none.
        StudentInvalid: A student is missing or damaged.
        EngineFailed: The engine cannot be had.
    """
    if name not in {AgentName.HIERARCHICAL, AgentName.FLAT}:
        raise ConfigInvalid(
            f"exact match is measured of '{AgentName.HIERARCHICAL}' or '{AgentName.FLAT}', whose "
            f"students write; not of '{name}'"
        )
    shop = AgentShop(students, (), decoding, engine)
    shop.load(name)
    held_out = unseen((key for card in shop.cards.values() for key in card.trained_on), paths)
    if not held_out:
        raise DataLeak(
            f"{students}: all {len(paths)} paths are of tasks that the students were trained on; "
            "give paths of other variations, such as those held out by train.dataset.dev_share"
        )
    told = dataset or DatasetConfig()
    with shop.threads(name):

        def read(path: AnnotatedTrajectory) -> Reading[_Reading]:
            spoken = language(path.trajectory.task.environment)
            return _read(path, StudentCrew(shop.seats(name, spoken)), told)

        found = dict[int, _Reading]()
        with Progress("exact match", len(held_out), "paths") as progress:
            for number, reading in side_by_side(map(read, held_out), at_once):
                found[number] = reading
                progress.advance()
    readings = [found[number] for number in range(len(held_out))]
    return ExactMatch(
        agent=name,
        overall=_group("all", readings, seed),
        classes=tuple(_group(kind, members, seed) for kind, members in _by_class(readings).items()),
        types=tuple(_group(kind, members, seed) for kind, members in _by_type(readings).items()),
        paths=tuple(_path(reading) for reading in readings if EventKind.ACT in reading.asked),
        trained_on=len(paths) - len(held_out),
        shortened=sum(reading.shortened for reading in readings),
    )


@dataclass
class _Reading:
    """A path that was read; what was asked, and was it exact.

    Attributes:
        path: The path.
        asked: Whether each answer was exact, by what was asked.
        shortened: How many texts were too long.
    """

    path: AnnotatedTrajectory
    asked: dict[EventKind, list[bool]] = field(default_factory=dict[EventKind, list[bool]])
    shortened: int = 0

    def percent(self, kind: EventKind) -> float | None:
        """Return how much was exact; None where nothing was asked."""
        found = self.asked.get(kind, [])
        return 100.0 * sum(found) / len(found) if found else None


def _read(path: AnnotatedTrajectory, crew: StudentCrew, told: DatasetConfig) -> Reading[_Reading]:
    found = _Reading(path)
    for answer in (yield from teacher_forced(path, crew, told)):
        found.asked.setdefault(answer.event.kind, []).append(answer.exact)
    found.shortened = crew.shortened
    return found


def _by_type(readings: Sequence[_Reading]) -> dict[str, list[_Reading]]:
    groups: dict[str, list[_Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.path.trajectory.task.name, []).append(reading)
    return groups


def _by_class(readings: Sequence[_Reading]) -> dict[str, list[_Reading]]:
    by_type = _by_type(readings)
    environment = readings[0].path.trajectory.task.environment
    return {
        kind: [r for r in readings if r.path.trajectory.task.name in types]
        for kind, types in grouped(by_type, environment).items()
    }


def _path(reading: _Reading) -> PathMatch:
    asked = reading.asked[EventKind.ACT]
    return PathMatch(
        key=reading.path.key,
        type=reading.path.trajectory.task.name,
        asked=len(asked),
        exact=round(100.0 * sum(asked) / len(asked), 6),
    )


def _group(name: str, readings: Sequence[_Reading], seed: int) -> GroupMatch:
    return GroupMatch(
        name=name,
        types=len(_by_type(readings)),
        paths=len(readings),
        actions=_share(readings, EventKind.ACT, seed),
        subgoals=_share(readings, EventKind.GOAL, seed),
        ends=_share(readings, EventKind.DONE, seed),
    )


def _share(readings: Sequence[_Reading], kind: EventKind, seed: int) -> Share:
    by_type = [
        [percent for one in members if (percent := one.percent(kind)) is not None]
        for members in _by_type(readings).values()
    ]
    groups = [np.array(values, float) for values in by_type if values]
    return Share(
        asked=sum(len(reading.asked.get(kind, [])) for reading in readings),
        exact=bootstrap(groups, Mean.TYPES, seed) if groups else None,
    )
