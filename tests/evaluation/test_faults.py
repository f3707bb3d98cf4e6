"""What goes wrong in a real world in mid-episode: the episode is played again, and it is told."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from subgoal.agents.agent import Action, Agent, Turn
from subgoal.environments.environment import Environment, Observation, StopReason, Task
from subgoal.environments.pool import Pool, WorldLimits
from subgoal.environments.protocol import protocol
from subgoal.evaluation.episode import Episode
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


class _Saboteur(Agent):
    """Looks around; at its third step it sends a signal to the world's process."""

    def __init__(self, send: signal.Signals | None) -> None:
        self._send = send
        self._steps = 0

    @override
    def begin(self, opening: Observation, world: Environment) -> None:
        self._world = world

    @override
    def act(self) -> Turn:
        self._steps += 1
        if self._steps == 3 and self._send is not None:
            assert self._world.pid is not None
            os.kill(self._world.pid, self._send)
            _wait_until_it_is_out(self._world.pid)
        return Action(text="look around")
        yield


def _played(pool: Pool, send: Callable[[int], signal.Signals | None]) -> Episode:
    tries: list[int] = []

    def make(_: Task, __: Environment) -> Agent:
        tries.append(1)
        return _Saboteur(send(len(tries)))

    rules = protocol("plain").model_copy(update={"step_limit": 5})
    (episode,) = rollout([TASK], make, "saboteur", rules, pool)
    return episode.model_copy(update={"seconds": 0.0})


def test_an_episode_whose_java_process_is_killed_is_played_again_from_its_beginning() -> None:
    with Pool("scienceworld", 1) as pool:
        undisturbed = _played(pool, lambda _: None)
        killed = _played(pool, lambda number: signal.SIGKILL if number == 1 else None)
    assert (undisturbed.stop_reason, undisturbed.broke_off) == (StopReason.STEP_LIMIT, "")
    assert killed.broke_off.startswith("the Java process of ScienceWorld died (killed by SIGKILL)")
    assert killed.model_copy(update={"broke_off": ""}) == undisturbed


def test_a_world_that_hangs_is_given_up_twice_and_then_named() -> None:
    with Pool("scienceworld", 1, WorldLimits(answer_seconds=3)) as pool:
        hung = _played(pool, lambda _: signal.SIGSTOP)
    assert hung.stop_reason is StopReason.ENVIRONMENT_ERROR
    assert len(hung.steps) == 2
    assert "did not answer within 3 seconds" in hung.error
    assert "did not answer within 3 seconds" in hung.broke_off
