"""The ScienceWorld adapter when its Java process is killed or hangs, and its memory."""

import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from subgoal.agents.grounding import numbered
from subgoal.environments.base import Task
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import EnvironmentFailed
from subgoal.trajectories.storage import shipped_paths

QUICK = Task(environment="scienceworld", name="find-non-living-thing", variation=0, split="train")
SLOW = Task(
    environment="scienceworld", name="mendelian-genetics-known-plant", variation=0, split="train"
)


@pytest.fixture(scope="module")
def world() -> Iterator[ScienceWorld]:
    with ScienceWorld() as world:
        yield world


def process(world: ScienceWorld) -> psutil.Process:
    assert world.pid is not None
    return psutil.Process(world.pid)


def test_a_killed_java_process_is_named_and_the_world_can_be_reset(world: ScienceWorld) -> None:
    opening = world.reset(QUICK)
    answer = world.step("open door")
    killed = process(world)
    killed.kill()
    with pytest.raises(EnvironmentFailed) as failure:
        world.step("look around")
    assert str(failure.value) == (
        "the Java process of ScienceWorld died (killed by SIGKILL); the next reset starts another"
    )
    with pytest.raises(EnvironmentFailed, match="has ended; the next reset starts another"):
        world.step("look around")
    assert world.pid is None
    assert world.reset(QUICK) == opening
    assert world.step("open door") == answer
    assert process(world) != killed


def test_a_java_process_that_was_killed_between_episodes_is_replaced(world: ScienceWorld) -> None:
    opening = world.reset(QUICK)
    killed = process(world)
    killed.kill()
    killed.wait()  # a child of this process, which is reaped here or by the world
    assert world.pid is None
    assert world.reset(QUICK) == opening


@pytest.mark.parametrize(
    "refused", ["xyzzy", "", " ", "\n", "pick up", "go to nowhere", "0", "open-door", "\ud83d"]
)
def test_what_the_engine_does_not_know_is_not_accepted(world: ScienceWorld, refused: str) -> None:
    world.reset(QUICK)
    result = world.step(refused)
    assert (result.accepted, result.moves) == (False, 0)
    assert world.step("look around").accepted


@pytest.mark.parametrize("answer", ["wait1", "77", "-1", " ", "xyzzy"])
def test_an_answer_that_the_engine_did_not_ask_for_is_not_accepted(
    world: ScienceWorld, answer: str
) -> None:
    world.reset(QUICK)
    asked = world.step("open door")
    assert asked.accepted
    assert numbered(asked.observation, world.language)
    result = world.step(answer)
    assert not result.accepted
    assert result.observation.startswith("Unknown action.")
    assert world.step("look around").accepted  # its question is forgotten
    world.step("open door")
    assert world.step("0").accepted


def test_a_kill_in_the_middle_of_an_oracle_path_is_named(world: ScienceWorld) -> None:
    world.reset(QUICK)
    killer = threading.Timer(0.5, process(world).kill)
    killer.start()
    with pytest.raises(EnvironmentFailed, match=r"ScienceWorld died \(killed by SIGKILL\)"):
        world.oracle_path(SLOW)  # takes ten seconds and more
    killer.join()
    assert world.oracle_path(QUICK)


def test_a_world_that_hangs_does_not_block_for_ever(
    world: ScienceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.reset(QUICK)
    stopped = process(world)
    monkeypatch.setattr(world, "answer_seconds", 0.3)
    os.kill(stopped.pid, signal.SIGSTOP)
    while stopped.status() != psutil.STATUS_STOPPED:  # its other threads run until one has heard
        time.sleep(0.01)
    with pytest.raises(EnvironmentFailed) as failure:
        world.step("look around")
    assert str(failure.value) == (
        "the Java process of ScienceWorld did not answer within 0.3 seconds; "
        "the next reset starts another"
    )
    assert not stopped.is_running()
    monkeypatch.undo()
    assert world.reset(QUICK).look


@contextmanager
def peak_memory(watched: psutil.Process) -> Generator[list[int]]:
    """Yield a list that holds the most resident bytes of the process when the block has ended."""
    ended, peak = threading.Event(), [0]

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            while not ended.wait(0.02):
                peak[0] = max(peak[0], watched.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_a_world_stays_within_its_memory_over_loads_of_all_types_play_and_oracle_paths() -> None:
    paths = {path.task: path for path in shipped_paths("scienceworld").values()}
    with ScienceWorld() as world:
        tasks = {task.key: task for task in world.tasks("train")}
        chosen = [tasks[f"scienceworld/{name}/{paths[name].variation}"] for name in VARIATIONS]
        assert len(chosen) == 30
        world.reset(chosen[0])
        peaks: dict[str, float] = {}
        with peak_memory(process(world)) as peak:
            for task in chosen:
                world.reset(task)
            peaks["loads"] = peak[0] / 1e6
            for task in chosen:
                world.reset(task)
                world.valid_actions()
                for action in paths[task.name].actions:
                    if world.step(action).stop_reason is not None:
                        break
                    world.look()
            peaks["play"] = peak[0] / 1e6
            for task in chosen:
                assert world.oracle_path(task)
            peaks["oracle paths"] = peak[0] / 1e6
    print(f"the most MB that were resident up to the end of each part: {peaks}")  # noqa: T201
    assert peaks["loads"] > 100
    assert peaks["oracle paths"] <= 500
