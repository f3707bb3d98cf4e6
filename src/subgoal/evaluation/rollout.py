"""Rollout: agents play tasks, several episodes at once, models batched over all of them.

An episode runs in a thread until its agent asks a model; then it waits. One loop answers all
waiting asks in one batch and sends each answer back to its episode's thread, where the world
steps (in a process of its own) while the next batch is computed. Which episodes meet in a batch
depends on timing, so logits may differ in the last bits of a float; nothing else does.
"""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack

from subgoal.agents.agent import Action, Agent, Ask, Turn
from subgoal.agents.endings import Endings
from subgoal.agents.grounding import ground
from subgoal.environments.environment import Environment, StepResult, StopReason, Task
from subgoal.environments.pool import Pool
from subgoal.environments.protocol import Protocol
from subgoal.errors import EnvironmentFailed
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.language_models.engine import Engine, Generated

MakeAgent = Callable[[Task, Environment], Agent]
"""Makes the agent of one episode."""

_TRIES = 2


class _Play:
    """One episode being played; each method runs in a thread of the pool."""

    def __init__(
        self, task: Task, make: MakeAgent, name: str, protocol: Protocol, pool: Pool
    ) -> None:
        self._task, self._make, self._name = task, make, name
        self._protocol, self._pool = protocol, pool
        self._tries = 0
        self._start = time.monotonic()
        self._resources = ExitStack()
        self._error = ""

    def begin(self) -> Ask | Episode:
        """Begin the episode; return its agent's first ask, or the whole episode."""
        self._tries += 1
        self._steps: list[EpisodeStep] = []
        self._tokens = 0
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
            self._leave(error)
            if self._tries < _TRIES:
                return self.begin()
            return self._ended(StopReason.ENVIRONMENT_ERROR)
        except BaseException as error:
            self._leave(error)
            raise

    def _leave(self, error: BaseException | None = None) -> None:
        """Give agent and world back; a world that failed is replaced by the pool."""
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
        self._turn: Turn = self._agent.act()
        return self._go_on(None)

    def _go_on(self, answer: Generated | None) -> Ask | Episode:
        while True:
            try:
                return next(self._turn) if answer is None else self._turn.send(answer)
            except StopIteration as decided:
                stop = self._step(decided.value)
            if stop is not None:
                self._leave()
                return self._ended(stop)
            self._turn, answer = self._agent.act(), None

    def _step(self, action: Action) -> StopReason | None:
        sent, result = self._send(action.text)
        known = result.accepted and sent == action.text
        self._steps.append(
            EpisodeStep(
                action=sent,
                predicted="" if sent == action.text else action.text,
                subgoal=action.subgoal or "",
                observation=result.observation,
                score=result.score,
                moves=result.moves,
                accepted=result.accepted,
            )
        )
        stop = self._endings.after(sent, result, known)
        limit = self._protocol.move_limit
        if stop is None and (
            len(self._steps) >= self._protocol.steps_for(self._task.name)
            or (limit and result.moves >= limit)
        ):
            stop = StopReason.STEP_LIMIT
        if stop is None:
            self._agent.observe(sent, result)
        return stop

    def _send(self, text: str) -> tuple[str, StepResult]:
        """Send an action; where the world does not know it, the nearest that it does."""
        result = self._world.step(text)
        if result.accepted:
            return text, result
        nearest = ground(text, self._world.valid_actions())
        return (text, result) if nearest is None else (nearest, self._world.step(nearest))

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
            error=self._error if stop is StopReason.ENVIRONMENT_ERROR else "",
        )


def rollout(
    tasks: Sequence[Task], make: MakeAgent, name: str, protocol: Protocol, pool: Pool
) -> Iterator[Episode]:
    """Play tasks, as many at once as the pool has worlds; yield episodes as they end.

    Args:
        tasks: What to play.
        make: Makes the agent of one episode.
        name: The agent's name in the records.
        protocol: Limits and score.
        pool: The worlds.
    """
    waiting = queue.SimpleQueue[Task]()
    for task in tasks:
        waiting.put(task)
    running: dict[Future[Ask | Episode], _Play] = {}
    asks: list[tuple[_Play, Ask]] = []

    def start_next() -> None:
        if not waiting.empty():
            play = _Play(waiting.get(), make, name, protocol, pool)
            running[pool.submit(play.begin)] = play

    for _ in range(pool.size):
        start_next()
    while running or asks:
        done, _ = wait(running, timeout=0 if asks else None, return_when=FIRST_COMPLETED)
        for future in done:
            play, outcome = running.pop(future), future.result()
            if isinstance(outcome, Ask):
                asks.append((play, outcome))
            else:
                start_next()
                yield outcome
        for play, answer in _answers(asks):
            running[pool.submit(_resume(play, answer))] = play
        asks.clear()


def _resume(play: _Play, answer: Generated) -> Callable[[], Ask | Episode]:
    return lambda: play.resume(answer)


def _answers(asks: Sequence[tuple[_Play, Ask]]) -> Iterator[tuple[_Play, Generated]]:
    """Answer all asks, one batch for each engine."""
    by_engine: dict[int, tuple[Engine, list[tuple[_Play, Ask]]]] = {}
    for play, ask in asks:
        by_engine.setdefault(id(ask.engine), (ask.engine, []))[1].append((play, ask))
    for engine, group in by_engine.values():
        answers = engine.generate([ask.request for _, ask in group])
        yield from ((play, answer) for (play, _), answer in zip(group, answers, strict=True))
