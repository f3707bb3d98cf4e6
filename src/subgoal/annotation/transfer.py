"""Annotate few, carry over to the rest: sub-goals from annotated paths of the same task type.

A path becomes a sequence of folded steps (a run of one action, or of a walk through rooms, is
one), each a template: the verb, and those arguments that most paths of the type share. The new
path is aligned with annotated ones by minimal edit distance over templates; boundaries and
function names are carried over, and each argument is traced to where it came from (an argument of
an aligned action, the room that a walk reached, a word of the task description) and bound to what
stands there in the new path. The nearest few vote; their agreement is the confidence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from rapidfuzz.distance import Indel

from subgoal.annotation.action import WALK, ActionParts, take_apart
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.errors import AnnotationInvalid
from subgoal.trajectories.trajectory import Trajectory

NEIGHBOURS = 3
"""How many nearest annotated paths vote."""
_COMMON = 0.5
_LEADING = {"look around", WALK}


@dataclass(frozen=True)
class _Run:
    """Consecutive steps folded into one."""

    parts: ActionParts
    first: int  # from 0
    last: int


@dataclass(frozen=True)
class _Path:
    """A trajectory as the alignment sees it."""

    description: tuple[str, ...]
    runs: tuple[_Run, ...]
    length: int

    @classmethod
    def of(cls, trajectory: Trajectory) -> "_Path":
        runs: list[_Run] = []
        before = ""
        for index, action in enumerate(trajectory.actions):
            parts = take_apart(action)
            walking = bool(runs) and parts.verb == WALK == runs[-1].parts.verb
            if runs and (walking or action == before):
                runs[-1] = _Run(parts, runs[-1].first, index)
            else:
                runs.append(_Run(parts, index, index))
            before = action
        words = trajectory.task.description.lower().replace(",", " ,").replace(".", " .").split()
        return cls(tuple(words), tuple(runs), len(trajectory.steps))


class TransferModel:
    """The annotated paths of one task type, ready to be carried over.

    Args:
        annotated: Annotated trajectories of one task type; at least one.
    """

    def __init__(self, annotated: Sequence[AnnotatedTrajectory]) -> None:
        if not annotated:
            raise AnnotationInvalid("no annotated path of this task type to carry over from")
        self._annotated = list(annotated)
        self._paths = [_Path.of(one.trajectory) for one in annotated]

    @cached_property
    def _common(self) -> frozenset[str]:
        """Arguments that most annotated paths of the type share: fixtures, not choices."""
        seen = Counter(
            argument
            for path in self._paths
            for argument in {name for run in path.runs for name in run.parts.arguments}
        )
        return frozenset(name for name, n in seen.items() if n > _COMMON * len(self._paths))

    def _templates(self, path: _Path) -> list[tuple[str, ...]]:
        return [
            (run.parts.verb,)
            if run.parts.verb == WALK
            else (run.parts.verb, *(a if a in self._common else "*" for a in run.parts.arguments))
            for run in path.runs
        ]

    def carry_over(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        """Annotate a trajectory of the same task type from the nearest annotated ones."""
        new = _Path.of(trajectory)
        templates = self._templates(new)
        distances = sorted(
            (Indel.normalized_distance(self._templates(path), templates), index)
            for index, path in enumerate(self._paths)
        )[:NEIGHBOURS]
        votes = [self._from(index, new, templates) for _, index in distances]
        agreement = [
            sum(a == b for other in votes for a, b in zip(vote, other, strict=True))
            / (len(votes) * len(vote))
            for vote in votes
        ]
        # Ties and near-ties go to the nearest.
        score = [a - distance for a, (distance, _) in zip(agreement, distances, strict=True)]
        best = score.index(max(score))
        return AnnotatedTrajectory(
            trajectory=trajectory,
            spans=_spans(votes[best]),
            teacher=self._annotated[distances[best][1]].teacher,
            prompt_digest=self._annotated[distances[best][1]].prompt_digest,
            transferred_from=tuple(
                self._annotated[index].trajectory.task.key for _, index in distances
            ),
            confidence=round(agreement[best] * (1 - distances[best][0]), 4),
        )

    def _from(
        self, index: int, new: _Path, templates: list[tuple[str, ...]]
    ) -> list[tuple[int, Subgoal]]:
        """Return for each step of the new path the source's span number and the bound sub-goal."""
        source, spans = self._paths[index], self._annotated[index].spans
        span_of = [0] * source.length
        for number, span in enumerate(spans):
            span_of[span.first - 1 : span.last] = [number] * (span.last - span.first + 1)
        pairs = _aligned(self._templates(source), templates)
        of_run: list[int | None] = [None] * len(new.runs)
        for old, run in pairs:
            of_run[run] = span_of[source.runs[old].last]
        numbers = _filled(of_run, new)
        bound = _Binding(source, new, pairs, numbers, span_of)
        subgoals = {number: bound.bind(spans[number].subgoal, number) for number in set(numbers)}
        steps: list[tuple[int, Subgoal]] = []
        for run, number in zip(new.runs, numbers, strict=True):
            steps += [(number, subgoals[number])] * (run.last - run.first + 1)
        return steps


def transfer(
    annotated: Sequence[AnnotatedTrajectory], trajectory: Trajectory
) -> AnnotatedTrajectory:
    """Carry annotations over to a trajectory from annotated ones of the same task type.

    Args:
        annotated: Annotated trajectories; those of other task types are not used.
        trajectory: The path to annotate.

    Raises:
        AnnotationInvalid: No annotated path is of the type, or the trajectory has no steps.
    """
    if not trajectory.steps:
        raise AnnotationInvalid("a trajectory without steps has no sub-goals")
    same = [one for one in annotated if one.trajectory.task.name == trajectory.task.name]
    return TransferModel(same).carry_over(trajectory)


def _aligned(old: list[tuple[str, ...]], new: list[tuple[str, ...]]) -> list[tuple[int, int]]:
    """Pair equal templates by minimal edit distance, then same verbs inside what was replaced."""
    pairs: list[tuple[int, int]] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            pairs += zip(range(a, b), range(c, d), strict=True)
        elif tag == "replace":
            verbs = SequenceMatcher(
                None, [x[0] for x in old[a:b]], [x[0] for x in new[c:d]], autojunk=False
            )
            for block in verbs.get_matching_blocks():
                pairs += [(a + block.a + i, c + block.b + i) for i in range(block.size)]
    return pairs


def _filled(of_run: list[int | None], new: _Path) -> list[int]:
    """Give unaligned runs the sub-goal before; what leads to something, the one after."""
    filled: list[int] = []
    for index, number in enumerate(of_run):
        if number is None:
            after = next((n for n in of_run[index:] if n is not None), None)
            leads = new.runs[index].parts.verb in _LEADING
            before = filled[-1] if filled else None
            chosen = after if after is not None and (leads or before is None) else before
        else:
            chosen = number
        filled.append(max(chosen or 0, filled[-1] if filled else 0))
    return filled


class _Binding:
    """What stands in the new path where something stood in the source."""

    def __init__(
        self,
        source: _Path,
        new: _Path,
        pairs: Sequence[tuple[int, int]],
        numbers: Sequence[int],
        span_of: Sequence[int],
    ) -> None:
        self._everywhere: Counter[tuple[str, str]] = Counter()
        self._inside: dict[int, dict[str, str]] = {}
        for old, run in pairs:
            number = numbers[run]
            here = self._inside.setdefault(number, {})
            arguments = zip(
                source.runs[old].parts.arguments, new.runs[run].parts.arguments, strict=False
            )
            for before, after in arguments:
                self._everywhere[before, after] += 1
                if span_of[source.runs[old].last] == number:
                    here[before] = after
        self._rooms = _last_rooms(source, [span_of[run.last] for run in source.runs])
        self._new_rooms = _last_rooms(new, numbers)
        self._words = _word_changes(source.description, new.description)

    def bind(self, subgoal: Subgoal, number: int) -> Subgoal:
        """Rebind the arguments of the source's sub-goal."""
        return Subgoal(
            name=subgoal.name, arguments=tuple(self._argument(a, number) for a in subgoal.arguments)
        )

    def _argument(self, argument: str, number: int) -> str:
        name = argument.lower()
        if self._rooms.get(number) == name and number in self._new_rooms:
            return self._new_rooms[number]
        if (here := self._inside.get(number, {}).get(name)) is not None:
            return here
        if (there := self._most(name)) is not None:
            return there
        if name in self._words:
            return self._words[name]
        return self._replaced_inside(name)

    def _most(self, name: str) -> str | None:
        found = [(n, after) for (before, after), n in self._everywhere.items() if before == name]
        return max(found)[1] if found else None

    def _replaced_inside(self, name: str) -> str:
        """Rebind names that stand inside a longer one, the longest first."""
        known = sorted({b for b, _ in self._everywhere} | set(self._words), key=len, reverse=True)
        for before in known:
            if len(before) > 2 and f" {before} " in f" {name} ":
                after = self._most(before) or self._words[before]
                return f" {name} ".replace(f" {before} ", f" {after} ").strip()
        return name


def _last_rooms(path: _Path, numbers: Sequence[int]) -> dict[int, str]:
    return {
        number: run.parts.arguments[-1]
        for run, number in zip(path.runs, numbers, strict=True)
        if run.parts.verb == WALK
    }


def _word_changes(old: tuple[str, ...], new: tuple[str, ...]) -> Mapping[str, str]:
    """Phrases of the task description that differ, old to new."""
    changes: dict[str, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "replace":
            changes[" ".join(old[a:b])] = " ".join(new[c:d])
            if b - a == d - c:
                changes |= dict(zip(old[a:b], new[c:d], strict=True))
    return changes


def _spans(steps: Sequence[tuple[int, Subgoal]]) -> tuple[SubgoalSpan, ...]:
    spans: list[SubgoalSpan] = []
    before = -1
    for index, (number, subgoal) in enumerate(steps, start=1):
        if number == before:
            spans[-1] = spans[-1].model_copy(update={"last": index})
        else:
            spans.append(SubgoalSpan(subgoal=subgoal, first=index, last=index))
        before = number
    return tuple(spans)
