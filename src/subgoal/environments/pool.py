"""Many worlds at once, in bounded memory.

A world's work happens in another process (a Java process, for ScienceWorld), so a thread a world
is enough to keep all of them busy. Where worlds can share a process, there are no more processes
than cores; a company is the worlds of one of them. Worlds start in the background, are used for one
episode after another, and are replaced, again in the background, when they break off or their
company has grown too large.
"""

import queue
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Self, TypeVar

from pydantic import Field

from subgoal.environments.base import Environment
from subgoal.environments.boundary import raised
from subgoal.environments.registry import WorldOptions, make
from subgoal.errors import EnvironmentFailed, SubgoalError
from subgoal.machine import cores, free_memory, used_memory
from subgoal.record import Record

A = TypeVar("A")
B = TypeVar("B")

_SHARE = 0.8
"""Of the free memory, so much is for worlds."""


class WorldLimits(Record):
    """When a world is given up and replaced; does not change a result."""

    answer_seconds: float = Field(default=Environment.answer_seconds, gt=0)
    """Seconds after which a world that does not answer is killed and replaced. Its episode is
    played again, once. Starting, listing tasks and making an oracle path may take ten times as
    long."""
    megabytes: int = Field(default=500, gt=0)
    """Memory per process of worlds. `auto` starts as many worlds as fit into the free memory, and
    worlds whose process has grown larger are replaced after their episodes."""

    @property
    def bytes(self) -> int:
        """What a process of worlds may need, in bytes."""
        return self.megabytes * 2**20


NO_LIMITS_GIVEN = WorldLimits()


def affordable(
    worlds: int | Literal["auto"], limits: WorldLimits = NO_LIMITS_GIVEN, a_core: int = 1
) -> int:
    """Return how many worlds to run: for `auto` some a core, as far as free memory allows.

    Args:
        worlds: How many; a number is taken as it is: some worlds need far less than their limit.
        limits: What one may need.
        a_core: For `auto`, so many a core.
    """
    if worlds != "auto":
        return max(1, worlds)
    return max(1, min(a_core * cores(), int(free_memory() * _SHARE / limits.bytes)))


@dataclass(eq=False)
class _Company:
    """The worlds of one process.

    Attributes:
        worlds: Those that are not closed.
        outgrown: The process has grown past its bound: it ends once its worlds are replaced.
    """

    worlds: list[Environment] = field(default_factory=list[Environment])
    outgrown: bool = False


class Pool:
    """Worlds of one kind, lent one at a time; a context manager.

    Args:
        environment: Name of the world in the registry.
        worlds: How many, or `auto`. Each starts when it is first needed, or with `start`.
        limits: When a world is given up.
        a_core: For `auto`, so many worlds a core: more than one where they often wait.
        options: What each is made with.
    """

    def __init__(
        self,
        environment: str,
        worlds: int | Literal["auto"] = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
        a_core: int = 1,
        options: WorldOptions | None = None,
    ) -> None:
        self.size = affordable(worlds, limits, a_core)
        self._environment, self._limits = environment, limits
        self._options = options or {}
        self._processes = min(self.size, cores())
        self._companies: list[_Company] = []
        self._closed = False
        self._lock = Lock()
        # What is idle: a live world, None for one that is not made yet, or why it cannot be made.
        self._idle: queue.LifoQueue[Environment | Exception | None] = queue.LifoQueue()
        for _ in range(self.size):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="world")
        self._starters = ThreadPoolExecutor(self.size, thread_name_prefix="world-start")

    def start(self, worlds: int | None = None) -> None:
        """Start worlds in the background, so that they are ready when they are needed.

        Args:
            worlds: How many of those that are not made yet; None: all.
        """
        idle: list[Environment | Exception | None] = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        unmade = idle.count(None)
        ahead = unmade if worlds is None else min(worlds, unmade)
        for one in [None] * (unmade - ahead) + [one for one in idle if one is not None]:
            self._idle.put(one)
        for _ in range(ahead):
            self._start_another()

    @contextmanager
    def world(self) -> Generator[Environment]:
        """Lend a world; waits until one is free. One that raises is closed and replaced."""
        idle = self._idle.get()
        if idle is None and not self._closed:
            idle = self._made()
        if not isinstance(idle, Environment):
            self._idle.put(None)
            raise idle or EnvironmentFailed("the pool of worlds is closed")
        try:
            if self._closed:
                raise EnvironmentFailed("the pool of worlds is closed")
            yield idle
        except BaseException:
            self._replace(idle)
            raise
        if self._outgrown(idle):
            self._replace(idle)
        else:
            self._idle.put(idle)

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
        with self._lock:
            self._closed = True
            worlds = [world for company in self._companies for world in company.worlds]
        for threads in (self._threads, self._starters):
            threads.shutdown(wait=False, cancel_futures=True)
        for world in worlds:
            world.close()
        self._idle.put(None)  # wakes who waits for a world

    def _made(self) -> Environment | Exception:
        """Make a world; return it, or why it cannot be made."""
        with self._lock:
            if self._closed:
                return EnvironmentFailed("the pool of worlds is closed")
            try:
                world = self._beside_others() or self._on_its_own()
                world.answer_seconds = self._limits.answer_seconds
            except SubgoalError as error:
                return error
            except Exception as error:  # noqa: BLE001 - raised where the world is asked for
                said = f"world '{self._environment}' cannot be made: {raised(error)}"
                return EnvironmentFailed(said)
            return world

    def _beside_others(self) -> Environment | None:
        """Make a world in the smallest company; None where one more process is to be had."""
        open_to_all = [company for company in self._companies if not company.outgrown]
        if len(open_to_all) < self._processes:
            return None
        company = min(open_to_all, key=lambda company: len(company.worlds))
        world = company.worlds[0].beside()
        if world is not None:
            world.withheld = company.worlds[0].withheld
            company.worlds.append(world)
        return world

    def _on_its_own(self) -> Environment:
        world = make(self._environment, **self._options)
        self._companies.append(_Company([world]))
        return world

    def _start_another(self) -> None:
        """Make a world in the background and let it start; then it is idle."""

        def make_and_start() -> None:
            made = self._made()
            try:
                if isinstance(made, Environment):
                    with suppress(EnvironmentFailed):  # its first reset starts it, or says why not
                        made.start()
                    if self._closed:
                        self._discard(made)
            except Exception as error:  # noqa: BLE001 - raised where the world is asked for
                made = error
            self._idle.put(made)

        try:
            self._starters.submit(make_and_start)
        except RuntimeError:  # the pool is closed: no more threads
            self._idle.put(None)

    def _replace(self, world: Environment) -> None:
        """End a world before another one starts: together they might not fit."""
        self._discard(world)
        self._start_another()

    def _discard(self, world: Environment) -> None:
        world.close()
        with self._lock:
            company = self._company(world)
            company.worlds.remove(world)
            if not company.worlds:
                self._companies.remove(company)

    def _company(self, world: Environment) -> _Company:
        return next(company for company in self._companies if world in company.worlds)

    def _outgrown(self, world: Environment) -> bool:
        """Whether the process of a world has grown past its bound; then all in it are replaced."""
        large = bool(world.pid) and used_memory(world.pid) > self._limits.bytes
        with self._lock:
            company = self._company(world)
            company.outgrown |= large
            return company.outgrown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
