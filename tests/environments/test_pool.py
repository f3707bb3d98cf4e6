"""The pool: every item is worked on, worlds are shared and bounded, broken ones are replaced."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from subgoal.environments import pool as pool_module
from subgoal.environments import registry
from subgoal.environments.base import Environment, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool, WorldLimits, affordable
from subgoal.errors import EnvironmentFailed


def _solve(world: Environment, task: Task) -> tuple[str, int]:
    path = world.oracle_path(task)
    world.reset(task)
    return task.key, [world.step(action).score for action in path][-1]


def _die(world: Environment, task: Task) -> None:
    raise EnvironmentFailed(f"it died in {task.key}")


@pytest.mark.parametrize("worlds", [1, 3])
def test_every_item_is_worked_on_once(worlds: int) -> None:
    tasks = ErrandWorld().tasks("dev")
    with Pool("errand", worlds) as pool:
        results = list(pool.map(_solve, tasks))
    assert sorted(results) == sorted((task.key, 100) for task in tasks)


def test_items_are_fetched_as_they_are_needed() -> None:
    fetched: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            fetched.append(number)
            yield number

    def twice(_: Environment, number: int) -> int:
        return 2 * number

    with Pool("errand", 2) as pool:
        results = pool.map(twice, items())
        next(results)
        assert len(fetched) <= 2 * pool.size
        assert len(list(results)) == 999


def test_no_more_worlds_than_asked_for_are_made() -> None:
    seen: set[int] = set()
    together = threading.Barrier(2, timeout=10)

    def note(world: Environment, first: bool) -> None:
        seen.add(id(world))
        if first:
            together.wait()  # two worlds are lent at once

    with Pool("errand", 2) as pool:
        list(pool.map(note, [True, True] + [False] * 30))
    assert len(seen) == 2


def test_a_world_that_fails_is_closed_and_replaced() -> None:
    with Pool("errand", 1) as pool:
        with pool.world() as first:
            task = first.tasks("train")[0]
            first.reset(task)
        assert list(pool.map(lambda world, _: world is first, [0])) == [True]
        with pytest.raises(EnvironmentFailed, match="it died"):
            list(pool.map(_die, [task]))
        with pytest.raises(EnvironmentFailed, match="closed"):
            first.reset(task)
        with pool.world() as second:
            assert second.reset(task).look


def test_a_world_that_cannot_be_made_does_not_use_up_a_place() -> None:
    with Pool("erand", 1) as pool:
        for _ in range(3):
            with pytest.raises(Exception, match="did you mean 'errand'"), pool.world():
                pass


def test_a_world_that_cannot_be_started_ahead_says_so_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(self: Environment) -> None:
        raise OSError("no room")

    monkeypatch.setattr(ErrandWorld, "start", start)
    with Pool("errand", 1) as pool:
        pool.start(1)
        with pytest.raises(OSError, match="no room"), pool.world():
            pass


def test_lent_worlds_step_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=10)

    def step(world: Environment) -> str:
        together.wait()
        return world.step("look around").observation

    with Pool("errand", 2) as pool, pool.world() as first, pool.world() as second:
        tasks = first.tasks("train")
        looks = [first.reset(tasks[0]).look, second.reset(tasks[1]).look]
        futures = [pool.submit(lambda world=world: step(world)) for world in (first, second)]
        assert [future.result(timeout=10) for future in futures] == looks


class _Counted(ErrandWorld):
    """Counts how often it was made and started; stands for the process `of`."""

    made: list["_Counted"] = []
    of: int | None = None

    def __init__(self) -> None:
        super().__init__()
        _Counted.made.append(self)
        self.started = threading.Event()

    @property
    def pid(self) -> int | None:
        return _Counted.of

    def start(self) -> None:
        self.started.set()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[_Counted]:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Counted", ""))
    _Counted.made, _Counted.of = [], None
    return _Counted


def test_worlds_start_ahead_of_their_use_and_no_more_than_asked_for(
    counted: type[_Counted],
) -> None:
    with Pool("errand", 3) as pool:
        assert not counted.made
        pool.start(2)
        while len(counted.made) < 2:
            threading.Event().wait(0.01)
        assert all(world.started.wait(10) for world in counted.made)
        with pool.world() as first, pool.world() as second:
            assert {first, second} == set(counted.made)
            with pool.world():  # the third is made when it is needed
                assert len(counted.made) == 3
        pool.start()
        with pool.world() as again:
            assert again in counted.made
        assert len(counted.made) == 3


def test_a_world_that_failed_is_replaced_in_the_background(counted: type[_Counted]) -> None:
    with Pool("errand", 1) as pool:
        with pytest.raises(EnvironmentFailed), pool.world():
            raise EnvironmentFailed("it died")
        while len(counted.made) < 2:
            threading.Event().wait(0.01)
        assert counted.made[1].started.wait(10)
        with pool.world() as world:
            assert world is counted.made[1]


def test_a_world_that_has_grown_is_replaced_after_its_episode(counted: type[_Counted]) -> None:
    counted.of = os.getpid()
    task = ErrandWorld().tasks("train")[0]
    for megabytes, made in ((1, 3), (10**6, 1)):
        counted.made = []
        with Pool("errand", 1, WorldLimits(megabytes=megabytes)) as pool:
            for _ in range(3):
                with pool.world() as world:
                    world.reset(task)  # it is alive for the whole episode
        assert len(counted.made) in {made, made + 1}  # the last one's successor may have begun


class _Sociable(_Counted):
    """Shares a process, which a number stands for."""

    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self.process = len(_Counted.made) if process is None else process

    def beside(self) -> "_Sociable":
        return _Sociable(self.process)


@pytest.fixture
def sociable(counted: type[_Counted], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and worlds that share processes."""
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Sociable", ""))
    monkeypatch.setattr(pool_module, "cores", lambda: 2)


def _processes(pool: Pool, worlds: int) -> list[int]:
    """Return the processes of so many worlds, all lent at once, in order."""
    with ExitStack() as lent:
        return sorted(
            world.process
            for world in (lent.enter_context(pool.world()) for _ in range(worlds))
            if isinstance(world, _Sociable)
        )


@pytest.mark.usefixtures("sociable")
def test_worlds_that_can_share_a_process_are_spread_over_one_a_core() -> None:
    with Pool("errand", 5) as pool:
        assert _processes(pool, 5) == [1, 1, 1, 2, 2]
    with Pool("errand", 1) as pool:
        assert len(_processes(pool, 1)) == 1


@pytest.mark.usefixtures("sociable")
def test_a_world_that_failed_is_replaced_in_the_smallest_company() -> None:
    with Pool("errand", 4) as pool:
        assert _processes(pool, 4) == [1, 1, 2, 2]
        with pytest.raises(EnvironmentFailed), pool.world():
            raise EnvironmentFailed("it died")
        assert _processes(pool, 4) == [1, 1, 2, 2]


@pytest.mark.usefixtures("sociable")
def test_all_worlds_of_a_process_that_has_grown_are_replaced(counted: type[_Counted]) -> None:
    with Pool("errand", 4, WorldLimits(megabytes=1)) as pool:
        assert _processes(pool, 4) == [1, 1, 2, 2]
        counted.of = os.getpid()
        assert _processes(pool, 4) == [1, 1, 2, 2]  # lent while they grow; then replaced
        counted.of = None
        after = _processes(pool, 4)
    assert not {1, 2} & set(after)
    assert len(set(after)) == 2


def test_the_limit_for_an_answer_reaches_the_world() -> None:
    with Pool("errand", 1, WorldLimits(answer_seconds=7)) as pool, pool.world() as world:
        assert world.answer_seconds == 7


def test_a_closed_pool_closes_its_worlds_and_lends_none() -> None:
    with Pool("errand", 2) as pool, pool.world() as world:
        task = world.tasks("train")[0]
    with pytest.raises(EnvironmentFailed, match="closed"):
        world.reset(task)
    with pytest.raises(EnvironmentFailed, match="pool of worlds is closed"), pool.world():
        pass


def test_auto_is_bounded_by_cores_and_by_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def on(cores: int, gigabytes: float) -> int:
        monkeypatch.setattr(pool_module, "cores", lambda: cores)
        monkeypatch.setattr(pool_module, "free_memory", lambda: int(gigabytes * 2**30))
        return affordable("auto")

    assert on(cores=2, gigabytes=64) == 2
    assert on(cores=64, gigabytes=8) == 13
    assert on(cores=64, gigabytes=0.1) == 1
    assert affordable(5) == 5


class Fixed(ErrandWorld):
    """A world whose time to answer cannot be set."""

    answer_seconds = property(lambda _: 1.0)  # pyright: ignore


@pytest.mark.parametrize("ahead", [True, False])
def test_a_world_that_cannot_be_set_up_is_named(
    monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Fixed", ""))
    with Pool("errand", 1) as pool:
        if ahead:
            pool.start()
        with pytest.raises(EnvironmentFailed, match="answer_seconds"):
            list(pool.map(_solve, ErrandWorld().tasks("dev")[:1]))
