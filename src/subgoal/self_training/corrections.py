"""Corrections: where every attempt at a task fails, the end of its oracle path puts one right.

Attempts that all fail teach nothing to each other. So a failed one is played again up to some
moment, and then the task's oracle path is followed from one of its sub-goals on. What the world
then calls solved is learned beside the attempts, from that moment on: on the student's own states,
as imitation of an expert on the way does (DAgger: S. Ross et al., 2011), without an expert that
can begin in the middle. The world must answer the same to the same actions.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, zip_longest

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import texts_of
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.pool import Pool
from subgoal.errors import AnnotationInvalid, EnvironmentFailed
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.protocol import Protocol
from subgoal.progress import Progress
from subgoal.self_training.attempts import Attempt
from subgoal.text.conditions import quotes, without_reason
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory

CORRECTED = "corrected"
"""Who walked such a path, and who annotated it."""
_FIFTHS = (4, 3, 2, 1)
"""After the cut before its last action, an attempt is cut at so many fifths."""
_BACK = 2
"""Number of sub-goals before the one that the attempt's score stands for from which the oracle path
is followed, too."""
_MOST_ATTEMPTS = 2
"""Number of a group's attempts, the best ones, that are tried."""
_MOST_REPLAYS = 10
"""Number of paths that are tried with each of them; each is replayed from its task's beginning."""
_NO_GOAL = Subgoal(name="act")
"""The sub-goal of an agent that has none; its texts do not show it."""


@dataclass(frozen=True)
class Correction:
    """A path that begins as an attempt and ends as the oracle path does.

    Attributes:
        path: The path; what the attempt did is read in it and not learned.
        episode: The same as an episode that solves its task.
    """

    path: AnnotatedTrajectory
    episode: Episode


def oracle_paths(
    annotated: Iterable[AnnotatedTrajectory], tasks: Sequence[Task]
) -> dict[str, AnnotatedTrajectory]:
    """Return the annotated path of each task that has one, by the task's key.

    Args:
        annotated: Annotated paths, under any simplifications.
        tasks: The tasks.
    """
    known = {
        (one.trajectory.task.name, one.trajectory.task.variation): one
        for one in annotated
        if not one.variant and one.trajectory.stop_reason is StopReason.SOLVED
    }
    found = ((task.key, known.get((task.name, task.variation))) for task in tasks)
    return {key: one for key, one in found if one is not None}


def correct(
    world: Environment,
    failed: Episode,
    oracle: AnnotatedTrajectory,
    rules: Protocol,
    drop: tuple[str, ...] = (),
) -> Correction | None:
    """Put a failed attempt right; None where nothing that is tried solves the task.

    Args:
        world: A live world that answers the same to the same actions.
        failed: The attempt.
        oracle: The annotated path of its task.
        rules: The limits that the corrected path keeps to.
        drop: Actions of the oracle path that begin with one of these are left out.

    Raises:
        EnvironmentFailed: The world died.
    """
    limit = rules.steps_for(failed.task.name)

    def joined() -> Iterator[tuple[int, list[tuple[str, SubgoalSpan]]]]:
        for cut, begun in _joints(failed, oracle):
            rest = _followed(oracle, begun, drop)
            if cut + len(rest) <= limit:
                yield cut, rest

    for cut, rest in islice(joined(), _MOST_REPLAYS):
        actions = [step.action for step in failed.steps[:cut]] + [action for action, _ in rest]
        path = replay(world, failed.task, actions, CORRECTED, rules.move_limit or limit)
        if path.stop_reason is StopReason.SOLVED and len(path.steps) > cut:
            return _correction(failed, path, cut, [span for _, span in rest])
    return None


def _joints(failed: Episode, oracle: AnnotatedTrajectory) -> Iterator[tuple[int, int]]:
    """Yield what is tried: how many actions of the attempt, and the span that is followed first.

    Every cut is tried with the span that its score stands for and with the first one, before any is
    tried with others.
    """
    number = len(failed.steps)
    steps, spans = oracle.trajectory.steps, oracle.spans
    before = [0, *(steps[span.last - 1].score for span in spans[:-1])]
    cuts = [number - 1, *(number * part // 5 for part in _FIFTHS)]
    likely: list[list[tuple[int, int]]] = []
    for cut in dict.fromkeys(cut for cut in cuts if cut >= 0):
        score = max((step.score for step in failed.steps[:cut]), default=0)
        there = max((place for place, had in enumerate(before) if had <= score), default=0)
        begun = dict.fromkeys((there, 0, *range(there, max(-1, there - _BACK - 1), -1)))
        likely.append([(cut, place) for place in begun])
    for rank in zip_longest(*likely):
        yield from (joint for joint in rank if joint is not None)


def _followed(
    oracle: AnnotatedTrajectory, begun: int, drop: tuple[str, ...]
) -> list[tuple[str, SubgoalSpan]]:
    """Return the oracle's actions from a span on, each with its span."""
    steps = oracle.trajectory.steps
    every = (
        (steps[number - 1], span)
        for span in oracle.spans[begun:]
        for number in range(span.first, span.last + 1)
    )
    return [
        (step.action, span)
        for step, span in every
        if step.accepted and not (drop and step.action.startswith(drop))
    ]


def _correction(
    failed: Episode, path: Trajectory, cut: int, followed: Sequence[SubgoalSpan]
) -> Correction | None:
    told = quotes(failed.task.description)
    try:
        own = [_goal(step, told) for step in failed.steps[:cut]]
    except AnnotationInvalid:  # a sub-goal that is no sub-goal
        return None
    shown = len(path.steps) - cut
    named = [(goal, True, 0) for goal in own]
    named += [(span.subgoal, False, span.first) for span in followed[:shown]]
    steps = [
        step.model_copy(update={"injected": number < cut or not step.accepted})
        for number, step in enumerate(path.steps)
    ]
    annotated = AnnotatedTrajectory(
        trajectory=path.model_copy(update={"steps": tuple(steps)}),
        spans=tuple(_spans(named)),
        teacher=CORRECTED,
    )
    return Correction(annotated, _as_episode(failed, path, [str(goal) for goal, *_ in named]))


def _goal(step: EpisodeStep, told: Sequence[str]) -> Subgoal:
    return without_reason(Subgoal.parse(step.subgoal), told) if step.subgoal else _NO_GOAL


def _spans(named: Sequence[tuple[Subgoal, bool, int]]) -> Iterator[SubgoalSpan]:
    first = 1
    for (goal, own, _), steps in groupby(named):
        last = first + len(list(steps)) - 1
        yield SubgoalSpan(subgoal=goal, first=first, last=last, injected=own)
        first = last + 1


def _as_episode(failed: Episode, path: Trajectory, goals: Sequence[str]) -> Episode:
    steps = tuple(
        EpisodeStep(
            action=step.action,
            subgoal=goal,
            observation=step.observation,
            score=step.score,
            moves=step.moves,
            accepted=step.accepted,
        )
        for step, goal in zip(path.steps, goals, strict=True)
    )
    return failed.model_copy(
        update={
            "agent": f"{failed.agent} {CORRECTED}",
            "steps": steps,
            "score": path.final_score,
            "final_score": path.final_score,
            "stop_reason": path.stop_reason,
        }
    )


class Corrector:
    """Corrects what a round failed at.

    Args:
        oracle: The annotated path of each task that has one, by the task's key.
        config: How paths become texts.
        tokenizers: Of each student that learns.
        rules: The limits of the attempts.
    """

    def __init__(
        self,
        oracle: Mapping[str, AnnotatedTrajectory],
        config: DatasetConfig,
        tokenizers: Mapping[Role, StudentTokenizer],
        rules: Protocol,
    ) -> None:
        self._oracle, self._rules = oracle, rules
        self._config = config.model_copy(update={"earlier": 1.0, "drop": (), "move_limit": 0})
        self._drop, self._tokenizers = config.drop, tokenizers

    def correct(self, groups: Sequence[list[Attempt]], pool: Pool, name: str) -> Counter[str]:
        """Give each group that failed at a task with an oracle path a corrected member.

        Args:
            groups: The attempts of a round, by task.
            pool: The worlds.
            name: What is going on, for the progress.

        Returns:
            Number of groups that were corrected, by task type.
        """
        wanted = [group for group in groups if failed(group) and self._path(group) is not None]
        found: Counter[str] = Counter()
        with Progress(f"{name}: correct", len(wanted), "groups") as progress:
            for group, correction in pool.map(self._corrected, wanted):
                if correction is not None:
                    group.append(self._attempt(correction))
                    found[correction.episode.task.name] += 1
                progress.advance()
        return found

    def _path(self, group: Sequence[Attempt]) -> AnnotatedTrajectory | None:
        return self._oracle.get(group[0].episode.task.key)

    def _corrected(
        self, world: Environment, group: list[Attempt]
    ) -> tuple[list[Attempt], Correction | None]:
        oracle = self._path(group)
        assert oracle is not None  # only those are asked for
        sound = (a for a in group if a.episode.stop_reason is not StopReason.ENVIRONMENT_ERROR)
        best = sorted(sound, key=lambda attempt: -attempt.episode.score)
        for attempt in best[:_MOST_ATTEMPTS]:
            try:
                found = correct(world, attempt.episode, oracle, self._rules, self._drop)
            except EnvironmentFailed:  # without this one the round is as good
                continue
            if found is not None:
                return group, found
        return group, None

    def _attempt(self, correction: Correction) -> Attempt:
        texts = {
            role: texts_of(correction.path, role, self._config, tokenizer)
            for role, tokenizer in self._tokenizers.items()
        }
        return Attempt(correction.episode, texts, shown=True)


def failed(group: Sequence[Attempt]) -> bool:
    """Tell whether no attempt of a group solved its task; those whose world died do not count."""
    ends = {attempt.episode.stop_reason for attempt in group} - {StopReason.ENVIRONMENT_ERROR}
    return bool(ends) and StopReason.SOLVED not in ends
