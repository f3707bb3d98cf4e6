"""Agents led along annotated paths: they compute what students compute, and do what is known.

Where an engine can be held to an answer, an (untrained) student writes the path's own turn, token
by token. Elsewhere it writes as many tokens as that has, and then the path's turn takes their
place. So what an episode costs can be measured without training, and two ways to play it take the
same steps in the world.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

from typing_extensions import override

from subgoal.agents.base import Agent, Ask
from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import HierarchicalAgent
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.engines.base import Engine, Generated
from subgoal.engines.constraint import OneOf
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import Mark, StudentTokenizer

NOTHING = frozenset({-1})
"""Ends no turn: a led one has a given length."""


class Guide:
    """Knows the next turn of one episode.

    Args:
        path: What is to be done.
    """

    def __init__(self, path: AnnotatedTrajectory) -> None:
        self._steps, self._spans = path.trajectory.steps, path.spans
        self._number = self._span = 0

    def turn(self, first: Sequence[Mark]) -> tuple[Mark, str]:
        """Return what a student who is asked now has to write."""
        if Mark.GOAL in first:
            return Mark.GOAL, str(self._spans[self._span].subgoal)
        if Mark.DONE in first and self._number >= self._spans[self._span].last:
            self._span += 1
            return Mark.DONE, ""
        self._number += 1
        return Mark.ACT, self._steps[self._number - 1].action


class HeldTo(OneOf):
    """One answer, as if there were another: what is certain would not be computed."""

    @override
    def allowed(self, written: Sequence[int]) -> list[int]:
        return 2 * super().allowed(written)


class LedSeat(StudentSeat):
    """A student that computes as many tokens as the guide's turn has, and takes that."""

    def __init__(
        self,
        guide: Guide,
        engine: Engine,
        tokenizer: StudentTokenizer,
        form: TextFormat,
        role: Role,
        decoding: Decoding,
        language: WorldLanguage,
    ) -> None:
        super().__init__(engine, tokenizer, form, role, decoding, language)
        self._guide = guide

    @override
    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        mark, text = self._guide.turn(first)
        ids = self._tokenizer.segment(mark, text or None, ended=True)
        ask = next(super().write(first))
        held_to = HeldTo([ids]) if ask.engine.constrains else None
        only = ask.request.first if len(ask.request.first) == 1 else ()
        led = replace(ask.request, limit=len(ids), stop=NOTHING, first=only, constraint=held_to)
        yield Ask(ask.engine, led)
        return mark, text


def led_agent(
    path: AnnotatedTrajectory,
    engines: Sequence[Engine],
    tokenizer: StudentTokenizer,
    form: TextFormat,
    beams: int = 1,
    flat: bool = False,
) -> Agent:
    """Make an agent that follows a path.

    Args:
        path: What it does.
        engines: Its student, or a planner and an executor.
        tokenizer: The students'.
        form: The students'.
        beams: How wide they search.
        flat: Whether it has no sub-goals.
    """
    guide, decoding = Guide(path), Decoding(beams=beams)
    spoken = language(path.trajectory.task.environment)

    def seat(engine: Engine, role: Role) -> LedSeat:
        return LedSeat(guide, engine, tokenizer, form, role, decoding, spoken)

    if flat:
        agent: Agent = FlatAgent(seat(engines[0], Role.FLAT))
    elif len(engines) == 1:
        both = seat(engines[0], Role.BOTH)
        agent = HierarchicalAgent(both, both)
    else:
        planner, executor = engines
        agent = HierarchicalAgent(seat(planner, Role.PLANNER), seat(executor, Role.EXECUTOR))
    agent.grounded = False  # a path's own failing actions are sent as they are
    return agent
