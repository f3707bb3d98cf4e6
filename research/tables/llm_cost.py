"""What distillation costs in tokens of a large language model, against calling one at run time.

The teacher reads a path and replies once; what the students play after that costs none of its
tokens. An agent that asks a language model while it plays pays for every action. So the more
episodes are played, the less a solved one costs after distillation; from some number of episodes on
it is the cheaper way.

Intervals are those of the played tasks alone: how many actions an episode takes, and how often it
is solved. The teacher's tokens, and the published ones an action, are taken as they are.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from research.tables.published import TOKENS_AN_ACTION, PublishedTokens
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.cost import TokenCounter, expect
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.bootstrap import LEVEL, Floats, Interval, bootstrap, resampled
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.protocol import Mean
from subgoal.record import Record

PLAYED = (1, 10, 100, 1_000, 10_000, 100_000)
"""Numbers of episodes at which costs are told."""


class TeacherTokens(Record):
    """What the teacher's annotations take, once."""

    paths: int
    """Paths that the teacher annotated; those annotated by transfer cost nothing."""
    read: int
    """Tokens of the prompts."""
    written: int
    """Tokens of the replies; those that a model thinks with are not counted."""
    counter: str
    """The tokenizer that counted, `estimate`, or `ledger` where they were charged."""

    @property
    def total(self) -> int:
        """Tokens in all."""
        return self.read + self.written


class Spread(Record):
    """A figure with its 95 % bootstrap interval, which may have no upper end."""

    mean: float
    """The figure itself."""
    low: float
    """Lower end."""
    high: float | None
    """Upper end; None where the interval reaches an agent that solves nothing."""


class CostAfter(Record):
    """What a solved episode has cost after so many episodes."""

    episodes: int
    """Episodes played."""
    tokens: Spread | None
    """The teacher's tokens for each solved episode; None where the agent solves none."""


class RunTimeCost(Record):
    """An agent that asks a language model while it plays."""

    method: str
    """Its name."""
    an_action: float
    """Tokens an action, as published."""
    an_episode: Interval
    """Tokens an episode of as many actions as the distilled agent takes."""
    a_solved_episode: Spread | None
    """Tokens for each solved episode, if it solved as many as the distilled agent; None where that
    solves none."""
    cheaper_after: Interval
    """The least number of episodes for which the distilled agent costs less."""


class LlmCost(Record):
    """Tokens of a language model: paid once for distillation, or at run time for each action.

    Agents that call a model are taken to need as many actions an episode, and to solve as many
    episodes, as the distilled agent: their tokens an action are all that was published for all of
    them. Training and playing small models costs time, and no tokens of a large one.
    """

    teacher: TeacherTokens
    """Paid once."""
    agent: str
    """The distilled agent."""
    episodes: int
    """Episodes from which its steps and solved share were taken."""
    steps: Interval
    """Mean actions an episode."""
    solved: Interval
    """Share of episodes solved, in percent."""
    after: tuple[CostAfter, ...]
    """The distilled agent's cost by episodes played."""
    run_time: tuple[RunTimeCost, ...]
    """Agents that call a language model."""


def teacher_tokens(
    annotated: Sequence[AnnotatedTrajectory],
    prompt: Prompt | None = None,
    counter: TokenCounter | None = None,
) -> TeacherTokens:
    """Count what the teacher read and wrote to annotate a data set, one reply a path.

    A teacher reads paths as they were collected: give it annotations from before `augment`, whose
    paths are as long as those that were read, and have the world's answers.

    Args:
        annotated: The data set; paths annotated by transfer, and copies, are not counted.
        prompt: What the teacher reads beside the path; None: the package's own.
        counter: Counts tokens; None estimates.
    """
    prompt = prompt or Prompt()
    counter = counter or TokenCounter.of("")
    read = written = 0
    direct = [one for one in annotated if not one.variant and not one.transferred_from]
    for one in direct:
        path = one.trajectory
        messages = prompt.ask(path)
        read += expect(messages, (1, len(path.steps)), counter, {}, "").input_tokens
        written += counter.count(render_pairs(one.spans))
    return TeacherTokens(paths=len(direct), read=read, written=written, counter=counter.name)


def llm_cost(
    teacher: TeacherTokens,
    episodes: Sequence[Episode],
    played: Sequence[int] = PLAYED,
    seed: int = 0,
) -> LlmCost:
    """Set what the teacher took against what agents that call a language model take.

    Args:
        teacher: What was paid once.
        episodes: Episodes of the distilled agent; of several of one task, as under several training
            seeds, the mean is taken first.
        played: Numbers of episodes at which its cost is told.
        seed: Seed of the intervals.

    Raises:
        ComparisonInvalid: There are no episodes, of several agents, or none with an action.
    """
    names = sorted({episode.agent for episode in episodes})
    if len(names) != 1:
        raise ComparisonInvalid(
            f"the cost of one agent is told, but the episodes are of "
            f"{' and '.join(names) or 'none'}; give those of one agent"
        )
    if not any(episode.steps for episode in episodes):
        raise ComparisonInvalid(f"'{names[0]}' took no action in any episode; evaluate it again")
    steps = _by_task(episodes, lambda episode: len(episode.steps))
    solved = _by_task(episodes, lambda episode: 100 * episode.solved)
    share = bootstrap(solved, Mean.EPISODES, seed)
    return LlmCost(
        teacher=teacher,
        agent=names[0],
        episodes=len(episodes),
        steps=bootstrap(steps, Mean.EPISODES, seed),
        solved=share,
        after=tuple(
            CostAfter(episodes=n, tokens=_spent(100 * teacher.total / n, share)) for n in played
        ),
        run_time=tuple(
            _run_time(one, steps, solved, teacher.total, seed) for one in TOKENS_AN_ACTION
        ),
    )


def _by_task(episodes: Sequence[Episode], value: Callable[[Episode], float]) -> list[Floats]:
    """Return the mean value of each task, an array a task type: seeds of one task are no tasks."""
    found: dict[str, dict[str, list[float]]] = {}
    for episode in episodes:
        of_type = found.setdefault(episode.task.name, {})
        of_type.setdefault(episode.key, []).append(value(episode))
    return [np.array([np.mean(of) for of in tasks.values()], float) for tasks in found.values()]


def _spent(tokens: float, solved: Interval) -> Spread | None:
    """Divide tokens by a solved share; the more is solved, the less each costs."""
    if not solved.mean:
        return None
    return Spread(
        mean=round(tokens / solved.mean, 1),
        low=round(tokens / solved.high, 1),
        high=round(tokens / solved.low, 1) if solved.low > 0 else None,
    )


def _run_time(
    published: PublishedTokens,
    steps: Sequence[Floats],
    solved: Sequence[Floats],
    paid: int,
    seed: int,
) -> RunTimeCost:
    actions = bootstrap(steps, Mean.EPISODES, seed)
    an_episode = _mapped(actions, lambda value: round(published.an_action * value, 1))
    after = _mapped(actions, lambda value: math.floor(paid / (published.an_action * value)) + 1)
    return RunTimeCost(
        method=published.method,
        an_action=published.an_action,
        an_episode=an_episode,
        a_solved_episode=_for_each_solved(published.an_action, steps, solved, seed),
        # the longer episodes are, the sooner distillation is cheaper
        cheaper_after=Interval(mean=after.mean, low=after.high, high=after.low),
    )


def _mapped(of: Interval, change: Callable[[float], float]) -> Interval:
    return Interval(mean=change(of.mean), low=change(of.low), high=change(of.high))


def _for_each_solved(
    an_action: float, steps: Sequence[Floats], solved: Sequence[Floats], seed: int
) -> Spread | None:
    """Divide actions by solved episodes, resample by resample: long episodes are those unsolved."""
    share = bootstrap(solved, Mean.EPISODES, seed)
    if not share.mean:
        return None
    actions = resampled(steps, Mean.EPISODES, seed)
    solves = resampled(solved, Mean.EPISODES, seed) / 100
    ratio = np.divide(actions, solves, out=np.full_like(actions, np.inf), where=solves > 0)
    # no quantile between two resamples: one of them may be without bound
    low, high = np.quantile(ratio, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    mean = bootstrap(steps, Mean.EPISODES, seed).mean / (share.mean / 100)
    return Spread(
        mean=round(an_action * mean, 1),
        low=round(an_action * float(low), 1),
        high=round(an_action * float(high), 1) if np.isfinite(high) else None,
    )
