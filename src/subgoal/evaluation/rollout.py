"""Rollout: agents play tasks, several episodes at once, models batched over them.

An episode runs in a thread until its agent asks a model; its world steps in a process of its own.
Episodes are split into two crews: while the asks of one are answered in one batch, the worlds of
the other step. A crew waits for all its members before it is answered, and an episode that begins
joins its crew a fixed number of turns later, so that loading its task holds nobody up. So which
episodes meet in a batch follows from their order alone: the same call gives the same episodes, bit
for bit. With another number of episodes at once batches differ, and with them the last bits of
logits; nothing else does.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TypeVar

from subgoal.agents.base import Ask
from subgoal.engines.base import Engine, Generated
from subgoal.environments.base import Task
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent, Play
from subgoal.evaluation.protocol import Protocol

Asker = TypeVar("Asker")

Outcome = Future[Ask | Episode]
"""What a play comes to next."""

TWO_CREWS = 4
"""From so many episodes at once on there are two crews; fewer would leave batches of one."""
JOIN_AFTER = 4
"""So many turns of its crew after an episode was sent off it joins; loading a task takes longer
than a step."""


@dataclass
class Crew:
    """Episodes that are answered together.

    Attributes:
        playing: Those that are waited for, in the order in which they were sent off.
        joining: Those that have been sent off to begin, with the turn in which they join.
        turn: How often the crew has been waited for.
    """

    playing: dict[Outcome, Play] = field(default_factory=dict[Outcome, Play])
    joining: deque[tuple[int, Outcome, Play]] = field(
        default_factory=deque[tuple[int, Outcome, Play]]
    )
    turn: int = 0

    def __bool__(self) -> bool:
        return bool(self.playing or self.joining)

    def admit(self) -> None:
        """Begin a turn: take in who joins now; where nobody plays, the first at once."""
        self.turn += 1
        while self.joining and (self.joining[0][0] <= self.turn or not self.playing):
            _, future, play = self.joining.popleft()
            self.playing[future] = play


def rollout(
    tasks: Sequence[Task],
    make: MakeAgent,
    name: str,
    protocol: Protocol,
    pool: Pool,
    at_once: int = 0,
) -> Iterator[Episode]:
    """Play tasks, many at once; yield episodes as they end.

    Args:
        tasks: What to play.
        make: Makes the agent of one episode.
        name: The agent's name in the records.
        protocol: Limits and score.
        pool: The worlds.
        at_once: Most episodes at once; 0: as many as the pool has worlds.
    """
    return play_all((Play(task, make, name, protocol, pool) for task in tasks), pool, at_once)


def play_all(plays: Iterator[Play], pool: Pool, at_once: int = 0) -> Iterator[Episode]:
    """Play episodes, each as its own `Play` says, many at once; yield them as they end.

    Args:
        plays: The episodes; each is taken when its turn comes.
        pool: The worlds.
        at_once: Most episodes at once; 0: as many as the pool has worlds.
    """
    places = min(at_once or pool.size, pool.size)
    crews = [Crew() for _ in range(2 if places >= TWO_CREWS else 1)]
    models = False

    def send_next(crew: Crew) -> None:
        play = next(plays, None)
        if play is not None:
            later = crew.turn + JOIN_AFTER if models else 0
            crew.joining.append((later, pool.submit(play.begin), play))

    for number in range(places):
        send_next(crews[number % len(crews)])
    while any(crews):
        for crew in filter(None, crews):
            crew.admit()
            models = _settled(crew, models)
            ended, asks = _gathered(crew)
            for play, answer in answers(asks):
                crew.playing[pool.submit(_resume(play, answer))] = play
            for episode in ended:
                send_next(crew)
                yield episode


def _settled(crew: Crew, models: bool) -> bool:
    """Wait until all of a crew have stopped; or one, as long as no agent has asked a model.

    Returns:
        Whether an agent has asked a model.
    """
    if not models:
        done, _ = wait(crew.playing, return_when=FIRST_COMPLETED)
        models = any(isinstance(future.result(), Ask) for future in done)
    if models:
        wait(crew.playing)
    return models


def _gathered(crew: Crew) -> tuple[list[Episode], list[tuple[Play, Ask]]]:
    """Take the plays that have stopped out of a crew: the episodes that ended, and the asks."""
    ended: list[Episode] = []
    asks: list[tuple[Play, Ask]] = []
    for future in [future for future in crew.playing if future.done()]:
        play, outcome = crew.playing.pop(future), future.result()
        if isinstance(outcome, Ask):
            asks.append((play, outcome))
        else:
            ended.append(outcome)
    return ended, asks


def _resume(play: Play, answer: Generated) -> Callable[[], Ask | Episode]:
    return lambda: play.resume(answer)


def answers(asks: Sequence[tuple[Asker, Ask]]) -> Iterator[tuple[Asker, Generated]]:
    """Answer all asks, one batch for each engine.

    Args:
        asks: What is asked, each with who asks.

    Yields:
        Who asked, and the answer; those of one engine after another.
    """
    by_engine: dict[int, tuple[Engine, list[tuple[Asker, Ask]]]] = {}
    for asker, ask in asks:
        by_engine.setdefault(id(ask.engine), (ask.engine, []))[1].append((asker, ask))
    for engine, group in by_engine.values():
        generated = engine.generate([ask.request for _, ask in group])
        yield from ((asker, one) for (asker, _), one in zip(group, generated, strict=True))
