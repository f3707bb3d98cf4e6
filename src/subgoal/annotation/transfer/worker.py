"""Annotations carried over, here or in the processes of a cluster."""

from collections.abc import Iterator, Mapping, Sequence

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.cluster import Cluster, Worker, grouped
from subgoal.errors import TeacherFailed
from subgoal.record import Record
from subgoal.trajectories.trajectory import Trajectory

_GROUP = 8
"""So many paths are sent to a process at once."""

Carried = tuple[str, AnnotatedTrajectory | TeacherFailed]
"""The key of a path's task, and its annotation or why it has none."""


class _Outcome(Record):
    key: str
    annotated: AnnotatedTrajectory | None = None
    reason: str = ""

    @property
    def carried(self) -> Carried:
        return self.key, self.annotated or TeacherFailed(self.reason)


class _Examples(Record):
    annotated: tuple[AnnotatedTrajectory, ...]


def carried_over(
    direct: Sequence[AnnotatedTrajectory], rest: Sequence[Trajectory], cluster: Cluster | None
) -> Iterator[Carried]:
    """Carry annotations over to paths; the same ones wherever it is done.

    Args:
        direct: What is carried over.
        rest: The paths.
        cluster: Whose processes do it; None: this one.
    """
    if cluster is None:
        teacher = TransferTeacher(direct)
        yield from ((path.key, _annotation(teacher, path)) for path in rest)
        return
    shared = {"direct": _Examples(annotated=tuple(direct)).model_dump_json().encode()}
    # A type's paths go together: a worker prepares the annotated paths of each type that it meets.
    by_type = sorted(rest, key=lambda path: (path.task.name, path.key))
    groups = grouped([path.model_dump_json() for path in by_type], _GROUP)
    found: dict[str, Carried] = {}
    for group, outcomes in cluster.spread(TransferWorker, shared, groups):
        if not isinstance(outcomes, list):
            raise outcomes
        for item in outcomes:
            one = _Outcome.model_validate_json(item).carried
            found[one[0]] = one
        del group
    yield from (found[path.key] for path in rest)


class TransferWorker(Worker):
    """Carries annotations over in a process of a cluster."""

    @override
    def __init__(self, shared: Mapping[str, bytes]) -> None:
        examples = _Examples.model_validate_json(shared["direct"])
        self._teacher = TransferTeacher(examples.annotated)

    @override
    def work(self, items: Sequence[str]) -> list[str]:
        return [self._outcome(Trajectory.model_validate_json(item)) for item in items]

    def _outcome(self, path: Trajectory) -> str:
        found = _annotation(self._teacher, path)
        key = path.key
        if isinstance(found, TeacherFailed):
            return _Outcome(key=key, reason=str(found)).model_dump_json()
        return _Outcome(key=key, annotated=found).model_dump_json()


def _annotation(teacher: TransferTeacher, path: Trajectory) -> AnnotatedTrajectory | TeacherFailed:
    try:
        return teacher.annotate(path)
    except TeacherFailed as error:
        return error
