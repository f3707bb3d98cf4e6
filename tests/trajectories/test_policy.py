"""Anybody's policy as an expert."""

import threading
from collections.abc import Callable
from typing import ClassVar

import pytest

import subgoal
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import WorldLimits
from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect, failures
from subgoal.trajectories.config import CollectConfig
from subgoal.trajectories.storage import journal

MODULE = '''
from subgoal.environments.errand import ErrandWorld

class Follows:
    """Knows what the world's oracle would do."""

    def reset(self, task):
        with ErrandWorld() as world:
            self.left = list(world.oracle_path(task))

    def act(self, now):
        return self.left.pop(0)

def by_the_book(now):
    with ErrandWorld() as world:
        return world.oracle_path(now.task)[len(now.history)]

def waits(now):
    return "wait"

nothing = 3
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_policies.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(source, **keys):
    return CollectConfig(environment="errand", per_type=2, source=source, **keys)


@pytest.mark.parametrize("name", ["Follows", "by_the_book"])
def test_a_class_and_a_function_make_the_paths_that_they_walk(mine, name):
    folder, oracle = RunFolder(mine / "run"), RunFolder(mine / "oracle")
    summary = collect(asked(f"my_policies:{name}"), folder, worlds=3)
    collect(asked("engine"), oracle)
    assert summary.solved == summary.paths == 6
    walked = {path.key: path for path in journal(folder)}
    for path in journal(oracle):
        assert walked[path.key].steps == path.steps
        assert walked[path.key].source == f"my_policies:{name}"


def test_a_path_that_does_not_solve_its_task_is_kept_and_marked(mine):
    folder = RunFolder(mine / "run")
    summary = collect(asked("my_policies:waits", max_moves=7), folder)
    assert (summary.paths, summary.solved) == (6, 0)
    assert {path.stop_reason for path in journal(folder)} == {StopReason.STEP_LIMIT}


class Fragile:
    """Fails in the tasks of one type, each time in another way."""

    fault: ClassVar[list[Callable[[], object]]] = []

    def reset(self, task):
        with ErrandWorld() as world:
            self.path, self.bad = world.oracle_path(task), task.name == "fetch"

    def act(self, now):
        if self.bad and len(now.history) == 1:
            return Fragile.fault[0]()
        return self.path[len(now.history)]


def hangs():
    threading.Event().wait()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: exit(3), "SystemExit"),
        (lambda: None, "None"),
        (lambda: " ", "' '"),
        (lambda: "look " * 9000, "look"),
        (lambda: 7, "7"),
        (hangs, "limits.answer_seconds"),
    ],
)
def test_what_fails_costs_its_episode_and_is_named(tmp_path, monkeypatch, fault, said):
    monkeypatch.setattr(Fragile, "fault", [fault])
    run = subgoal.Run(tmp_path / "run", {"world": {"environment": "errand"}})
    limits = WorldLimits(answer_seconds=0.3)
    summary = run.collect(policy=Fragile, per_type=2, worlds=1, limits=limits)
    assert (summary.paths, summary.solved) == (4, 4)
    reasons = [failure.reason for failure in failures(run.folder)]
    assert len(reasons) == 2
    assert all(said in reason and "action 2" in reason for reason in reasons)
    assert "2 could not be had" in str(summary)


def test_a_situation_is_the_text_so_far_and_knows_the_valid_actions(tmp_path):
    told = []

    def looks(now):
        told.append(now)
        assert "wait" in now.valid_actions
        return "wait"

    run = subgoal.Run(tmp_path / "run", {"world": {"environment": "errand"}})
    run.collect(policy=looks, per_type=1, types=["fetch"], max_moves=11, worlds=1)
    first, second = told
    assert str(first) == f"{first.task.description}\n{first.look}"
    assert str(second) == f"{first.task.description}\n> wait\n{second.observation}"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("my_policies:nothing", "my_policies:nothing"),
        ("my_policies:missing", "missing"),
        ("no_such_module:policy", "no_such_module"),
    ],
)
def test_what_is_no_policy_is_refused(mine, source, named):
    with pytest.raises(ConfigInvalid, match=named):
        collect(asked(source), RunFolder(mine / "run"))


def test_an_unknown_source_is_refused_by_name():
    with pytest.raises(ValueError, match="engine"):
        asked("engin")
