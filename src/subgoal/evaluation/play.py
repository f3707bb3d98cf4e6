"""One episode at play: an agent, a world, the protocol's limits, and what came of each action.

A `Play` runs until its agent asks a model; who holds the play answers, alone or in a batch.
"""

import time
from abc import ABC
from collections.abc import Callable
from contextlib import ExitStack

from subgoal.agents.base import Agent, Ask, Spent, Unlisted
from subgoal.agents.dialogue import Dialogue, Sent
from subgoal.agents.stopping import Endings
from subgoal.engines.base import Generated
from subgoal.environments.base import (
    Ability,
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
    has,
)
from subgoal.environments.pool import Pool
from subgoal.errors import EnvironmentFailed, ExpertFailed, WorldLost
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.protocol import Protocol

MakeAgent = Callable[[Task, Environment], Agent]
"""Makes the agent of one episode."""

_FAULTS = {StopReason.ENVIRONMENT_ERROR, StopReason.AGENT_FAILED}
TRIES = 2
"""How often an episode whose world breaks off is begun."""


class Spectator(ABC):  # noqa: B024 - both methods may be left out
    """Watches one episode; called in the thread in which it is played."""

    def begin(self, opening: Observation) -> None:  # noqa: B027
        """The episode begins, or begins again after its world broke off."""

    def step(self, step: EpisodeStep) -> None:  # noqa: B027
        """An action was sent and answered."""


class Play:
    """One episode being played.

    Args:
        task: What is played.
        make: Makes the agent.
        name: The agent's name in the record.
        protocol: Limits and score.
        pool: Lends the world; one that breaks off is replaced, and the episode begins again once.
        spectator: Who watches.
    """

    def __init__(
        self,
        task: Task,
        make: MakeAgent,
        name: str,
        protocol: Protocol,
        pool: Pool,
        spectator: Spectator | None = None,
    ) -> None:
        self._task, self._make, self._name = task, make, name
        self._protocol, self._pool = protocol, pool
        self._spectator = spectator or Spectator()
        self._tries = 0
        self._start = time.monotonic()
        self._resources = ExitStack()
        self._error = self._broke_off = ""

    def begin(self) -> Ask | Episode:
        """Begin the episode; return its agent's first ask, or the whole episode."""
        self._tries += 1
        self._steps: list[EpisodeStep] = []
        self._tokens = self._shortened = 0
        self._spent = Spent()
        self._endings = Endings()
        return self._guarded(self._open)

    def resume(self, answer: Generated) -> Ask | Episode:
        """Send a model's answer; return the next ask, or the finished episode."""
        self._tokens += answer.computed
        return self._guarded(lambda: self._go_on(answer))

    def _guarded(self, work: Callable[[], Ask | Episode]) -> Ask | Episode:
        try:
            return work()
        except EnvironmentFailed as error:
            self._error = str(error)
            self.leave(error)
            if isinstance(error, WorldLost):
                self._tries -= 1  # another episode's fault, which has its own tries
            if self._tries < TRIES:
                self._broke_off = self._error
                return self.begin()
            return self._ended(StopReason.ENVIRONMENT_ERROR)
        except ExpertFailed as error:
            self._error = str(error)
            return self._finished(StopReason.AGENT_FAILED)
        except BaseException as error:
            self.leave(error)
            raise

    def leave(self, error: BaseException | None = None) -> None:
        """Give agent and world back, once; a world that failed is replaced by the pool."""
        resources, self._resources = self._resources, ExitStack()
        if error is None:
            resources.close()
            return
        try:
            resources.__exit__(type(error), error, error.__traceback__)
        except EnvironmentFailed:
            return

    def _open(self) -> Ask | Episode:
        self._world = self._resources.enter_context(self._pool.world())
        self._agent = self._make(self._task, self._world)
        self._resources.callback(self._agent.close)
        opening = self._world.reset(self._task)
        self._task = opening.task
        seen = self._world if has(self._world, Ability.VALID_ACTIONS) else Unlisted(self._world)
        self._agent.begin(opening, seen)
        self._spectator.begin(opening)
        self._dialogue = Dialogue(self._agent, seen)
        return self._go_on(None)

    def _go_on(self, answer: Generated | None) -> Ask | Episode:
        if answer is not None and answer.full:
            return self._finished(StopReason.CONTEXT_FULL)
        while True:
            due, answer = self._dialogue.go_on(answer), None
            if isinstance(due, Ask):
                return due
            result = self._world.step(due.text)
            sent = self._dialogue.answer(result)
            stop = None if sent is None else self._taken(sent, result)
            if stop is not None:
                return self._finished(stop)

    def _taken(self, sent: Sent, result: StepResult) -> StopReason | None:
        """Record a step; begin the next turn, or return why the episode is over."""
        step = _record(sent, result)
        self._steps.append(step)
        self._spectator.step(step)
        stop = self._endings.after(sent.text, result) or self._limit_reached(result)
        if stop is None:
            self._dialogue.observe(sent, result)
        else:
            self._dialogue.end(sent)
        return stop

    def _limit_reached(self, result: StepResult) -> StopReason | None:
        moves = self._protocol.move_limit
        if moves and result.moves >= moves:
            return StopReason.STEP_LIMIT
        steps = self._protocol.steps_for(self._task.name)
        return StopReason.STEP_LIMIT if len(self._steps) >= steps else None

    def _finished(self, stop: StopReason) -> Episode:
        self._shortened, self._spent = self._agent.shortened, self._agent.spent
        self.leave()
        return self._ended(stop)

    def _ended(self, stop: StopReason) -> Episode:
        scores = [step.score for step in self._steps]
        return Episode(
            task=self._task,
            agent=self._name,
            protocol=self._protocol.name,
            steps=tuple(self._steps),
            score=self._protocol.score(scores),
            final_score=scores[-1] if scores else 0,
            stop_reason=stop,
            seconds=round(time.monotonic() - self._start, 2),
            tokens=self._tokens,
            shortened=self._shortened,
            spent=self._spent,
            error=self._error if stop in _FAULTS else "",
            broke_off=self._broke_off,
        )


def _record(sent: Sent, result: StepResult) -> EpisodeStep:
    """Return the record of a step that was taken."""
    other = sent.text != sent.decided.text
    return EpisodeStep(
        action=sent.text,
        predicted=sent.decided.text if other else "",
        replaced=sent.replaced if other else None,
        subgoal=sent.decided.subgoal or "",
        observation=result.observation,
        score=result.score,
        moves=result.moves,
        accepted=result.accepted,
    )


def play_alone(play: Play) -> Episode:
    """Play one episode to its end, answering each ask by itself."""
    try:
        outcome = play.begin()
        while isinstance(outcome, Ask):
            (answer,) = outcome.engine.generate([outcome.request])
            outcome = play.resume(answer)
    except BaseException as error:  # an interrupt while the student computes
        play.leave(error)
        raise
    return outcome
