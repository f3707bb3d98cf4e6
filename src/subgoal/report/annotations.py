"""One self-contained HTML page to read annotated paths, beside another teacher's annotation.

There is no script in it: paths open and close as the browser's own disclosure elements do, by
mouse or keyboard. Every text of the world or a model is escaped by the template.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override

from subgoal.annotation import annotate
from subgoal.annotation.agreement import Fidelity, fidelity
from subgoal.annotation.config import TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.plain_text import storable
from subgoal.report.html import as_it_is, part, template
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.trajectories.trajectory import Step

HUES = 8
"""How many colours of sub-goals the page's style has."""


class Cell(NamedTuple):
    """A sub-goal beside the rows of its steps."""

    text: str
    rows: int
    """Rows of steps that it stands beside."""
    hue: str
    """Class of its colour, the same for all of its function name."""
    steps: str
    """Its first and last step."""
    repaired: bool
    agrees: bool
    """True where the other annotation has the same sub-goal on the same steps."""


class Row(NamedTuple):
    """Steps with the same action, one after another, within a sub-goal of either annotation."""

    steps: str
    action: str
    answer: str
    """The world's answer to the last of them."""
    score: int
    ours: Cell | None
    """The sub-goal that begins here."""
    theirs: Cell | None


class PathView(NamedTuple):
    """An annotated path as it is shown."""

    key: str
    variation: int
    description: str
    how: str
    """Who annotated it, and how surely where it was carried over."""
    agreement: Fidelity | None
    """None where the other teacher has no annotation of it."""
    rows: list[Row]


class TypeView(NamedTuple):
    """The paths of a task type."""

    name: str
    agreement: Fidelity | None
    paths: list[PathView]


class AnnotationsSummary(Summary):
    """Where the page of annotated paths lies, and how far another teacher agrees."""

    page: Path
    """The page."""
    against: str
    """The other teacher; empty: none."""
    agreement: Fidelity | None
    """How far it agrees; None where it has no annotation of the same steps."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return the agreement, and where the page lies."""
        told: list[TextLine | Table] = []
        if self.agreement:
            one = self.agreement
            text = (
                f"boundary F1 {one.boundary_f1:.3f}, names {one.names:.1%}, exact {one.exact:.1%} "
                f"against {self.against}, over {one.paths} paths"
            )
            told.append(TextLine(text=text))
        elif self.against:
            text = f"{self.against} has no annotation of the same steps"
            told.append(TextLine(text=text, tone=Tone.CAUTION))
        told.append(TextLine(text=f"the annotated paths lie in {self.page}", tone=Tone.STRONG))
        return told


def write_annotations(folder: RunFolder, against: str = "", limit: int = 60) -> AnnotationsSummary:
    """Write `annotations.html`, the page of a run folder's annotated paths, into the folder.

    Args:
        folder: The run folder.
        against: Another teacher to show beside them: a run folder that annotated the same paths, or
            `recorded`; empty: none.
        limit: As for `annotations_page`.

    Raises:
        RunFolderInvalid: A run folder has no annotations.
    """
    annotated, others = _annotated(folder), _others(folder, against)
    page = folder / "annotations.html"
    write_text(page, annotations_page(folder.path.name, annotated, others, against, limit))
    agreement = _agreement(annotated, _of_the_same_steps(annotated, others))
    return AnnotationsSummary(page=page, against=against, agreement=agreement)


def _annotated(folder: RunFolder) -> list[AnnotatedTrajectory]:
    folder.need("annotate", "annotate")
    return list(annotate.journal(folder))


def _others(folder: RunFolder, against: str) -> list[AnnotatedTrajectory]:
    if not against:
        return []
    if against != TeacherKind.RECORDED:
        return _annotated(RunFolder(Path(against)))
    worlds = {one.trajectory.task.environment for one in annotate.journal(folder)}
    return [one for world in sorted(worlds) for one in recorded_annotations(world)]


def annotations_page(
    title: str,
    annotated: Iterable[AnnotatedTrajectory],
    others: Iterable[AnnotatedTrajectory] = (),
    beside: str = "",
    limit: int = 60,
) -> str:
    """Return the page.

    Args:
        title: What was annotated, such as the run folder's name.
        annotated: Annotated paths.
        others: Another teacher's annotations; those of the same steps stand beside ours.
        beside: Who the other teacher is.
        limit: Most paths to show: the first of every type before the second of any, and those
            that differ the most first. The figures are of all.
    """
    ours = list(annotated)
    theirs = _of_the_same_steps(ours, others)
    hues = _hues([*ours, *theirs.values()])
    shown = _first_of_each_type(sorted(ours, key=lambda one: _exact(one, theirs)), limit)
    types = [
        TypeView(
            name,
            _agreement([one for one in ours if one.trajectory.task.name == name], theirs),
            [_path(one, theirs.get(one.trajectory.key), hues) for one in paths],
        )
        for name, paths in shown.items()
    ]
    return template("annotations.html.j2").render(
        title=storable(title),
        beside=storable(beside),
        types=types,
        paths=len(ours),
        shown=sum(len(one.paths) for one in types),
        compared=len(theirs),
        agreement=_agreement(ours, theirs),
        style=as_it_is(part("page.css") + part("annotations.css")),
    )


def _of_the_same_steps(
    ours: Sequence[AnnotatedTrajectory], others: Iterable[AnnotatedTrajectory]
) -> dict[str, AnnotatedTrajectory]:
    actions = {one.trajectory.key: one.trajectory.actions for one in ours}
    return {
        one.trajectory.key: one
        for one in others
        if actions.get(one.trajectory.key) == one.trajectory.actions
    }


def _first_of_each_type(
    annotated: Sequence[AnnotatedTrajectory], limit: int
) -> dict[str, list[AnnotatedTrajectory]]:
    rank: dict[str, int] = {}
    ranked: list[tuple[int, int]] = []
    for index, one in enumerate(annotated):
        name = one.trajectory.task.name
        rank[name] = rank.get(name, -1) + 1
        ranked.append((rank[name], index))
    shown: dict[str, list[AnnotatedTrajectory]] = {}
    for index in sorted(index for _, index in sorted(ranked)[:limit]):
        shown.setdefault(annotated[index].trajectory.task.name, []).append(annotated[index])
    return dict(sorted(shown.items()))


def _hues(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, str]:
    names = dict.fromkeys(span.subgoal.name for one in annotated for span in one.spans)
    return {name: f"g{number % HUES}" for number, name in enumerate(names)}


def _agreement(
    ours: Sequence[AnnotatedTrajectory], theirs: Mapping[str, AnnotatedTrajectory]
) -> Fidelity | None:
    pairs = [
        (one.spans, theirs[one.trajectory.key].spans)
        for one in ours
        if one.trajectory.key in theirs
    ]
    return fidelity(pairs) if pairs else None


def _exact(one: AnnotatedTrajectory, theirs: Mapping[str, AnnotatedTrajectory]) -> float:
    """Return the share of steps with the same sub-goal; 1 where there is nothing to compare."""
    agreement = _agreement([one], theirs)
    return agreement.exact if agreement else 1.0


def _path(
    one: AnnotatedTrajectory, other: AnnotatedTrajectory | None, hues: Mapping[str, str]
) -> PathView:
    task = one.trajectory.task
    spans = other.spans if other else ()
    how = f"{one.teacher}, carried over" if one.transferred_from else one.teacher
    if one.transferred_from:
        how += f", confidence {one.confidence:.2f}"
    return PathView(
        key=one.trajectory.key,
        variation=task.variation,
        description=task.description,
        how=how,
        agreement=fidelity([(one.spans, other.spans)]) if other else None,
        rows=_rows(one.trajectory.steps, one.spans, spans, hues),
    )


def _rows(
    steps: Sequence[Step],
    ours: Sequence[SubgoalSpan],
    theirs: Sequence[SubgoalSpan],
    hues: Mapping[str, str],
) -> list[Row]:
    mine, other = _numbers(ours), _numbers(theirs)
    runs = [
        list(run)
        for _, run in groupby(
            range(1, len(steps) + 1),
            key=lambda step: (mine.get(step), other.get(step), steps[step - 1].action),
        )
    ]
    rows_of = {run[0]: number for number, run in enumerate(runs)} | {len(steps) + 1: len(runs)}
    left = _cells(ours, theirs, rows_of, hues)
    right = _cells(theirs, ours, rows_of, hues)
    return [
        Row(
            steps=_range(run[0], run[-1]),
            action=steps[run[0] - 1].action,
            answer=" ".join(steps[run[-1] - 1].observation.split()),
            score=steps[run[-1] - 1].score,
            ours=left.get(run[0]),
            theirs=right.get(run[0]),
        )
        for run in runs
    ]


def _numbers(spans: Sequence[SubgoalSpan]) -> dict[int, int]:
    return {
        step: number
        for number, span in enumerate(spans)
        for step in range(span.first, span.last + 1)
    }


def _cells(
    spans: Sequence[SubgoalSpan],
    others: Sequence[SubgoalSpan],
    rows_of: Mapping[int, int],
    hues: Mapping[str, str],
) -> dict[int, Cell]:
    """Return the cell of each span by its first step."""
    same = {(str(span.subgoal).lower(), span.first, span.last) for span in others}
    return {
        span.first: Cell(
            text=str(span.subgoal),
            rows=rows_of[span.last + 1] - rows_of[span.first],
            hue=hues[span.subgoal.name],
            steps=_range(span.first, span.last),
            repaired=span.repaired,
            agrees=not others or (str(span.subgoal).lower(), span.first, span.last) in same,
        )
        for span in spans
    }


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
