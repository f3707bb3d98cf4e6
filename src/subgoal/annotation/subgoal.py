"""Sub-goals, the spans of steps they cover, and annotated trajectories."""

import re
from collections.abc import Sequence
from typing import Self

from pydantic import model_validator

from subgoal.errors import AnnotationInvalid
from subgoal.record import Record
from subgoal.trajectories.trajectory import Trajectory

_FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\((.*)\)\s*", re.DOTALL)


class Subgoal(Record):
    """A sub-goal in functional form: `navigate_to(kitchen)` (paper, section 3.1)."""

    name: str
    """The function name, snake_case."""
    arguments: tuple[str, ...] = ()
    """Names of objects, places, substances or target states."""

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name(argument, argument)`.

        Raises:
            AnnotationInvalid: The text is not of that form.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise AnnotationInvalid(f"{text!r} is no sub-goal of the form name(argument, ...)")
        if not _balanced(match[2]):
            raise AnnotationInvalid(f"{text!r} has a bracket that is not closed, or not opened")
        arguments = tuple(part.strip() for part in match[2].split(",") if part.strip())
        return cls(name=match[1], arguments=arguments)


def _balanced(text: str) -> bool:
    depth = 0
    for mark in text:
        depth += (mark == "(") - (mark == ")")
        if depth < 0:
            return False
    return depth == 0


class SubgoalSpan(Record):
    """A sub-goal and the steps that pursue it."""

    subgoal: Subgoal
    """The sub-goal."""
    first: int
    """First step, counted from 1."""
    last: int
    """Last step, included."""
    repaired: bool = False
    """True where the reply was mended to give this span."""
    injected: bool = False
    """True for a wrong sub-goal that was put in on purpose: the planner reads it and does not learn
    it, the executor learns to pursue it."""


def check_spans(spans: Sequence[SubgoalSpan], length: int) -> None:
    """Check that spans are in order, contiguous, and cover steps 1..length.

    Raises:
        AnnotationInvalid: They do not; the segments without a sub-goal are named.
    """
    expected = 1
    for span in spans:
        if span.first > expected:
            raise AnnotationInvalid("spans leave a gap", [(expected, span.first - 1)])
        if span.first < expected:
            raise AnnotationInvalid(f"span '{span.subgoal}' begins before the one before it ends")
        if span.last < span.first:
            raise AnnotationInvalid(f"span '{span.subgoal}' ends before it begins")
        expected = span.last + 1
    if expected <= length:
        raise AnnotationInvalid("spans end before the path does", [(expected, length)])
    if expected > length + 1:
        raise AnnotationInvalid(f"spans go on to step {expected - 1} of a path of {length}")


class AnnotatedTrajectory(Record):
    """A trajectory whose every step belongs to one sub-goal.

    >>> import subgoal
    >>> from subgoal.environments.errand import ErrandWorld
    >>> from subgoal.trajectories.replay import replay
    >>> with ErrandWorld() as world:
    ...     task = world.tasks("train")[0]
    ...     path = replay(world, task, world.oracle_path(task), "oracle")
    >>> half = [("find(key)", 6), ("bring(key, box)", len(path.steps))]
    >>> one = subgoal.AnnotatedTrajectory.of(path, half, teacher="me")
    >>> [(str(span.subgoal), span.first) for span in one.spans]
    [('find(key)', 1), ('bring(key, box)', 7)]
    """

    trajectory: Trajectory
    """The path."""
    spans: tuple[SubgoalSpan, ...]
    """Sub-goals with their steps: contiguous, in order, covering."""
    teacher: str
    """Who annotated: `recorded`, `scripted`, a model's name, or `person`."""
    prompt_digest: str = ""
    """Digest of the prompt that the teacher read; empty where there was none."""
    transferred_from: tuple[str, ...] = ()
    """Keys of the annotated tasks this annotation was carried over from; empty if direct."""
    confidence: float = 1.0
    """0..1; 1 for a direct annotation."""
    variant: str = ""
    """Which rewriting of the task's path it is, such as `noise 1`; empty: the path itself."""

    @classmethod
    def of(
        cls, trajectory: Trajectory, subgoals: Sequence[tuple[str, int]], teacher: str
    ) -> "AnnotatedTrajectory":
        """Annotate a path.

        Args:
            trajectory: The path.
            subgoals: Each sub-goal, such as `fill(metal pot, water)`, with its last step, from 1.
            teacher: Who annotated.

        Raises:
            AnnotationInvalid: A sub-goal is of another form, or they do not cover the path.
        """
        firsts = [1, *(last + 1 for _, last in subgoals)]
        spans = tuple(
            SubgoalSpan(subgoal=Subgoal.parse(text), first=first, last=last)
            for (text, last), first in zip(subgoals, firsts, strict=False)
        )
        return cls(trajectory=trajectory, spans=spans, teacher=teacher)

    @property
    def key(self) -> str:
        """Identity: the path's key, and the variant where it is one."""
        path = self.trajectory.key
        return f"{path}#{self.variant}" if self.variant else path

    @model_validator(mode="after")
    def _covering(self) -> Self:
        check_spans(self.spans, len(self.trajectory.steps))
        return self
