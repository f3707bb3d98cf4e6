"""What the stage `annotate` did, as a whole and by task type."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from subgoal.annotation.failure import AnnotationFailure, FailureKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.record import Record
from subgoal.summary import Summary, Table, TextLine, Tone, files

_SHOWN_NAMES = 6


class TypeSummary(Record):
    """The annotations of one task type."""

    type: str
    """The task type."""
    direct: int
    """Paths that the teacher annotated."""
    transferred: int
    """Paths that an annotation was carried over to."""
    repaired: int
    """Paths whose reply was mended."""
    failed: int
    """Paths that the teacher was asked about and did not annotate, and paths left out."""
    subgoals_a_path: float
    """Mean number of sub-goals of a path."""
    steps_a_subgoal: float
    """Mean number of steps of a sub-goal."""
    names: dict[str, int]
    """How often each function name occurs, the most frequent first."""


class AnnotateSummary(Summary):
    """What `annotate` did."""

    read: Path
    """The trajectories' file."""
    written: Path
    """The sealed annotations."""
    direct: int
    """Annotated by the teacher."""
    transferred: int
    """Carried over."""
    failed: int
    """Left out, each with its reason in `annotation_failures.jsonl.zst`."""
    retriable: int
    """Paths that the teacher failed on, which `--retry-failed` takes up."""
    reasons: tuple[AnnotationFailure, ...]
    """The first ten failures, in turn of each kind."""
    confidence: float
    """Mean confidence of the transferred ones; 1 where there are none."""
    subgoals: int
    """Sub-goals in all."""
    samples: tuple[AnnotatedTrajectory, ...]
    """Five annotated paths chosen by chance, to be read."""
    types: tuple[TypeSummary, ...]
    """One row a task type."""
    used: dict[str, float]
    """Calls, tokens and money of a paid teacher; empty for others."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how many paths were annotated, by type, why others were not, and the cost."""
        retry = f"  the teacher failed on {self.retriable} paths; --retry-failed asks again"
        return [
            TextLine(text=self._told(), tone=Tone.STRONG),
            *map(_reason, self.reasons),
            *([TextLine(text=retry)] if self.retriable else []),
            *_type_parts(self.types),
            *(_cost_parts(self.used) if self.used else []),
            *files(self.read, self.written),
        ]

    def _told(self) -> str:
        sure = f" (mean confidence {self.confidence:.2f})" if self.transferred else ""
        return (
            f"annotated {self.direct + self.transferred} paths with {self.subgoals} sub-goals: "
            f"{self.direct} by the teacher, {self.transferred} by transfer{sure}, "
            f"{self.failed} left out"
        )


def summarize(
    annotated: Sequence[AnnotatedTrajectory],
    failed: Sequence[AnnotationFailure],
    read: Path,
    written: Path,
    used: Mapping[str, float],
) -> AnnotateSummary:
    """Summarize the stage.

    Args:
        annotated: All annotations.
        failed: All failures.
        read: The trajectories' file.
        written: The annotations' file.
        used: What a paid teacher used.
    """
    carried = [one for one in annotated if one.transferred_from]
    confidence = sum(one.confidence for one in carried) / len(carried) if carried else 1.0
    left_out = [one for one in failed if not one.carried]
    return AnnotateSummary(
        read=read,
        written=written,
        direct=len(annotated) - len(carried),
        transferred=len(carried),
        failed=len(left_out),
        retriable=sum(one.kind.retried for one in failed),
        reasons=_shown(failed),
        confidence=confidence,
        subgoals=sum(len(one.spans) for one in annotated),
        samples=tuple(random.Random(0).sample(annotated, min(5, len(annotated)))),
        types=tuple(_by_type(annotated, failed)),
        used=dict(used),
    )


def _shown(failed: Sequence[AnnotationFailure]) -> tuple[AnnotationFailure, ...]:
    """Return the first ten, in turn of each kind: many of one kind hide no other."""
    seen, ranked = Counter[tuple[bool, FailureKind]](), list[tuple[bool, int]]()
    for one in failed:
        ranked.append((one.carried, seen[one.carried, one.kind]))
        seen[one.carried, one.kind] += 1
    places = sorted(range(len(failed)), key=ranked.__getitem__)[:10]
    return tuple(failed[place] for place in places)


def _by_type(
    annotated: Sequence[AnnotatedTrajectory], failed: Sequence[AnnotationFailure]
) -> list[TypeSummary]:
    paths: defaultdict[str, list[AnnotatedTrajectory]] = defaultdict(list)
    for one in annotated:
        paths[one.trajectory.task.name].append(one)
    failures = Counter(failure.type for failure in failed)
    return [_row(name, paths[name], failures[name]) for name in sorted({*paths, *failures})]


def _row(name: str, annotated: Sequence[AnnotatedTrajectory], failed: int) -> TypeSummary:
    spans = [span for one in annotated for span in one.spans]
    steps = sum(len(one.trajectory.steps) for one in annotated)
    names = Counter(span.subgoal.name for span in spans)
    transferred = sum(bool(one.transferred_from) for one in annotated)
    return TypeSummary(
        type=name,
        direct=len(annotated) - transferred,
        transferred=transferred,
        repaired=sum(any(span.repaired for span in one.spans) for one in annotated),
        failed=failed,
        subgoals_a_path=len(spans) / max(1, len(annotated)),
        steps_a_subgoal=steps / max(1, len(spans)),
        names=dict(names.most_common()),
    )


def _reason(failure: AnnotationFailure) -> TextLine:
    how = "carried over to" if failure.carried else "left out"
    return TextLine(text=f"  {how} {failure.key}: {failure.reason}", tone=Tone.CAUTION)


def _type_parts(types: Sequence[TypeSummary]) -> list[TextLine | Table]:
    """Return a table of annotations by task type, and the function names of each."""
    head = ("type", "teacher", "carried", "mended", "failed", "sub-goals", "steps each")
    rows = tuple(
        (
            row.type,
            *map(str, (row.direct, row.transferred, row.repaired, row.failed)),
            f"{row.subgoals_a_path:.1f}",
            f"{row.steps_a_subgoal:.1f}",
        )
        for row in types
    )
    lines: list[TextLine] = []
    for row in types:
        names = [f"{name} {count}" for name, count in row.names.items()]
        more = [f"{len(names) - _SHOWN_NAMES} more"] if len(names) > _SHOWN_NAMES else []
        text = f"  {row.type}: {', '.join(names[:_SHOWN_NAMES] + more)}"
        if names:
            lines.append(TextLine(text=text, tone=Tone.FAINT))
    return [Table(head=head, rows=rows), *lines]


def _cost_parts(used: Mapping[str, float]) -> list[TextLine | Table]:
    """Return what a paid teacher cost, beside what a dry run foresees for the same paths."""
    paid = TextLine(
        text=f"paid for {used['answered']:,.0f} replies ({used['cached']:,.0f} came from the "
        f"ledger); {used['refused']:,.0f} requests refused, {used['lost']:,.0f} lost"
    )
    paths = used.get("expected_calls", 0)  # stages of older versions have none
    if not paths:
        return [paid]
    money = used["cost"] or used["expected_cost"]
    figures = [
        ("replies", "expected_calls", "answered", ",.0f", ".2f"),
        ("tokens read", "expected_input", "input_tokens", ",.0f", ",.0f"),
        ("tokens written", "expected_output", "output_tokens", ",.0f", ",.0f"),
        *([("money", "expected_cost", "cost", ".4g", ".4g")] if money else []),
    ]
    rows = tuple(
        (
            name,
            format(used[foreseen], form),
            format(used[real], form),
            format(used[real] / paths, each),
        )
        for name, foreseen, real, form, each in figures
    )
    unknown = "  money   unknown: the model is not in [annotate.openai.prices]"
    return [
        paid,
        Table(head=("cost", "expected", "used", "per path"), rows=rows),
        TextLine(text="  expected as by --dry-run: one reply a path, without what a model thinks"),
        *([] if money else [TextLine(text=unknown, tone=Tone.CAUTION)]),
    ]
