"""How much of what agents wrote beside held-out paths is right, with intervals and differences.

A share is of all turns together; what is drawn for its interval are conversations. Trials of one
task are drawn together, as they are held out together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal
from subgoal.datasets.config import DatasetConfig
from subgoal.errors import AnnotationInvalid
from subgoal.evaluation.bootstrap import Floats, Interval, share, sign_flip_p_value
from subgoal.evaluation.compare import PairedDifference
from subgoal.evaluation.offline.answers import PathAnswers, TurnAnswer, acted
from subgoal.evaluation.offline.calibration import Calibration, calibration
from subgoal.evaluation.offline.help_curve import HelpCurve, help_curve
from subgoal.evaluation.offline.turn_match import TurnMatch, match, turn_parts
from subgoal.evaluation.protocol import Mean
from subgoal.record import Record

Cluster = tuple[str, int]
"""Task type and group: what is held out, and drawn, together."""


class RightShare(Record):
    """How much of what was asked is right."""

    asked: int
    """Of how many."""
    right: int
    """How many are right."""
    percent: Interval | None
    """The share in percent with its interval; None where nothing was asked, and of a tool, a
    position or a sub-goal where it is not told."""

    @property
    def mean(self) -> float | None:
        """The share in percent."""
        return 100 * self.right / self.asked if self.asked else None


class TurnFigures(Record):
    """What of a group of turns is right."""

    name: str
    """What the turns share: a tool, a position, a sub-goal's name, or `all`."""
    turns: int
    """How many turns there are."""
    exact: RightShare
    """All of the turn."""
    decision: RightShare
    """To speak or to call; nothing is asked in worlds."""
    tool: RightShare
    """What is called (in worlds the verb), of the turns that call."""
    arguments: RightShare
    """What is called, with all arguments, of the turns that call."""
    words: Interval | None
    """How alike what is said is, in percent, of the turns that only speak; None where it is not
    told."""


class AgentFigures(Record):
    """The figures of one agent, or of a baseline."""

    agent: str
    """Its name."""
    overall: TurnFigures
    """Over all turns."""
    tools: tuple[TurnFigures, ...]
    """By what the path calls, the most frequent first."""
    positions: tuple[TurnFigures, ...]
    """By the number of the turn."""
    subgoals: tuple[TurnFigures, ...]
    """By the name of the path's sub-goal."""
    groups: tuple[TurnFigures, ...]
    """By held-out group: task type and variation, in logs the number of what trials share."""
    guided: TurnFigures | None = None
    """Over all turns, where it was given the path's own sub-goals; None without sub-goals."""
    planned: RightShare | None = None
    """Sub-goals that are the path's, word for word, the true ones before."""
    planned_names: RightShare | None = None
    """The same of their function names."""
    turns_alone: HelpCurve | None = None
    """How often it is right where it takes over the turns that it is certain of; None where
    nobody tells how certain it is."""
    calls_alone: HelpCurve | None = None
    """The same where it takes over calls only, and leaves all that is said; None in worlds, too."""
    turns_calibrated: Calibration | None = None
    """Whether its certainty of turns is what it says; None where nobody tells it."""
    calls_calibrated: Calibration | None = None
    """The same of calls; None in worlds, too."""


class TurnDifference(Record):
    """Two agents on the same turns: first minus second, in points."""

    first: str
    """Name of the first agent."""
    second: str
    """Name of the second agent."""
    exact: PairedDifference
    """All of a turn."""
    tool: PairedDifference | None
    """What is called; None where no turn calls."""
    arguments: PairedDifference | None
    """What is called, with all arguments."""
    words: PairedDifference | None
    """How alike what is said is; None where no turn only speaks."""


@dataclass(frozen=True)
class JudgedTurn:
    """A turn of a path, and what an agent wrote.

    Attributes:
        cluster: What is drawn together.
        number: Which turn of its path, from 1.
        kind: What the path calls there.
        subgoal: The name of the path's sub-goal.
        match: What is right.
        answer: What was written.
        calls: Whether that calls something.
    """

    cluster: Cluster
    number: int
    kind: str
    subgoal: str
    match: TurnMatch
    answer: TurnAnswer
    calls: bool


_PARTS = ("exact", "decision", "tool", "arguments")
"""The parts of a turn that are right or not, as `TurnMatch` names them."""


def judged(
    path: AnnotatedTrajectory, answers: Sequence[TurnAnswer], told: DatasetConfig
) -> list[JudgedTurn]:
    """Judge what was written at every turn of a path that is to be learned.

    Args:
        path: The path.
        answers: What was written, turn by turn.
        told: How paths are told.
    """
    world, names = path.trajectory.task.environment, _names(path)
    found: list[JudgedTurn] = []
    for number, (event, answer) in enumerate(zip(acted(path, told), answers, strict=True), 1):
        if not event.right:
            continue
        parts = turn_parts(event.text, world)
        written = None if answer.action is None else turn_parts(answer.action, world)
        found.append(
            JudgedTurn(
                cluster=cluster(path),
                number=number,
                kind=parts.kind if parts else "",
                subgoal=names.get(id(event.step), ""),
                match=match(event.text, answer.action, world),
                answer=answer,
                calls=written is not None and bool(written.tools),
            )
        )
    return found


def agent_figures(
    agent: str,
    paths: Mapping[str, AnnotatedTrajectory],
    answers: Iterable[PathAnswers],
    told: DatasetConfig,
    seed: int = 0,
) -> tuple[AgentFigures, list[JudgedTurn]]:
    """Return an agent's figures, and every turn as it was judged.

    Args:
        agent: Its name.
        paths: The held-out paths, by key.
        answers: What it wrote on each.
        told: How paths are told.
        seed: Seed of the intervals.
    """
    given = [(paths[one.key], one) for one in answers]
    turns = [turn for path, one in given for turn in judged(path, one.turns, told)]
    led = [t for path, one in given if one.guided for t in _guided(path, one, told)]
    is_log = any(turn.match.decision is not None for turn in turns)
    goals = [(cluster(path), goal) for path, one in given for goal in one.subgoals]
    planned = [(cluster, goal.written == goal.truth) for cluster, goal in goals]
    named = [(cluster, _name(goal.written) == _name(goal.truth)) for cluster, goal in goals]
    every = [(one.cluster, one.answer.certainty, one.match.exact) for one in turns]
    calls = [
        (one.cluster, one.answer.certainty, bool(one.match.arguments))
        for one in turns
        if is_log and one.calls
    ]
    return AgentFigures(
        agent=agent,
        overall=_figures("all", turns, seed),
        tools=_by(turns, lambda one: one.kind, seed),
        positions=tuple(
            sorted(_by(turns, lambda one: _position(one.number), seed), key=_first_number)
        ),
        subgoals=_by(turns, lambda one: one.subgoal, seed),
        groups=_by(turns, lambda one: group_name(one.cluster), seed),
        guided=_figures("all", led, seed) if led else None,
        planned=_share(planned, seed) if planned else None,
        planned_names=_share(named, seed) if named else None,
        turns_alone=help_curve([(sure, right) for _, sure, right in every], len(turns)),
        calls_alone=help_curve([(sure, right) for _, sure, right in calls], len(turns)),
        turns_calibrated=calibration(every, seed),
        calls_calibrated=calibration(calls, seed),
    ), turns


def turn_differences(
    turns: Mapping[str, Sequence[JudgedTurn]], students: Sequence[str], seed: int = 0
) -> tuple[TurnDifference, ...]:
    """Compare every two agents on the same turns, of which one is no baseline.

    Args:
        turns: What each agent wrote, as it was judged; all on the same turns, in the same order.
        students: The agents that are no baselines.
        seed: Seed of the intervals.
    """
    return tuple(
        TurnDifference(
            first=one,
            second=two,
            exact=_difference(turns[one], turns[two], "exact", seed) or _nothing(),
            tool=_difference(turns[one], turns[two], "tool", seed),
            arguments=_difference(turns[one], turns[two], "arguments", seed),
            words=_difference(turns[one], turns[two], "words", seed),
        )
        for one, two in combinations(turns, 2)
        if one in students
    )


def _nothing() -> PairedDifference:
    raise AssertionError("every turn is exact, or it is not")


def _difference(
    first: Sequence[JudgedTurn], second: Sequence[JudgedTurn], part: str, seed: int
) -> PairedDifference | None:
    found = [_asked(side, part) for side in (first, second)]
    if not found[0]:
        return None
    (one, asked), (two, _) = (_by_type(side) for side in found)
    differences = [a - b for a, b in zip(one, two, strict=True)]
    signs = np.sign(np.concatenate(differences))
    return PairedDifference(
        name=part,
        episodes=len(signs),
        difference=share(differences, asked, seed),
        wins=int(np.count_nonzero(signs > 0)),
        ties=int(np.count_nonzero(signs == 0)),
        losses=int(np.count_nonzero(signs < 0)),
        p_value=round(sign_flip_p_value(differences, Mean.EPISODES, seed), 5),
    )


def cluster(path: AnnotatedTrajectory) -> Cluster:
    """Return the group of a path."""
    return path.trajectory.task.name, path.trajectory.task.variation


def group_name(group: Cluster) -> str:
    """Return what a group is called in tables."""
    return f"{group[0]} {group[1]}"


def _asked(turns: Iterable[JudgedTurn], part: str) -> list[tuple[Cluster, float]]:
    """Return how right a part of each turn is, by the name that `TurnMatch` has for it."""
    found: list[tuple[Cluster, float | None]]
    found = [(one.cluster, getattr(one.match, part)) for one in turns]
    return [(cluster, right) for cluster, right in found if right is not None]


def _by_type(found: Iterable[tuple[Cluster, float]]) -> tuple[list[Floats], list[Floats]]:
    """Return how many are right, and how many were asked, of every cluster, by type."""
    counts: dict[str, dict[int, list[float]]] = {}
    for (name, group), right in found:
        held = counts.setdefault(name, {}).setdefault(group, [0.0, 0.0])
        held[0] += right
        held[1] += 1
    tables = [np.array(list(groups.values()), float) for groups in counts.values()]
    return [table[:, 0] for table in tables], [table[:, 1] for table in tables]


def _share(found: Sequence[tuple[Cluster, float]], seed: int | None) -> RightShare:
    """Return a share, with its interval where there is a seed."""
    return RightShare(
        asked=len(found),
        right=round(sum(right for _, right in found)),
        percent=share(*_by_type(found), seed) if found and seed is not None else None,
    )


def _figures(
    name: str, turns: Sequence[JudgedTurn], seed: int, told: Sequence[str] = (*_PARTS, "words")
) -> TurnFigures:
    """Return the figures of some turns; parts that are not `told` have no interval: each costs."""
    parts = {part: _share(_asked(turns, part), seed if part in told else None) for part in _PARTS}
    said = _asked(turns, "words") if "words" in told else []
    words = share(*_by_type(said), seed) if said else None
    return TurnFigures(name=name, turns=len(turns), words=words, **parts)


def _by(
    turns: Iterable[JudgedTurn], key: Callable[[JudgedTurn], str], seed: int
) -> tuple[TurnFigures, ...]:
    groups: dict[str, list[JudgedTurn]] = {}
    for one in turns:
        groups.setdefault(key(one), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return tuple(_figures(name, members, seed, ("exact",)) for name, members in ordered)


def _guided(path: AnnotatedTrajectory, one: PathAnswers, told: DatasetConfig) -> list[JudgedTurn]:
    """Judge the turns for which sub-goals were given; those put in on purpose were not asked."""
    answers = iter(one.guided)
    whole = [
        next(answers) if event.right else TurnAnswer(action=None) for event in acted(path, told)
    ]
    return judged(path, whole, told)


def _position(number: int) -> str:
    """Return the range of turn numbers that a number falls into: 1, 2-3, 4-7, 8-15, ..."""
    first = 1 << (number.bit_length() - 1)
    return str(first) if first == 1 else f"{first}-{2 * first - 1}"


def _first_number(figures: TurnFigures) -> int:
    return int(figures.name.partition("-")[0])


def _names(path: AnnotatedTrajectory) -> dict[int, str]:
    """Return the name of the sub-goal that each step of a path pursues, by the step's identity."""
    steps = path.trajectory.steps
    return {
        id(step): span.subgoal.name
        for span in path.spans
        for step in steps[span.first - 1 : span.last]
    }


def _name(subgoal: str) -> str:
    try:
        return Subgoal.parse(subgoal).name
    except AnnotationInvalid:
        return subgoal
