"""What goes wrong in a real world in mid-episode: the episode is played again, and it is told."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Semaphore

import pytest
from typing_extensions import override

from subgoal.agents.base import Action, Agent, Surroundings, Turn
from subgoal.environments import pool as pool_module
from subgoal.environments.base import Environment, Observation, StopReason, Task
from subgoal.environments.pool import Pool, WorldLimits
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout

TASK = Task(environment="scienceworld", name="find-non-living-thing", variation=0, split="train")


def _wait_until_it_is_out(pid: int) -> None:
    """A signal takes a moment to reach a thread on another core, which may answer before."""
    out = {"T", "Z", "X"}
    for _ in range(200):
        with suppress(OSError):  # a thread has ended meanwhile
            threads = Path(f"/proc/{pid}/task").glob("*/stat")
            if {thread.read_text().rpartition(") ")[2][0] for thread in threads} <= out:
                return
        time.sleep(0.01)


class _Meeting:
    """Where a bystander says that it is there, and a saboteur that it has sent its signal."""

    def __init__(self, bystanders: int = 0) -> None:
        self.there, self.sent = Semaphore(bystanders), Semaphore(0)


class _Saboteur(Agent):
    """Looks around; at its third step it sends a signal to the world's process."""

    def __init__(self, send: signal.Signals | None, meeting: "_Meeting | None" = None) -> None:
        self._send, self._meeting = send, meeting or _Meeting(bystanders=9)
        self._steps = 0

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        assert isinstance(world, Environment)
        self._world = world

    @override
    def act(self) -> Turn:
        self._steps += 1
        if self._steps == 3 and self._send is not None:
            assert self._world.pid is not None
            assert self._meeting.there.acquire(timeout=240)
            os.kill(self._world.pid, self._send)
            _wait_until_it_is_out(self._world.pid)
            self._meeting.sent.release()
        return Action(text="look around")
        yield


def _played(pool: Pool, send: Callable[[int], signal.Signals | None]) -> Episode:
    tries: list[int] = []

    def make(_: Task, __: Environment) -> Agent:
        tries.append(1)
        return _Saboteur(send(len(tries)))

    rules = protocol("test", "errand").model_copy(update={"step_limit": 5})
    (episode,) = rollout([TASK], make, "saboteur", rules, pool)
    return episode.model_copy(update={"seconds": 0.0})


def test_an_episode_whose_java_process_is_killed_is_played_again_from_its_beginning() -> None:
    with Pool("scienceworld", 1) as pool:
        undisturbed = _played(pool, lambda _: None)
        killed = _played(pool, lambda number: signal.SIGKILL if number == 1 else None)
    assert (undisturbed.stop_reason, undisturbed.broke_off) == (StopReason.STEP_LIMIT, "")
    assert killed.broke_off.startswith("the Java process of ScienceWorld died (killed by SIGKILL)")
    assert killed.model_copy(update={"broke_off": ""}) == undisturbed


class _Bystander(Agent):
    """Looks around; its third step comes after the saboteur's."""

    def __init__(self, meeting: _Meeting) -> None:
        self._meeting = meeting
        self._steps = 0

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        return

    @override
    def act(self) -> Turn:
        self._steps += 1
        if self._steps == 3:
            self._meeting.there.release()
            assert self._meeting.sent.acquire(timeout=240)
            time.sleep(0.5)  # until the saboteur asks its world
        return Action(text="look around")
        yield


def test_an_episode_beside_one_that_takes_their_process_down_is_played_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "cores", lambda: 1)
    beside = TASK.model_copy(update={"variation": 1})
    rules = protocol("test", "errand").model_copy(update={"step_limit": 5})
    tries: list[int] = []
    meeting = _Meeting()

    def make(task: Task, _: Environment) -> Agent:
        tries.append(task.variation)
        if task.variation == TASK.variation:
            return _Saboteur(signal.SIGSTOP, meeting)
        if tries.count(1) == 3:
            meeting.sent.release()  # nothing happens any more
        return _Bystander(meeting)

    with Pool("scienceworld", 2, WorldLimits(answer_seconds=10)) as pool:
        episodes = rollout([TASK, beside], make, "both", rules, pool)
        saboteur, bystander = sorted(episodes, key=lambda episode: episode.task.variation)
    assert sorted(tries) == [0, 0, 1, 1, 1]
    assert saboteur.stop_reason is StopReason.ENVIRONMENT_ERROR
    assert bystander.stop_reason is StopReason.STEP_LIMIT
    assert len(bystander.steps) == 5
    assert "under another world" in bystander.broke_off


def test_a_world_that_hangs_is_given_up_twice_and_then_named() -> None:
    with Pool("scienceworld", 1, WorldLimits(answer_seconds=10)) as pool:
        hung = _played(pool, lambda _: signal.SIGSTOP)
    assert hung.stop_reason is StopReason.ENVIRONMENT_ERROR
    assert len(hung.steps) == 2
    assert "did not answer within 10 seconds" in hung.error
    assert "did not answer within 10 seconds" in hung.broke_off
