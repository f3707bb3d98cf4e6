"""Annotate few, carry over to the rest: sub-goals from annotated paths of the same task type.

The new path is folded and aligned with all annotated paths of its type at once (`family`), which
gives the boundaries and function names that most of them agree on; then each argument is traced to
where it comes from in the annotated paths and read off there in the new one (`binding`). How
certain both are is the confidence.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.annotation.teachers.base import Teacher
from subgoal.annotation.transfer.argument_binding import Binder
from subgoal.annotation.transfer.argument_sources import Path, Span
from subgoal.annotation.transfer.example import TransferExample
from subgoal.annotation.transfer.template import templates
from subgoal.annotation.transfer.type_alignment import Family, Segment
from subgoal.errors import TeacherFailed
from subgoal.trajectories.trajectory import Trajectory

_ROUNDS = 2
_INEXPERIENCE = 0.16
"""With one annotated path of a type, this share of what looks certain is wrong; fitted by
cross-validation over the recorded annotations, as is how fast it falls with more."""
_LEARNING = 1.2
_HEARD = 0.05
_MOST_HEARD = 3


class _Carrier:
    """The annotated paths of one task type, ready to be carried over."""

    def __init__(
        self, examples: Sequence[TransferExample], others: Sequence[TransferExample]
    ) -> None:
        self._family = Family(examples, others)
        self._paths = self._family.paths
        self._experience = 1 - _INEXPERIENCE / len(examples) ** _LEARNING
        named = {chain.name for path in examples for chain in path.chains}
        # Other types teach arguments only where the type has no sub-goal of the name.
        self._binder = Binder(
            {
                number: self._paths[path].spans[index]
                for number, (path, index) in enumerate(self._family.members)
                if path < len(examples) or self._paths[path].chains[index].name not in named
            }
        )

    def carry_over(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        """Annotate a path."""
        units, sequence = templates(trajectory)
        path = Path(trajectory)
        segments = self._family.align(sequence)
        spans = [
            Span(path, units[one.first].first, units[one.last].last, Subgoal(name=one.name))
            for one in segments
        ]
        bound = self._bind(spans, segments)
        steps = np.array([len(span.verbs) for span in spans], dtype=np.float64)
        sure = [one.certainty * trust for one, (_, trust) in zip(segments, bound, strict=True)]
        return AnnotatedTrajectory(
            trajectory=trajectory,
            spans=tuple(
                SubgoalSpan(
                    subgoal=subgoal, first=units[one.first].first, last=units[one.last].last
                )
                for (subgoal, _), one in zip(bound, segments, strict=True)
            ),
            teacher=self._paths[0].annotated.teacher,
            prompt_digest=self._paths[0].annotated.prompt_digest,
            transferred_from=self._heard(segments, steps),
            confidence=round(float(np.average(sure, weights=steps)) * self._experience, 4),
        )

    def _bind(
        self, spans: Sequence[Span], segments: Sequence[Segment]
    ) -> list[tuple[Subgoal, float]]:
        """Bind all arguments; twice, as some come from the sub-goals around."""
        bound = [(span.subgoal, 0.0) for span in spans]
        for _ in range(_ROUNDS):
            for index, (span, segment) in enumerate(zip(spans, segments, strict=True)):
                known = [subgoal for subgoal, _ in bound]
                span.see(known[:index], known[index + 1 :])
                arguments, trust = self._binder.bind(span, segment.votes)
                bound[index] = (Subgoal(name=segment.name, arguments=arguments), trust)
        return bound

    def _heard(self, segments: Sequence[Segment], steps: NDArray[np.float64]) -> tuple[str, ...]:
        """Return the keys of the annotated tasks with the most say."""
        votes = np.average([one.votes for one in segments], axis=0, weights=steps)
        say = [0.0] * len(self._paths)
        for member, vote in zip(self._family.members, votes.tolist(), strict=True):
            say[member.path] += vote
        order = sorted(range(len(say)), key=lambda path: -say[path])[:_MOST_HEARD]
        heard = [path for path in order if say[path] >= _HEARD] or order[:1]
        return tuple(self._paths[path].annotated.trajectory.task.key for path in heard)


class TransferTeacher(Teacher):
    """Annotates a path from annotated paths of its task type.

    Args:
        examples: Annotated paths of any types. The other types' sub-goals stand in where a path
            does what no annotated path of its type does.
    """

    name = "transfer"

    def __init__(self, examples: Iterable[AnnotatedTrajectory | TransferExample]) -> None:
        self._examples = [
            one if isinstance(one, TransferExample) else TransferExample(one) for one in examples
        ]
        self._carriers: dict[tuple[str, str], _Carrier] = {}

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        task = trajectory.task
        if not trajectory.steps:
            raise TeacherFailed(f"{task.key}: a path without steps has no sub-goals")
        kind = (task.environment, task.name)
        if kind not in self._carriers:
            world = [one for one in self._examples if one.kind[0] == task.environment]
            own = [one for one in world if one.kind == kind]
            if not own:
                raise TeacherFailed(
                    f"{task.key}: there is no annotated path of this type to carry over from"
                )
            others = [one for one in world if one.kind != kind]
            self._carriers[kind] = _Carrier(own, others)
        return self._carriers[kind].carry_over(trajectory)
