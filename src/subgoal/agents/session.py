"""An agent in anybody's loop: text in, sub-goal and action out; no world is needed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pydantic import Field

from subgoal.agents.base import Agent, Ask
from subgoal.agents.dialogue import Dialogue, Replacement, Sent
from subgoal.engines.base import Generated
from subgoal.environments.base import Observation, StepResult, Task
from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.environments.registry import LOG
from subgoal.plain_text import storable
from subgoal.record import Record
from subgoal.trajectories.logs.turn_text import thought_apart, with_thought


class SessionStep(Record):
    """What an agent decided in a session."""

    action: str
    """What to do next."""
    thought: str = Field(default="", exclude_if=lambda thought: not thought)
    """What was thought before, by an agent that learned thoughts from logs; else empty."""
    subgoal: str | None
    """What it is good for; None for agents without sub-goals."""
    certainty: float | None
    """The probability, 0 to 1, with which the student wrote the action; None where its server does
    not tell."""
    replaces: str = ""
    """The action that the world did not know, where this one stands in its place; else empty."""
    replaced: Replacement | None = None
    """Why; None where it does not."""


Answerer = Callable[[Ask], Generated]
"""Answers what a student is asked, and waits for it."""


def alone(ask: Ask) -> Generated:
    """Answer what a student is asked, by itself."""
    (answer,) = ask.engine.generate([ask.request])
    return answer


@dataclass
class _Told:
    """What the caller has told of its world."""

    language: WorldLanguage
    room: str = ""
    carried: str = ""
    known: Sequence[str] = ()

    def look(self) -> str:
        return self.room

    def inventory(self) -> str:
        return self.carried

    def valid_actions(self) -> Sequence[str]:
        return self.known


class Session:
    """One episode of an agent in a loop of yours: `act` until your task is done, then `close`.

    It holds its text computed, so each turn costs what is new in it. A context manager.

    Args:
        agent: Who decides, made for this episode.
        task: What it is to do; its description is what the agent reads.
        language: The words of your world.
        answerer: Answers what its students are asked, as together with what others are.
    """

    def __init__(
        self,
        agent: Agent,
        task: Task,
        language: WorldLanguage = NO_WORDS,
        answerer: Answerer = alone,
    ) -> None:
        said = storable(task.description)
        self._task = task.model_copy(update={"description": said})
        self._agent, self._answerer = agent, answerer
        self._log = task.environment.startswith(LOG)
        self._told = _Told(language)
        self._dialogue: Dialogue | None = None
        self._certainty: float | None = None
        self._given = ""
        self._steps = 0

    def act(
        self,
        observation: str,
        *,
        look: str = "",
        inventory: str = "",
        valid_actions: Sequence[str] = (),
        accepted: bool = True,
        entered: bool = False,
        score: int = 0,
        did: str = "",
    ) -> SessionStep:
        """Tell what is seen, and hear what to do.

        Only the first argument is needed. An agent that was trained in a world with more to see
        (`look`, `inventory`) plays as well as there where it is told that too.

        Args:
            observation: At first what is seen at all, later the answer to the action before.
            look: The place, as your world describes it; empty: as told before.
            inventory: What the agent carries; empty: as told before.
            valid_actions: What your world knows now. Where it did not know an action
                (`accepted=False`), one of these may come in its place.
            accepted: False where your world did not know the action before.
            entered: True where the action before led into another place.
            score: Your world's score after it, 0 to 100.
            did: What was done, where that is not the action before; the session goes on from it.

        Raises:
            TextTooLong: The episode no longer fits into the student's context.
            EngineFailed: The student cannot compute, or its server does not answer.
        """
        told = self._told
        observation = storable(observation)
        if self._log and self._dialogue is not None:
            told.room = ""  # what was said first is said once, as in training
        told.room = storable(look) or told.room
        told.carried = storable(inventory) or told.carried
        told.known = tuple(map(storable, valid_actions))
        if self._dialogue is None:
            self._dialogue = self._begun(observation)
            return self._decided(self._dialogue)
        self._steps += 1
        if did and (done := storable(did)) != self._given:
            self._dialogue.overrule(done)
        self._hear(
            self._dialogue,
            StepResult(
                observation=observation,
                score=score,
                moves=self._steps,
                accepted=accepted,
                entered=entered,
            ),
        )
        return self._decided(self._dialogue)

    def _begun(self, observation: str) -> Dialogue:
        self._told.room = self._told.room or observation
        opening = Observation(task=self._task, look=self._told.room, inventory=self._told.carried)
        self._agent.begin(opening, self._told)
        return Dialogue(self._agent, self._told)

    def _hear(self, dialogue: Dialogue, result: StepResult) -> None:
        sent = dialogue.answer(result)
        if sent is not None:
            dialogue.observe(sent, result)

    def _decided(self, dialogue: Dialogue) -> SessionStep:
        answer: Generated | None = None
        while isinstance(due := dialogue.go_on(answer), Ask):
            answer = self._answerer(due)
        if answer is not None:
            self._certainty = None if answer.logprob is None else math.exp(answer.logprob)
        return self._step(due)

    def _step(self, sent: Sent) -> SessionStep:
        thought, self._given = self._apart(sent.text)
        return SessionStep(
            action=self._given,
            thought=thought,
            subgoal=sent.decided.subgoal,
            certainty=self._certainty,
            replaces="" if sent.replaced is None else self._apart(sent.decided.text)[1],
            replaced=sent.replaced,
        )

    def _apart(self, text: str) -> tuple[str, str]:
        """Return what was thought, and what is done."""
        if not self._log:
            return "", text
        apart = thought_apart(text)
        return apart.thought, with_thought("", apart.rest)

    def close(self) -> None:
        """Free what the episode held. May be called twice."""
        self._agent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
