"""Rollout: agents play tasks, several episodes at once, models batched over them.

An episode runs in a thread until its agent asks a model; its world steps in a process of its own.
Episodes are split into two crews: while the asks of one are answered in one batch, the worlds of
the other step. A crew waits for all its members before it is answered, so which episodes meet in
a batch follows from their order alone: the same call gives the same episodes, bit for bit. With
another number of episodes at once batches differ, and with them the last bits of logits; nothing
else does.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from subgoal.agents.agent import Ask
from subgoal.environments.environment import Task
from subgoal.environments.pool import Pool
from subgoal.environments.protocol import Protocol
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent, Play
from subgoal.language_models.engine import Engine, Generated

Crew = dict[Future[Ask | Episode], Play]
"""Episodes that are answered together, in the order in which they were sent off."""

TWO_CREWS = 4
"""From so many worlds on there are two crews; fewer would leave batches of one."""


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
    waiting = iter(tasks)
    crews: list[Crew] = [{}, {}] if pool.size >= TWO_CREWS else [{}]
    models = False

    def send_next(crew: Crew) -> None:
        task = next(waiting, None)
        if task is not None:
            play = Play(task, make, name, protocol, pool)
            crew[pool.submit(play.begin)] = play

    for number in range(pool.size):
        send_next(crews[number % len(crews)])
    while any(crews):
        for crew in filter(None, crews):
            models = _settled(crew, models)
            ended, asks = _gathered(crew)
            for play, answer in _answers(asks):
                crew[pool.submit(_resume(play, answer))] = play
            for episode in ended:
                send_next(crew)
                yield episode


def _settled(crew: Crew, models: bool) -> bool:
    """Wait until all of a crew have stopped; or one, as long as no agent has asked a model.

    Returns:
        Whether an agent has asked a model.
    """
    if not models:
        done, _ = wait(crew, return_when=FIRST_COMPLETED)
        models = any(isinstance(future.result(), Ask) for future in done)
    if models:
        wait(crew)
    return models


def _gathered(crew: Crew) -> tuple[list[Episode], list[tuple[Play, Ask]]]:
    """Take the plays that have stopped out of a crew: the episodes that ended, and the asks."""
    ended: list[Episode] = []
    asks: list[tuple[Play, Ask]] = []
    for future in [future for future in crew if future.done()]:
        play, outcome = crew.pop(future), future.result()
        if isinstance(outcome, Ask):
            asks.append((play, outcome))
        else:
            ended.append(outcome)
    return ended, asks


def _resume(play: Play, answer: Generated) -> Callable[[], Ask | Episode]:
    return lambda: play.resume(answer)


def _answers(asks: Sequence[tuple[Play, Ask]]) -> Iterator[tuple[Play, Generated]]:
    """Answer all asks, one batch for each engine."""
    by_engine: dict[int, tuple[Engine, list[tuple[Play, Ask]]]] = {}
    for play, ask in asks:
        by_engine.setdefault(id(ask.engine), (ask.engine, []))[1].append((play, ask))
    for engine, group in by_engine.values():
        answers = engine.generate([ask.request for _, ask in group])
        yield from ((play, answer) for (play, _), answer in zip(group, answers, strict=True))
