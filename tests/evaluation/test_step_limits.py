"""The limits of protocols without limits of their own: from oracle paths, each asked for once."""

from collections import Counter
from pathlib import Path

import pytest
from typing_extensions import override

from subgoal.environments.base import Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.registry import WorldOptions
from subgoal.errors import EnvironmentFailed
from subgoal.evaluation.protocol import STEPS_WITHOUT_ORACLE, protocol
from subgoal.evaluation.step_limits import FILE, ORACLE_PATHS, StepLimits
from subgoal.pipeline import Run
from subgoal.storage.run_folder import RunFolder


class CountingErrand(ErrandWorld):
    """Counts how often its oracle is asked."""

    asked: Counter[str] = Counter()

    @override
    def oracle_path(self, task: Task) -> tuple[str, ...]:
        self.asked[task.name] += 1
        return tuple(super().oracle_path(task))


class Unsolved(ErrandWorld):
    """A world whose oracle solves nothing."""

    @override
    def oracle_path(self, task: Task) -> tuple[str, ...]:
        raise EnvironmentFailed(f"no path for {task.key}")


@pytest.fixture(autouse=True)
def asked() -> Counter[str]:
    CountingErrand.asked.clear()
    return CountingErrand.asked


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A run in errand, whose oracle is counted."""
    monkeypatch.setattr("subgoal.environments.errand.ErrandWorld", CountingErrand)
    agents = {"agents": ["random_action"], "per_type": 1}
    world = {"environment": "errand", "types": ["fetch"]}
    return Run(tmp_path, {"world": world, "evaluate": agents})


def test_limits_follow_from_the_first_oracle_paths() -> None:
    with ErrandWorld() as world:
        rules = protocol("test", "errand")
        tasks = rules.select(world.tasks(rules.split), ("fetch",))
        train = [task for task in world.tasks("train") if task.name == "fetch"][:ORACLE_PATHS]
        longest = max(len(world.oracle_path(task)) for task in train)
        found = StepLimits().filled(rules, tasks, world)
        assert found.is_like(StepLimits().filled(rules, tasks[:1], world))
        fixed = rules.model_copy(update={"step_limit": 7})
        assert StepLimits().filled(fixed, tasks, world) == fixed
    assert found.type_step_limits == {"fetch": max(-(-3 * longest // 2), longest + 10)}
    assert found.steps_for("fetch") == found.type_step_limits["fetch"]
    assert len(tasks) == rules.per_type
    assert not found.is_like(found.model_copy(update={"type_step_limits": {"fetch": 1}}))


def test_a_type_without_oracle_paths_has_a_limit_too() -> None:
    with Unsolved() as world:
        found = StepLimits().filled(protocol("dev", "errand"), world.tasks("dev")[:1], world)
    assert set(found.type_step_limits.values()) == {STEPS_WITHOUT_ORACLE}


def test_a_run_asks_for_paths_once(counted: Run, asked: Counter[str]) -> None:
    counted.evaluate(worlds=1)
    assert asked == {"fetch": ORACLE_PATHS}
    counted.evaluate(worlds=1, protocol="test")
    Run(counted.folder.path).evaluate(worlds=1, protocol="dev")
    assert asked == {"fetch": ORACLE_PATHS}
    counted.evaluate(worlds=1, restart=True)
    assert asked == {"fetch": 2 * ORACLE_PATHS}  # the world may be another one since


def test_recorded_paths_need_not_be_asked_for(counted: Run, asked: Counter[str]) -> None:
    counted.collect(worlds=1, per_type=100)
    asked.clear()
    counted.evaluate(worlds=1)
    assert not asked


def test_options_and_what_cannot_be_read(tmp_path: Path, asked: Counter[str]) -> None:
    (tmp_path / FILE).write_text('{"errand": -1')
    choices: list[WorldOptions] = [{}, {"valid_actions": False}]
    with CountingErrand() as world:
        rules, tasks = protocol("dev", "errand"), world.tasks("dev")[:1]
        for options in choices:
            for _ in range(2):
                StepLimits(RunFolder(tmp_path)).filled(rules, tasks, world, options)
        assert asked.total() == 2 * ORACLE_PATHS
        remembers = StepLimits()
        for _ in range(2):
            remembers.filled(rules, tasks, world)
        assert asked.total() == 3 * ORACLE_PATHS
