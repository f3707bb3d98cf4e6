"""Thinning: an annotated data set as it would be if the teacher had been asked about fewer paths.

What is a teacher call worth? Of each task type the paths are kept that `Selection` would have
asked about first, its medoids (so that fewer are a beginning of more); all others get their
sub-goals by transfer from these alone. No world is needed.

What was made of a path that is not kept goes with it:

- A copy with mistakes put in (`noise`) has the steps of its path and others between them. It takes
  over the sub-goals that its path has now: steps that were put in go with the step after them,
  wrong sub-goals and the ways back from them stay as they are. A copy whose wrong sub-goal would
  now stand in the middle of another one is left out: it would teach that the other ended there.
- So does a copy whose thing was carried away (`elsewhere`): the search and the way back from it
  stay as they are.
- A path that was relabelled (`hindsight`) is a path like any other and is annotated by transfer.

What was made of a kept path stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from pydantic import Field

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.annotation.transfer.selection import by_type, medoids
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.augmentation.moved_target import SOURCE
from subgoal.errors import TeacherFailed
from subgoal.record import Record, removed
from subgoal.training.config import TrainConfig


class Thinning(Record):
    """How many of the teacher's annotations are used."""

    per_type: int = Field(default=0, ge=0)
    """Paths of each task type that keep the teacher's annotation; 0: all, nothing is changed."""
    transfer: bool = True
    """The other paths get their sub-goals by transfer from these; false: they are left out."""


class BudgetedTraining(TrainConfig):
    """How the students of a row are trained."""

    teacher: Thinning = Thinning()
    """How many of the teacher's annotations are used: what is a teacher call worth?"""
    _removed = removed()  # training itself knows no teacher any more, a row does

    @property
    def plain(self) -> TrainConfig:
        """The same without the budget, as the stage takes it."""
        return TrainConfig.model_validate(self.model_dump(exclude={"teacher"}))


def thinned(
    annotated: Sequence[AnnotatedTrajectory], config: Thinning
) -> list[AnnotatedTrajectory]:
    """Return an annotated data set with fewer paths annotated by the teacher.

    Args:
        annotated: The data set: paths annotated by the teacher and by transfer, and what was made
            of them.
        config: How many paths stay the teacher's.

    Returns:
        The paths in their order, each either as it was or annotated by transfer.

    Raises:
        TeacherFailed: The teacher annotated no path of some task type.
    """
    if not config.per_type:
        return list(annotated)
    direct = {one.key: one for one in annotated if not one.variant and not one.transferred_from}
    _check_types(annotated, direct)
    kept = {
        path.key
        for group in by_type([one.trajectory for one in direct.values()])
        for path in medoids(group, config.per_type)
    }
    if not config.transfer:
        return [one for one in annotated if one.trajectory.key in kept]
    known = [one for key, one in direct.items() if key in kept]
    carrier = _Carrier(TransferTeacher(known), annotated)
    found = (one if one.trajectory.key in kept else carrier.again(one) for one in annotated)
    return [one for one in found if one is not None]


def _check_types(
    annotated: Sequence[AnnotatedTrajectory], direct: Mapping[str, AnnotatedTrajectory]
) -> None:
    taught = {one.trajectory.task.name for one in direct.values()}
    for one in annotated:
        if one.trajectory.task.name not in taught:
            raise TeacherFailed(
                f"{one.key}: the teacher annotated no path of this type, so none can be kept; set "
                "train.teacher.per_type = 0, or leave the type out with train.dataset.without"
            )


class _Carrier:
    """Annotates paths anew, and what was made of them."""

    def __init__(self, teacher: TransferTeacher, annotated: Sequence[AnnotatedTrajectory]) -> None:
        self._teacher = teacher
        self._paths = {one.key: one for one in annotated if not one.variant}
        self._found: dict[str, AnnotatedTrajectory] = {}

    def again(self, one: AnnotatedTrajectory) -> AnnotatedTrajectory | None:
        """Return a path annotated by transfer; None for a copy that cannot follow its path."""
        if not (_disturbed(one) or one.trajectory.source == SOURCE):
            new = self._teacher.annotate(one.trajectory)
            return new.model_copy(update={"variant": one.variant})
        key = one.trajectory.key
        if key not in self._paths:
            return None
        if key not in self._found:
            self._found[key] = self._teacher.annotate(self._paths[key].trajectory)
        return _following(one, self._found[key])


def _disturbed(one: AnnotatedTrajectory) -> bool:
    return any(step.injected for step in one.trajectory.steps) or any(s.injected for s in one.spans)


def _following(copy: AnnotatedTrajectory, path: AnnotatedTrajectory) -> AnnotatedTrajectory | None:
    """Return a copy of a path under the sub-goals of its path; None where they do not fit."""
    origins = _origins(copy, path.trajectory.actions)
    if origins is None:
        return None
    spans = list(_spans(copy, path.spans, origins))
    pursued = [span.subgoal for span, own in spans if not own]
    if len(pursued) > len(path.spans):
        return None
    update = {name: getattr(path, name) for name in _FROM_PATH}
    return copy.model_copy(update={**update, "spans": tuple(span for span, _ in spans)})


_FROM_PATH = ("teacher", "prompt_digest", "transferred_from", "confidence")


def _origins(copy: AnnotatedTrajectory, actions: Sequence[str]) -> list[int | None] | None:
    """Return which step of its path each step of a copy is, from 0; None: it was put in.

    No way back is like the step that it leads to (`noise`), so the first match is the right one.
    None where the copy is not of this path.
    """
    wrong = {i for s in copy.spans if s.injected for i in range(s.first - 1, s.last)}
    origins: list[int | None] = []
    count = 0
    for number, step in enumerate(copy.trajectory.steps):
        own = step.injected or number in wrong
        if not own and count < len(actions) and step.action == actions[count]:
            origins.append(count)
            count += 1
        else:
            origins.append(None)
    return origins if count == len(actions) and origins[-1] is not None else None


def _spans(
    copy: AnnotatedTrajectory, spans: Sequence[SubgoalSpan], origins: Sequence[int | None]
) -> Iterator[tuple[SubgoalSpan, bool]]:
    """Yield the sub-goals of a copy, and whether each was put in."""
    of_step = [
        number for number, span in enumerate(spans) for _ in range(span.first, span.last + 1)
    ]
    put_in: dict[int, SubgoalSpan] = {}
    for span in copy.spans:
        mine = range(span.first - 1, span.last)
        if all(origins[number] is None for number in mine):
            put_in.update(dict.fromkeys(mine, span))
    follows: list[int] = []
    following = len(spans) - 1
    for origin in reversed(origins):
        following = following if origin is None else of_step[origin]
        follows.append(following)
    follows.reverse()

    def belongs(number: int) -> tuple[bool, int]:
        own = put_in.get(number)
        return (True, own.first) if own else (False, follows[number])

    for (own, which), run in groupby(range(len(origins)), key=belongs):
        numbers = list(run)
        span = put_in[numbers[0]] if own else spans[which]
        place = {"first": numbers[0] + 1, "last": numbers[-1] + 1}
        yield span.model_copy(update=place), own
