"""A world in the program's own process that never answers costs an episode, and is named."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from subgoal.environments import registry
from subgoal.environments.base import StepResult, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import WorldLimits
from subgoal.errors import EnvironmentFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig
from subgoal.trajectories.replay import replay

TASKS = ErrandWorld().tasks("test")


def waits() -> None:
    while True:
        pass


def retries() -> None:
    while True:
        try:
            waits()
        except Exception:  # noqa: BLE001
            continue


def insists() -> None:
    with suppress(BaseException):
        waits()


class Stuck(ErrandWorld):
    """Hangs at the third move of one task."""

    hang = staticmethod(waits)

    def reset(self, task: Task) -> object:  # type: ignore[override]
        self._stuck = task.key == TASKS[0].key
        return super().reset(task)

    def step(self, action: str) -> StepResult:
        result = super().step(action)
        if self._stuck and result.moves == 3:
            type(self).hang()
        return result


@pytest.fixture(params=[waits, retries], ids=lambda hang: hang.__name__)
def stuck(request: pytest.FixtureRequest) -> Iterator[Stuck]:
    world = type("Loops", (Stuck,), {"hang": staticmethod(request.param), "answer_seconds": 0.5})()
    with world:
        yield world


def test_a_loop_is_ended_and_named_with_its_task(stuck: Stuck) -> None:
    actions = stuck.oracle_path(TASKS[0])
    with pytest.raises(EnvironmentFailed, match=r"^world 'errand': step\(") as failure:
        replay(stuck, TASKS[0], actions, "file")
    assert TASKS[0].key in str(failure.value)
    stuck.reset(TASKS[1])
    assert stuck.step("look around").accepted


class Unborn(ErrandWorld):
    """Is never made."""

    name = f"{__name__}:Unborn"
    answer_seconds = 0.05

    def __init__(self) -> None:
        waits()


def test_a_world_that_is_never_made_is_named() -> None:
    with pytest.raises(EnvironmentFailed, match="Unborn' was not made"):
        registry.make(Unborn.name)


def test_a_world_that_answers_all_the_same_goes_on() -> None:
    world = type("Insists", (Stuck,), {"hang": staticmethod(insists), "answer_seconds": 0.5})()
    actions = world.oracle_path(TASKS[0])
    assert replay(world, TASKS[0], actions, "file").final_score == 100


def test_collecting_names_the_path_that_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Stuck", ""))
    config = CollectConfig(environment="errand", split="test", types=("fetch",), per_type=50)
    limits = WorldLimits(answer_seconds=1)
    summary = collect(config, RunFolder(tmp_path / "run"), worlds=2, limits=limits)
    assert (summary.paths, summary.solved) == (49, 49)
    ((key, reason),) = summary.failed.items()
    assert key == TASKS[0].key
    assert key in reason


BLOCKED = """
from threading import Event
from subgoal.environments.errand import ErrandWorld

class Blocked(ErrandWorld):
    name = "blocked:Blocked"

    def step(self, action):
        Event().wait()
"""
"""Waits in code that Python does not interrupt."""


def test_a_command_ends_where_nothing_can_be_interrupted(tmp_path: Path) -> None:
    (tmp_path / "blocked.py").write_text(BLOCKED)
    words = ["collect", "--world.environment", "blocked:Blocked", "--limits.answer-seconds", "0.3"]
    words += ["--collect.per-type", "1", "--world.types", "fetch", "--run", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "subgoal", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "blocked:Blocked/fetch/" in done.stderr
