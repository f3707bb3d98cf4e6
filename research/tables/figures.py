"""What a table says, as typed data: the score of every row, overall and by group, and what differs.

With several seeds the score of a task is its mean over the seeds, and everything is computed on
these: an interval tells what other variations of the same task types would have given, with these
very seeds. Two rows are compared on the seeds that both have, task by task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import numpy as np

from research.tables.cast import Play, play_of
from research.tables.compare_match import compare_match
from research.tables.exact_match import ExactMatch
from research.tables.lengths import classes, lengths
from research.tables.matrix import Place, Sized, player, rows_of
from research.tables.table import Chart, Content, Layout, Row
from subgoal.environments.base import StopReason, parts_of
from subgoal.errors import ComparisonInvalid, RunFolderInvalid
from subgoal.evaluation.bootstrap import Floats, Interval, bootstrap
from subgoal.evaluation.compare import PairedDifference, paired
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.protocol import (
    Mean,
    Protocol,
    grouped,
    groups,
    protocol,
)
from subgoal.evaluation.summary import played
from subgoal.plain_text import read_record
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import StudentCard, read_card
from subgoal.students.ending import TrainingExtent, cautions
from subgoal.training.train import students_folder

T = TypeVar("T")

LENGTHS = ("short", "medium", "long")
"""The groups of task types of the published tables."""
_NUMBERS = {name: number for number, name in enumerate(("all", *LENGTHS))}


class GroupKind(StrEnum):
    """What a group of tasks is."""

    ALL = "all"
    """All that were played."""
    LENGTH = "class"
    """A length class."""
    TYPE = "type"
    """A task type."""


class Cell(Record):
    """The score of one row on one group of tasks."""

    kind: GroupKind
    """What the group is."""
    name: str
    """`all`, the length class, or the task type."""
    tasks: int
    """Tasks in the group."""
    score: Interval
    """Mean score with its interval."""


class StudentFigures(Record):
    """One student of a row, under its first complete seed."""

    role: str
    """What it does."""
    parameters: int
    """Number of weights."""
    base: str
    """The pretrained model that it began with; empty: from scratch."""
    tokens: int
    """Tokens that it was trained on."""
    data: str
    """Digest of its annotations."""
    paths: int
    """Paths that it was trained on."""
    types: int = 0
    """Task types that it was trained on."""


class RowFigures(Record):
    """One row."""

    name: str
    """What it is called."""
    agent: str
    """Who plays."""
    seeds: tuple[int, ...]
    """The seeds that are complete."""
    wanted: int
    """How many seeds it is to have; 0 where it sums other rows up."""
    protocol: str
    """Under which protocol it plays, in words."""
    per_type: int
    """Variations a type that the protocol names."""
    variations: int = 0
    """Variations of a type that were played, at most."""
    students: tuple[StudentFigures, ...] = ()
    """Its students."""
    extents: dict[int, dict[str, TrainingExtent]] = {}
    """How far its students were trained, by seed and role."""
    cells: tuple[Cell, ...] = ()
    """Its scores; empty where nothing is complete."""
    against: str = ""
    """The row that it is compared with."""
    match: ExactMatch | None = None
    """How exactly its students write held-out paths, where that was asked."""
    differences: tuple[PairedDifference, ...] = ()
    """This row minus the other, by group; empty where one of them is missing."""
    not_compared: str = ""
    """Why it is not compared, where both rows are there."""
    types: tuple[str, ...] = ()
    """The task types that were played or read; until then, those that are to be played."""
    all_types: int = 0
    """How many its protocol has; 0: as many as the world has, all of which are played."""
    broken: int = 0
    """Episodes that the world broke off; they count with the score that they had."""
    series: str = ""
    """The line of the chart that it belongs to."""
    at: float | None = None
    """Where on the chart's axis it stands."""

    def cell(self, name: str) -> Cell | None:
        """Return the cell of a group; None where it has none."""
        return next((cell for cell in self.cells if cell.name == name), None)

    def difference(self, name: str) -> PairedDifference | None:
        """Return the difference on a group; None where there is none."""
        return next((one for one in self.differences if one.name == name), None)


class TableFigures(Record):
    """A table with its figures."""

    name: str
    """Its name."""
    title: str
    """Its heading."""
    shows: str
    """The question that it answers."""
    source: str
    """Where the paper has it."""
    scale: str
    """The scale's name."""
    scale_title: str
    """The scale in words."""
    content: Content
    """What it tells."""
    layout: Layout
    """What stands in the columns."""
    chart: Chart
    """How it is drawn."""
    axis: str
    """What the chart's axis shows."""
    published: tuple[str, ...]
    """Published figures that stand beside it."""
    rows: tuple[RowFigures, ...]
    """The rows."""
    completes: str
    """The command that completes it."""
    whole: str = ""
    """The command that fills it at the scale `full`; empty where this is that scale."""
    left_out: tuple[str, ...] = ()
    """Rows that it has at other scales alone."""
    lengths: dict[str, dict[str, float]] = {}
    """Median actions of each task type's oracle paths by world, where the table shows that."""
    cautions: tuple[str, ...] = ()
    """Why scores are not comparable, to be read before them: trainings that ended early."""

    @property
    def done(self) -> int:
        """How many of its runs are complete: a row under one seed."""
        return sum(min(len(row.seeds), row.wanted) for row in self.rows)

    @property
    def wanted(self) -> int:
        """How many runs it is to have."""
        return sum(row.wanted for row in self.rows)

    @property
    def types(self) -> tuple[list[str], int]:
        """The task types that any row is of, and how many the protocol has (0: not known)."""
        names = dict.fromkeys(name for row in self.rows for name in row.types)
        whole = any(not row.types for row in self.rows)  # a row of all types, not yet played
        most = max((row.all_types for row in self.rows), default=0)
        return list(names), 0 if whole and not names else most

    def groups(self, *kinds: GroupKind) -> list[str]:
        """Return the groups of these kinds that any row has: all, length classes, then types."""
        cells = [cell for row in self.rows for cell in row.cells if cell.kind in kinds]
        names = dict.fromkeys(cell.name for cell in cells)
        return sorted(names, key=lambda name: _NUMBERS.get(name, len(_NUMBERS)))


@dataclass(frozen=True)
class _Scores:
    """A row's scores by seed, and what they were played by.

    Attributes:
        by_seed: Score of each task by seed.
        types: Task type of each task.
        rules: The protocol.
        wanted: The task types that are to be played; empty: all.
        all_types: How many the protocol has; 0: not known, and all are played.
        broken: Episodes that the world broke off.
        lengths: How long the task types are, where the table shows that.
    """

    by_seed: Mapping[int, Mapping[str, float]]
    types: Mapping[str, str]
    rules: Protocol
    wanted: tuple[str, ...] = ()
    all_types: int = 0
    broken: int = 0
    lengths: Mapping[str, float] = field(default_factory=dict[str, float])

    def means(self, seeds: Sequence[int]) -> dict[str, float]:
        """Return each task's mean over some seeds; only tasks that were played under all."""
        of = [self.by_seed[seed] for seed in seeds]
        shared = [key for key in of[0] if all(key in one for one in of)] if of else []
        return {key: sum(one[key] for one in of) / len(of) for key in shared}


def figures(
    several: Sequence[Sized], place: Place, completes: str, seed: int = 0, whole: str = ""
) -> TableFigures:
    """Compute a table from what is complete in a matrix.

    Args:
        several: The table and its scale; of a table of several worlds all of them.
        place: Where the matrix lies.
        completes: The command that completes the table.
        seed: Seed of the intervals.
        whole: The command that fills the table at the scale `full`.

    Raises:
        ConfigInvalid: What the table overrides is wrong.
    """
    table, asked = several[0].table, rows_of(several)
    matching = table.content is Content.EXACT_MATCH
    plays = {
        row.name: {s: play_of(table, row, sized.scale, s) for s in sized.seeds(row)}
        for row, sized in asked
        if not row.pool
    }
    long = {sized.name: lengths(sized, place) for sized in several}
    scores = {
        row.name: _scores(row, plays[row.name], place, long[sized.name])
        for row, sized in asked
        if not row.pool
    }
    pooled = {
        row.name: _pooled([scores[name] for name in row.pool if name in scores])
        for row, _ in asked
        if row.pool
    }
    scores |= pooled
    rows = [_row(row, 0 if row.pool else len(plays[row.name]), scores, seed) for row, _ in asked]
    if matching:
        rows = [_with_match(row, plays.get(row.name, {}), place) for row in rows]
    at = {row.name: row.at for row, _ in asked}
    rows = [_with_students(row, plays.get(row.name, {}), place, at[row.name]) for row in rows]
    if matching:
        rows = [_compared_match(row, rows, seed) for row in rows]
    return TableFigures(
        **table.model_dump(
            include={"name", "title", "shows", "source", "layout", "chart", "content"}
        ),
        **table.model_dump(include={"axis", "published"}),
        scale=", ".join(sized.name for sized in several),
        scale_title="; ".join(sized.scale.title for sized in several),
        lengths={name: of for name, of in long.items() if of},
        rows=tuple(rows),
        completes=completes,
        whole=whole,
        left_out=tuple(
            row.name for row in table.rows if not any(row in sized.rows for sized in several)
        ),
        cautions=tuple(_cautions(rows)),
    )


def _with_match(row: RowFigures, plays: Mapping[int, Play], place: Place) -> RowFigures:
    """Replace what was played by the exact match, which counts instead."""
    remedy = "delete it and run the same command again"
    found = {
        seed: read_record(place.match(play), ExactMatch, RunFolderInvalid, remedy)
        for seed, play in plays.items()
        if place.matched(play)
    }
    first = next(iter(found.values()), None)
    changed = {"seeds": tuple(found), "match": first, "cells": (), "differences": ()}
    types = tuple(group.name for group in first.types) if first else ()
    return row.model_copy(update={**changed, "types": types, "not_compared": ""})


def _compared_match(row: RowFigures, rows: Sequence[RowFigures], seed: int) -> RowFigures:
    """Compare exact matches path by path; where that cannot be, say why."""
    other = next((one for one in rows if one.name == row.against), None)
    if other is None or row.match is None or other.match is None:
        return row
    ours, theirs = ({one.data for one in side.students} for side in (row, other))
    if ours != theirs:
        return row.model_copy(update={"not_compared": "they were trained on other data"})
    try:
        found = compare_match(row.match, other.match, seed)
    except ComparisonInvalid as reason:
        return row.model_copy(update={"not_compared": str(reason)})
    return row.model_copy(update={"differences": tuple(found)})


def _scores(
    row: Row, plays: Mapping[int, Play], place: Place, lengths: Mapping[str, float]
) -> _Scores:
    by_seed: dict[int, dict[str, float]] = {}
    types: dict[str, str] = {}
    first, broken = next(iter(plays.values())), 0
    for seed, play in plays.items():
        if not place.played(play):
            continue
        episodes = played(place.play(play), play.config.protocol, player(play))
        kept = [e for e in episodes if not row.only or e.task.name in row.only]
        broken += sum(e.stop_reason is StopReason.ENVIRONMENT_ERROR for e in kept)
        by_seed[seed] = {episode.key: float(episode.score) for episode in kept}
        types |= {episode.key: episode.task.name for episode in kept}
    asked = first.config
    rules = protocol(asked.protocol, asked.environment)
    wanted = row.only or asked.types
    return _Scores(by_seed, types, rules, wanted, _all_types(asked, rules), broken, lengths)


def _all_types(asked: EvaluateConfig, rules: Protocol) -> int:
    """Return how many task types a protocol has, of a world that groups its types; else 0."""
    known = groups(asked.environment)
    return len(rules.types or rules.type_step_limits or known) if known else 0


def _pooled(parts: Sequence[_Scores]) -> _Scores:
    """Put rows of different task types together, under the seeds that all of them have."""
    seeds = [s for s in parts[0].by_seed if all(s in part.by_seed for part in parts)]
    return _Scores(
        by_seed={
            seed: {key: score for part in parts for key, score in part.by_seed[seed].items()}
            for seed in seeds
        },
        types={key: name for part in parts for key, name in part.types.items()},
        rules=parts[0].rules,
        wanted=tuple(dict.fromkeys(name for part in parts for name in part.wanted)),
        all_types=parts[0].all_types,
        broken=sum(part.broken for part in parts),
        lengths={name: count for part in parts for name, count in part.lengths.items()},
    )


def _row(row: Row, wanted: int, scores: Mapping[str, _Scores], seed: int) -> RowFigures:
    mine, other = scores[row.name], scores.get(row.against)
    seeds = tuple(sorted(mine.by_seed))
    over = mine.rules.mean

    def cell(kind: GroupKind, name: str, groups: list[Floats]) -> Cell:
        tasks = sum(map(len, groups))
        return Cell(kind=kind, name=name, tasks=tasks, score=bootstrap(groups, over, seed))

    cells = tuple(_by_group(mine.means(seeds), mine, cell))
    differences = _differences(mine, other, over, seed) if other else []
    unlike = bool(other and other.by_seed and cells and not differences)
    return RowFigures(
        name=row.name,
        agent=row.released or row.agent,
        seeds=seeds,
        wanted=wanted,
        protocol=str(mine.rules),
        per_type=mine.rules.per_type,
        variations=max((c.tasks for c in cells if c.kind is GroupKind.TYPE), default=0),
        cells=cells,
        against=row.against,
        differences=tuple(differences),
        not_compared="they were not played on the same tasks" if unlike else "",
        types=tuple(c.name for c in cells if c.kind is GroupKind.TYPE) or mine.wanted,
        all_types=mine.all_types,
        broken=mine.broken,
        series=row.series,
        at=row.at,
    )


def _differences(mine: _Scores, other: _Scores, over: Mean, seed: int) -> list[PairedDifference]:
    """Compare two rows on what both played; nothing where they did not play the same tasks."""
    seeds = sorted(set(mine.by_seed) & set(other.by_seed))
    if not seeds and mine.by_seed and other.by_seed:  # one of them has but one, such as a released
        ours, theirs = mine.means(sorted(mine.by_seed)), other.means(sorted(other.by_seed))
    else:
        ours, theirs = mine.means(seeds), other.means(seeds)
    if set(ours) != set(theirs) or mine.rules.name != other.rules.name:
        return []
    differences = {key: score - theirs[key] for key, score in ours.items()}
    return list(
        _by_group(differences, mine, lambda _, name, groups: paired(name, groups, over, seed))
    )


def _by_group(
    values: Mapping[str, float],
    scores: _Scores,
    make: Callable[[GroupKind, str, list[Floats]], T],
) -> list[T]:
    """Make something of the values of all tasks, of each length class, and of each type."""
    if not values:
        return []
    by_type: dict[str, list[float]] = {}
    for key, value in values.items():
        by_type.setdefault(scores.types[key], []).append(value)
    arrays = {name: np.array(group, float) for name, group in by_type.items()}
    made = [make(GroupKind.ALL, "all", list(arrays.values()))]
    environment = next(iter(values)).partition("/")[0]
    known = scores.lengths
    for kind, members in (
        classes(arrays, known) if known else grouped(arrays, environment)
    ).items():
        made.append(make(GroupKind.LENGTH, kind, [arrays[name] for name in members]))
    made += [make(GroupKind.TYPE, name, [group]) for name, group in arrays.items()]
    return made


def _with_students(
    row: RowFigures, plays: Mapping[int, Play], place: Place, at: float | None
) -> RowFigures:
    """Add what is known of a row's students."""
    cards = {seed: _cards(plays[seed], place) for seed in row.seeds if seed in plays}
    if not cards:
        return row
    students = [_student(card) for card in cards[row.seeds[0]]]
    everything = float(sum(student.parameters for student in students)) or None
    return row.model_copy(
        update={
            "students": tuple(students),
            "extents": {seed: {c.role.value: c.extent for c in of} for seed, of in cards.items()},
            "at": everything if at is None else at,
        }
    )


def _cautions(rows: Sequence[RowFigures]) -> list[str]:
    """Say which rows were not trained as asked; budgets may differ where that was asked."""
    by_name = {row.name: row for row in rows}
    found: list[str] = []
    for row in rows:
        for seed, mine in row.extents.items():
            pair = {f"{row.name}, seed {seed}": mine}
            theirs = by_name[row.against].extents.get(seed) if row.against in by_name else None
            if theirs is not None:
                pair[f"{row.against}, seed {seed}"] = theirs
            if any(extent.caution for of in pair.values() for extent in of.values()):
                found += cautions(pair)
    return list(dict.fromkeys(found))


def _cards(play: Play, place: Place) -> list[StudentCard]:
    if play.released:
        from subgoal.agents.released import released_agent

        agent = released_agent(play.released)
        return [read_card(agent.folder / role, role) for role in agent.card.students]
    if play.training is not None:
        folder, roles = place.training(play.training), play.training.config.roles
    elif play.run is None:
        return []
    else:
        folder = RunFolder(play.run)
        from subgoal.agents.factory import AgentShop

        roles = AgentShop(folder / "students").roles(play.agent)
    return [read_card(students_folder(folder, role), role) for role in roles]


def _student(card: StudentCard) -> StudentFigures:
    return StudentFigures(
        role=card.role,
        parameters=card.parameters,
        base=card.base,
        tokens=card.base_tokens + card.tokens,
        data=card.data,
        paths=len(card.trained_on),
        types=len({parts_of(key)[:2] for key in card.trained_on}),
    )
