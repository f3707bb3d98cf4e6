"""From annotated trajectories to training examples, by role."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.rendering import LEARNED, Context, RenderingName, Role, Text, plain
from subgoal.datasets.tokenizer import StudentTokenizer
from subgoal.record import Record


class DatasetConfig(Record):
    """How annotated trajectories become examples."""

    rendering: RenderingName = RenderingName.FOLDED
    """How an episode becomes text for planner and executor; the flat agent reads transcripts."""
    vocabulary: int = 2048
    """Tokens of the tokenizer, at most."""
    context: int = 1024
    """Most tokens of a text; a longer one is reopened (rule `reopen`)."""
    min_confidence: float = 0.0
    """Leave out annotations below this confidence (0..1)."""
    dev_share: float = 0.05
    """Share of each type's variations held out for the dev loss."""


@dataclass(frozen=True)
class Example:
    """One text to learn from.

    Attributes:
        ids: Token ids, int32 (length,).
        learned: True where the token is in the loss, bool (length,).
        key: The task's key.
        reopened: True where the text goes on from one that had become too long.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    key: str
    reopened: bool


def corpus(annotated: Iterable[AnnotatedTrajectory]) -> Iterable[str]:
    """Yield every piece of text that a tokenizer should know, once a path."""
    for one in annotated:
        task, steps = one.trajectory.task, one.trajectory.steps
        yield task.description
        yield plain(steps[0].inventory)
        yield plain(steps[0].look)
        for step, before in zip(steps, (None, *steps[:-1]), strict=True):
            yield step.action
            yield plain(step.observation)
            if before is not None and before.entered:
                yield plain(step.look)
        for span in one.spans:
            yield str(span.subgoal)


def build(
    annotated: Sequence[AnnotatedTrajectory],
    role: Role,
    config: DatasetConfig,
    tokenizer: StudentTokenizer,
) -> list[Example]:
    """Build the examples of a role: the same `Context` that agents use, driven by what was done."""
    return [
        Example(
            ids=np.array(text.ids, np.int32),
            learned=np.isin(text.targets, list(LEARNED[role])),
            key=one.trajectory.task.key,
            reopened=text.reopened,
        )
        for one in annotated
        for text in _texts(one, Context(tokenizer, config.rendering, role, config.context))
        if any(target in LEARNED[role] for target in text.targets)
    ]


def _texts(one: AnnotatedTrajectory, context: Context) -> list[Text]:
    steps = one.trajectory.steps
    context.open(one.trajectory.task.description, steps[0].look, steps[0].inventory)
    for span in one.spans if context.has_goals else ():
        context.goal(str(span.subgoal))
        _play(context, one, span.first, span.last)
        if span.last < len(steps):
            after = steps[span.last]
            context.done(after.look, after.inventory)
    if context.has_goals:
        context.done()
        context.complete()
    else:
        _play(context, one, 1, len(steps))
        context.close()
    return context.finished


def _play(context: Context, one: AnnotatedTrajectory, first: int, last: int) -> None:
    steps = one.trajectory.steps
    for index in range(first - 1, last):
        context.act(steps[index].action)
        entered = steps[index].entered and index + 1 < len(steps)
        context.observe(steps[index].observation, steps[index + 1].look if entered else None)
