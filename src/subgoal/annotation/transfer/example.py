"""An annotated path, taken apart once for all the paths that it is an example for."""

from functools import cached_property

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal
from subgoal.annotation.transfer.argument_sources import Path, Span
from subgoal.annotation.transfer.template import Template, loops, templates


class Chain:
    """The units of one annotated sub-goal, runs of like units folded.

    Attributes:
        name: The sub-goal's function name.
        units: Templates, each run once.
        runs: First and last index of each run.
        kind: What sub-goals have in common that do the same with other things.
    """

    def __init__(self, name: str, inside: list[Template]) -> None:
        self.name = name
        self.units, self.runs = loops(inside)
        self.kind = (name, *(template.kind for template in self.units))


class TransferExample:
    """An annotated path and its parts.

    Attributes:
        annotated: The annotated path.
        chains: One for each span.
    """

    def __init__(self, annotated: AnnotatedTrajectory) -> None:
        self.annotated = annotated
        units, sequence = templates(annotated.trajectory)
        pairs = list(zip(units, sequence, strict=True))
        self.chains = [
            Chain(
                span.subgoal.name,
                [template for unit, template in pairs if span.first <= unit.last <= span.last],
            )
            for span in annotated.spans
        ]

    @property
    def kind(self) -> tuple[str, str]:
        """The world and the task type."""
        task = self.annotated.trajectory.task
        return task.environment, task.name

    @cached_property
    def spans(self) -> list[Span]:
        """The annotated spans, which have seen the sub-goals around them."""
        path = Path(self.annotated.trajectory)
        subgoals = [
            Subgoal(
                name=span.subgoal.name,
                arguments=tuple(argument.lower() for argument in span.subgoal.arguments),
            )
            for span in self.annotated.spans
        ]
        spans = [
            Span(path, one.first, one.last, subgoal)
            for one, subgoal in zip(self.annotated.spans, subgoals, strict=True)
        ]
        for index, span in enumerate(spans):
            span.see(subgoals[:index], subgoals[index + 1 :])
        return spans
