"""Many worlds at once, in bounded memory.

A world's work happens in its own process (a Java process, for ScienceWorld), so a thread a world
is enough to keep all of them busy. A world that fails is closed; the registry makes another.
"""

import os
import queue
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Literal, Self, TypeVar

import psutil

from subgoal.environments.environment import Environment
from subgoal.environments.registry import make
from subgoal.errors import EnvironmentFailed

A = TypeVar("A")
B = TypeVar("B")

WORLD_BYTES = 500 * 2**20
"""What one world may need; the bound on how many run side by side."""


def affordable(worlds: int | Literal["auto"]) -> int:
    """Return how many worlds to run: for `auto` one a core, as far as free memory allows.

    A number is taken as it is: some worlds need far less than `WORLD_BYTES`.
    """
    if worlds != "auto":
        return max(1, worlds)
    fit = int(psutil.virtual_memory().available * 0.8 / WORLD_BYTES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, fit))


class Pool:
    """Worlds of one kind, lent one at a time; a context manager.

    Args:
        environment: Name of the world in the registry.
        worlds: How many, or `auto`. Each starts when it is first needed.
    """

    def __init__(self, environment: str, worlds: int | Literal["auto"] = "auto") -> None:
        self.size = affordable(worlds)
        self._environment = environment
        self._all: set[Environment] = set()
        self._closed = False
        self._idle: queue.LifoQueue[Environment | None] = queue.LifoQueue()
        for _ in range(self.size):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="world")

    @contextmanager
    def world(self) -> Generator[Environment]:
        """Lend a world; waits until one is free. One that raises is closed and replaced."""
        world = self._idle.get()
        try:
            if self._closed:
                raise EnvironmentFailed("the pool of worlds is closed")
            if world is None:
                world = make(self._environment)
                self._all.add(world)
            yield world
        except BaseException:
            if world is not None:
                world.close()
                self._all.discard(world)
                world = None
            raise
        finally:
            self._idle.put(world)

    def submit(self, work: Callable[[], B]) -> Future[B]:
        """Run something in one of the pool's threads."""
        return self._threads.submit(work)

    def map(self, work: Callable[[Environment, A], B], items: Iterable[A]) -> Iterator[B]:
        """Apply `work` to every item with some world each; yield the results as they come.

        At most twice as many items as worlds are under way, so memory stays bounded.
        """

        def one(item: A) -> B:
            with self.world() as world:
                return work(world, item)

        waiting: set[Future[B]] = set()
        for item in items:
            waiting.add(self._threads.submit(one, item))
            if len(waiting) >= 2 * self.size:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)

    def close(self) -> None:
        """End all worlds and threads."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._all:
            self._all.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
