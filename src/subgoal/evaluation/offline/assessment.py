"""What an assessment amounts to: figures of every agent and baseline, as a record and as tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.evaluation.compare import PairedDifference
from subgoal.evaluation.offline.answers import NO_ROOM, PathAnswers
from subgoal.evaluation.offline.calibration import Calibration
from subgoal.evaluation.offline.figures import (
    AgentFigures,
    RightShare,
    TurnDifference,
    TurnFigures,
    agent_figures,
    cluster,
    group_name,
    turn_differences,
)
from subgoal.evaluation.offline.help_curve import THRESHOLDS, WANTED, HelpCurve, HelpPoint
from subgoal.evaluation.offline.turn_match import turn_parts
from subgoal.evaluation.tables import p_text
from subgoal.record import Record
from subgoal.summary import Table, TextLine, Tone

_BEST = 100
_ROWS = 20
"""Most rows of a table by tool, position or sub-goal: the most frequent."""


class Assessment(Record):
    """How much of what agents wrote beside held-out paths is right."""

    paths: int
    """Held-out paths."""
    groups: int
    """Their groups: paths of one task count as one where intervals are drawn."""
    held_out: dict[str, tuple[str, ...]]
    """The identities of the paths, by group."""
    learned: int
    """Paths that were not held out: what the baselines know."""
    agents: tuple[AgentFigures, ...]
    """The agents, then the baselines."""
    differences: tuple[TurnDifference, ...]
    """Every two of them, of which one is no baseline."""
    notes: tuple[str, ...] = ()
    """What a reader must know."""


def assessment(
    paths: Sequence[AnnotatedTrajectory],
    learned: int,
    answers: Mapping[str, Sequence[PathAnswers]],
    students: Sequence[str],
    told: DatasetConfig,
    cautions: Sequence[str] = (),
    seed: int = 0,
) -> Assessment:
    """Compute the figures.

    Args:
        paths: The held-out paths.
        learned: How many were not held out.
        answers: What was written on each of them, in their order, by agent.
        students: The agents that are no baselines.
        told: How paths are told.
        cautions: What is known before, to be read with them.
        seed: Seed of the intervals.
    """
    by_key = {one.key: one for one in paths}
    found = {
        name: agent_figures(name, by_key, written, told, seed) for name, written in answers.items()
    }
    turns = {name: judged for name, (_, judged) in found.items()}
    held_out: dict[str, list[str]] = {}
    for one in paths:
        held_out.setdefault(group_name(cluster(one)), []).append(one.trajectory.variant or one.key)
    return Assessment(
        paths=len(paths),
        groups=len(held_out),
        held_out={name: tuple(keys) for name, keys in held_out.items()},
        learned=learned,
        agents=tuple(figures for figures, _ in found.values()),
        differences=turn_differences(turns, students, seed),
        notes=(
            *cautions,
            *_one_sided(next(iter(found.values()))[0]),
            *_failed(paths),
            *_notes(answers, paths[0].trajectory.task.environment),
        ),
    )


def went_well(path: AnnotatedTrajectory) -> bool:
    """Tell whether a path ended with the full score, so that what it did may be taken for right."""
    return path.trajectory.final_score >= _BEST


def assessment_parts(found: Assessment) -> list[TextLine | Table]:
    """Return an assessment as lines and tables: overall, differences, who takes over, by group."""
    first = found.agents[0].overall
    calls = f", {first.tool.asked} of them with calls" if first.decision.asked else ""
    groups = "" if found.groups == found.paths else f" of {found.groups} groups"
    return [
        TextLine(
            text=f"{found.paths} held-out paths{groups}, {first.turns} turns{calls}; "
            f"{found.learned} paths were learned from",
            tone=Tone.FAINT,
        ),
        _overall(found.agents),
        _differences(found.differences),
        *_help(found.agents),
        _groups("tool", found.agents, lambda one: one.tools),
        _groups("turn number", found.agents, lambda one: one.positions),
        _groups("sub-goal", found.agents, lambda one: one.subgoals),
        _groups("held-out group", found.agents, lambda one: one.groups, found.held_out),
        *(TextLine(text=f"Note: {note}", tone=Tone.CAUTION) for note in found.notes),
    ]


def _one_sided(one: AgentFigures) -> list[str]:
    """Say where most of what is asked is of one group."""
    first, turns = one.groups[0], one.overall.turns
    note = (
        f"{first.turns} of {turns} turns are of one group ({first.name}), so the figures say "
        "little of others; hold more groups out with train.dataset.dev_share"
    )
    return [note] if 2 * first.turns > turns else []


def _failed(paths: Sequence[AnnotatedTrajectory]) -> list[str]:
    """Say of how many paths the end was not the best, as where failures are learned from, too."""
    number = sum(not went_well(one) for one in paths)
    note = f"{number} of {len(paths)} paths ended below a score of {_BEST}, and count as right"
    return [note] if number else []


def _notes(answers: Mapping[str, Sequence[PathAnswers]], world: str) -> list[str]:
    notes: list[str] = []
    for name, written in answers.items():
        texts = sum(one.shortened for one in written)
        if texts:
            notes.append(
                f"{name}: {texts} texts were too long for the student and were shortened by the "
                "rule of its rendering"
            )
        actions = [turn.action for one in written for turn in one.turns if turn.action is not None]
        broken = sum(turn_parts(action, world) is None for action in actions)
        if broken:
            notes.append(
                f"{name}: {broken} turns begin like a call and cannot be read as one; such a "
                "student has not learned to write calls"
            )
        silent = sum(turn == NO_ROOM for one in written for turn in one.turns)
        if silent:
            notes.append(
                f"{name}: {silent} turns count as wrong because the text had no room for them; "
                "raise train.dataset.context"
            )
    return notes


def _overall(agents: Sequence[AgentFigures]) -> Table:
    rows = [row for one in agents for row in _rows(one)]
    parts = ("exact", "speak or call", "tool", "arguments", "words alike")
    head = ("", *parts, "sub-goal", "its name")
    title = "Turns that are right, in % (95 % interval, by conversation)"
    return _without_empty(Table(title=title, head=head, rows=tuple(rows)))


def _rows(one: AgentFigures) -> list[tuple[str, ...]]:
    rows = [(one.agent, *_cells(one.overall), _cell(one.planned), _cell(one.planned_names))]
    if one.guided is not None:
        rows.append(("  guided", *_cells(one.guided), "", ""))
    return rows


def _cells(figures: TurnFigures) -> tuple[str, ...]:
    parts = (figures.exact, figures.decision, figures.tool, figures.arguments)
    return *map(_cell, parts), "" if figures.words is None else str(figures.words)


def _cell(share: RightShare | None) -> str:
    return "" if share is None or share.percent is None else str(share.percent)


def _without_empty(table: Table) -> Table:
    """Leave out columns with nothing in them, as of worlds, or of agents without sub-goals."""
    kept = [0, *(n for n in range(1, len(table.head)) if any(row[n] for row in table.rows))]
    rows = tuple(tuple(row[n] for n in kept) for row in table.rows)
    return table.model_copy(update={"head": tuple(table.head[n] for n in kept), "rows": rows})


def _differences(differences: Iterable[TurnDifference]) -> Table:
    rows = tuple(
        (
            f"{one.first} - {one.second}",
            *map(_difference, (one.exact, one.tool, one.arguments, one.words)),
        )
        for one in differences
    )
    head = ("", "exact", "tool", "arguments", "words alike")
    title = "Paired differences in points (95 % interval, p by sign flips), on the same turns"
    return _without_empty(Table(title=title, head=head, rows=rows))


def _difference(one: PairedDifference | None) -> str:
    if one is None:
        return ""
    found = one.difference
    return f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}] p {p_text(one.p_value)}"


def _help(agents: Sequence[AgentFigures]) -> list[Table]:
    turns = [(one.agent, one.turns_alone, one.turns_calibrated) for one in agents]
    calls = [(one.agent, one.calls_alone, one.calls_calibrated) for one in agents]
    tables = [_curves("turns", turns), _curves("calls, and leaves what is said", calls)]
    return [table for table in tables if table.rows]


def _curves(what: str, curves: Iterable[tuple[str, HelpCurve | None, Calibration | None]]) -> Table:
    rows = [
        (
            *(name, *map(_point, curve.table), f"{curve.at_wanted:.0f}", f"{curve.area:.0f}"),
            *(f"{known.certainty:.0f}", str(known.error)),
        )
        for name, curve, known in curves
        if curve is not None and known is not None
    ]
    thresholds = (f"{one:g}" for one in THRESHOLDS)
    head = ("certainty at least", *thresholds, f"at {WANTED:.0f} %", "area", "mean", "its error")
    title = f"Takes over {what}, where it is certain: % of all turns: % of them right"
    return Table(title=title, head=head, rows=tuple(rows))


def _point(point: HelpPoint) -> str:
    right = "" if point.right is None else f": {point.right:.0f}"
    return f"{point.taken:.0f}{right}"


def _groups(
    what: str,
    agents: Sequence[AgentFigures],
    groups: Callable[[AgentFigures], Sequence[TurnFigures]],
    members: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Table:
    by_agent = [{one.name: one for one in groups(agent)} for agent in agents]
    rows = tuple(
        (
            _titled(one.name, members.get(one.name, ())),
            str(one.turns),
            *(_short(held[one.name]) for held in by_agent),
        )
        for one in groups(agents[0])[:_ROWS]
    )
    head = (what, "turns", *(agent.agent for agent in agents))
    return Table(title=f"By {what}: % right exact / tool / arguments", head=head, rows=rows)


def _titled(name: str, members: Sequence[str]) -> str:
    """Return a row's title: the name, and whom it names."""
    more = f" +{len(members) - 1}" if members[1:] else ""
    return f"{name} ({members[0]}{more})" if members else name or "-"


def _short(one: TurnFigures) -> str:
    means = [share.mean for share in (one.exact, one.tool, one.arguments)]
    return " / ".join("-" if mean is None else f"{mean:.0f}" for mean in means)
