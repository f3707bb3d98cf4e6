"""What distillation costs in tokens of a large language model, against calling one at run time.

The teacher reads a path and replies once; what the students play after that costs none of its
tokens. An agent that asks a language model while it plays pays for every action. So the more
episodes are played, the less a solved one costs after distillation; from some number of episodes on
it is the cheaper way.
"""

import math
from collections.abc import Sequence

from subgoal.annotation.cost import TokenCounter, expect
from subgoal.annotation.ledger import Totals
from subgoal.annotation.prompt import Prompt, render_pairs
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.episode import Episode
from subgoal.record import Record

TOKENS_AN_ACTION = {
    "SayCan": 1855.84,
    "ReAct": 1971.03,
    "Reflexion": 2983.46,
    "SwiftSage": 757.07,
}
"""Tokens that agents with a language model at run time use an action, on ScienceWorld (SwiftSage,
Lin et al., 2023, "Cost-effectiveness")."""
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

    @classmethod
    def charged(cls, paths: int, totals: Totals) -> "TeacherTokens":
        """Take them from the ledger, which knows what was charged, repeated questions included.

        Args:
            paths: Paths that the teacher annotated.
            totals: What the run has used.
        """
        return cls(
            paths=paths, read=totals.input_tokens, written=totals.output_tokens, counter="ledger"
        )


class CostAfter(Record):
    """What a solved episode has cost after so many episodes."""

    episodes: int
    """Episodes played."""
    tokens: float | None
    """The teacher's tokens for each solved episode; None where the agent solves none."""


class RunTimeCost(Record):
    """An agent that asks a language model while it plays."""

    method: str
    """Its name."""
    an_action: float
    """Tokens an action, as published."""
    an_episode: float
    """Tokens an episode of as many actions as the distilled agent takes."""
    a_solved_episode: float | None
    """Tokens for each solved episode, if it solved as many as the distilled agent; None where that
    solves none."""
    cheaper_after: int
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
    steps: float
    """Mean actions an episode."""
    solved: float
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
    teacher: TeacherTokens, episodes: Sequence[Episode], played: Sequence[int] = PLAYED
) -> LlmCost:
    """Set what the teacher took against what agents that call a language model take.

    Args:
        teacher: What was paid once.
        episodes: Episodes of the distilled agent.
        played: Numbers of episodes at which its cost is told.

    Raises:
        ComparisonInvalid: There are no episodes, of several agents, or none with an action.
    """
    names = sorted({episode.agent for episode in episodes})
    if len(names) != 1:
        raise ComparisonInvalid(
            f"the cost of one agent is told, but the episodes are of "
            f"{' and '.join(names) or 'none'}; give those of one agent"
        )
    steps = sum(len(episode.steps) for episode in episodes) / len(episodes)
    if not steps:
        raise ComparisonInvalid(f"'{names[0]}' took no action in any episode; evaluate it again")
    solved = sum(episode.solved for episode in episodes) / len(episodes)
    return LlmCost(
        teacher=teacher,
        agent=names[0],
        episodes=len(episodes),
        steps=round(steps, 2),
        solved=round(100 * solved, 2),
        after=tuple(
            CostAfter(episodes=n, tokens=round(teacher.total / (n * solved), 1) if solved else None)
            for n in played
        ),
        run_time=tuple(
            _run_time(method, an_action, steps, solved, teacher.total)
            for method, an_action in TOKENS_AN_ACTION.items()
        ),
    )


def _run_time(method: str, an_action: float, steps: float, solved: float, paid: int) -> RunTimeCost:
    an_episode = an_action * steps
    return RunTimeCost(
        method=method,
        an_action=an_action,
        an_episode=round(an_episode, 1),
        a_solved_episode=round(an_episode / solved, 1) if solved else None,
        cheaper_after=math.floor(paid / an_episode) + 1,
    )
