"""One episode at play: an agent, a world, the protocol's limits, and what came of each action.

A `Play` runs until its agent asks a model; who holds the play answers, alone or in a batch.
"""

import time
from abc import ABC
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from subgoal.agents.base import Action, Agent, Ask, Turn
from subgoal.agents.grounding import numbered, replaceable, same_action
from subgoal.agents.stopping import Endings
from subgoal.engines.base import Generated
from subgoal.environments.base import (
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
)
from subgoal.environments.pool import Pool
from subgoal.errors import EnvironmentFailed, WorldLost
from subgoal.evaluation.episode import Episode, EpisodeStep, Replacement
from subgoal.evaluation.protocol import Protocol

MakeAgent = Callable[[Task, Environment], Agent]
"""Makes the agent of one episode."""

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
        self._agent.begin(opening, self._world)
        self._spectator.begin(opening)
        self._refused: Action | None = None
        self._asked: Sequence[str] = ()  # the numbers of which the world wants to hear one
        self._spurned: set[str] = set()  # what the world has refused since it last did something
        self._turn: Turn = self._agent.act()
        return self._go_on(None)

    def _go_on(self, answer: Generated | None) -> Ask | Episode:
        if answer is not None and answer.full:
            return self._finished(StopReason.CONTEXT_FULL)
        while True:
            try:
                return next(self._turn) if answer is None else self._turn.send(answer)
            except StopIteration as decided:
                stop, answer = self._step(decided.value), None
            if stop is not None:
                return self._finished(stop)

    def _step(self, action: Action) -> StopReason | None:
        """Send what was decided; go on to the next turn, or to a choice where it is not known."""
        refused, self._refused = self._refused, None
        if refused is not None:  # this is what was chosen in its place
            result = self._world.step(action.text)
            return self._taken(refused, result, action.text, Replacement.CHOSEN)
        if self._asked and action.text not in self._asked and self._may_replace(action.text):
            choice = self._agent.choose(self._asked)
            if choice is not None:
                self._refused, self._turn = action, choice
                return None
        result = self._world.step(action.text)
        if result.accepted or not self._agent.grounded:
            return self._taken(action, result)
        self._spurned.add(action.text)
        valid = self._replacements(action.text)
        same = same_action(action.text, valid)
        if same is not None:
            return self._taken(action, self._world.step(same), same, Replacement.REPAIRED)
        choice = self._agent.choose(valid) if valid else None
        if choice is None:
            return self._taken(action, result)
        self._refused, self._turn = action, choice
        return None

    def _may_replace(self, written: str) -> bool:
        return self._agent.grounded and replaceable(written, self._world.never_replaced)

    def _replacements(self, written: str) -> list[str]:
        """Return the known actions that may take the place of an unknown one."""
        never = self._world.never_replaced
        if not replaceable(written, never):
            return []
        valid = self._world.valid_actions()
        return [one for one in valid if one not in self._spurned and replaceable(one, never)]

    def _taken(
        self,
        action: Action,
        result: StepResult,
        sent: str = "",
        replaced: Replacement | None = None,
    ) -> StopReason | None:
        """Record a step; begin the next turn, or return why the episode is over.

        Args:
            action: What the agent decided.
            result: The world's answer.
            sent: What was sent in its place; empty: the same.
            replaced: Why something else was.
        """
        sent = sent or action.text
        if result.accepted:
            self._spurned.clear()
        else:
            self._spurned.add(sent)
        step = EpisodeStep(
            action=sent,
            predicted="" if sent == action.text else action.text,
            replaced=None if sent == action.text else replaced,
            subgoal=action.subgoal or "",
            observation=result.observation,
            score=result.score,
            moves=result.moves,
            accepted=result.accepted,
        )
        self._steps.append(step)
        self._asked = numbered(result.observation)
        self._spectator.step(step)
        stop = self._endings.after(sent, result) or self._limit_reached(result)
        if stop is None:
            self._agent.observe(sent, result)
            self._turn = self._agent.act()
        else:
            self._agent.end(sent)
        return stop

    def _limit_reached(self, result: StepResult) -> StopReason | None:
        moves = self._protocol.move_limit
        if moves and result.moves >= moves:
            return StopReason.STEP_LIMIT
        steps = self._protocol.steps_for(self._task.name)
        return StopReason.STEP_LIMIT if len(self._steps) >= steps else None

    def _finished(self, stop: StopReason) -> Episode:
        self._shortened = self._agent.shortened
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
            error=self._error if stop is StopReason.ENVIRONMENT_ERROR else "",
            broke_off=self._broke_off,
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
