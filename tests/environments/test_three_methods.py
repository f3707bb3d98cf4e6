"""Three methods make a world; whoever needs more of it asks for that by name."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from subgoal.agents.base import Agent
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.environments import registry
from subgoal.environments.base import (
    Ability,
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
    has,
)
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.task_table import TaskTable
from subgoal.environments.testing import EnvironmentContract
from subgoal.errors import ConfigInvalid, EnvironmentFailed
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.report.play import play_by_hand
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig

NAME = f"{__name__}:Lamp"
TABLE = TaskTable(NAME, {"light": {"train": (0, 3), "dev": (1,), "test": (2,)}})


class Lamp(Environment):
    """Has a switch that wants to be pressed as often as the task says."""

    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return TABLE.tasks(split, simplifications)

    def reset(self, task: Task) -> Observation:
        TABLE.check(task)
        self.left, self.moves = task.variation + 2, 0
        told = {"description": f"Press {self.left} times."}
        return Observation(task=task.model_copy(update=told))

    def step(self, action: str) -> StepResult:
        if not self.left:
            raise EnvironmentFailed("the lamp is lit: call reset")
        known = action == "press"
        self.left -= known
        self.moves += known
        return StepResult(
            observation=f"{self.left} times more." if known else "What?",
            score=0 if self.left else 100,
            moves=self.moves,
            accepted=known,
            stop_reason=None if self.left else StopReason.SOLVED,
        )


class Dimmed(Lamp):
    """Is another world, and so called otherwise."""


class TestLamp(EnvironmentContract):
    actions: ClassVar[tuple[str, ...]] = ("press",)

    def make(self) -> Environment:
        return Lamp()


def test_a_world_without_a_name_is_called_as_it_is_imported() -> None:
    assert (Lamp.name, Dimmed.name) == (NAME, f"{__name__}:Dimmed")
    assert isinstance(registry.make(NAME), Lamp)


def test_what_a_world_has_is_what_its_class_defines() -> None:
    assert not any(has(Lamp(), ability) for ability in Ability)
    assert all(has(ErrandWorld(), ability) for ability in Ability if ability != Ability.SUBGOALS)
    with pytest.raises(EnvironmentFailed, match="oracle_path"):
        Lamp().oracle_path(TABLE.tasks("dev")[0])


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("no_such_module:World", "no_such_module"),
        (f"{__name__}:Nobody", "Nobody"),
        (f"{__name__}:TestLamp", "environment"),
        ("subgoal:Environment", "reset, step, tasks"),
    ],
)
def test_what_is_no_world_is_refused_in_a_sentence(place: str, named: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"^world '{place}'") as refused:
        registry.make(place)
    assert named in str(refused.value)


def test_a_world_beside_a_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text(Path(__file__).read_text())
    code = "from subgoal.environments.registry import make; print(make('beside:Lamp').name)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "beside:Lamp"


@pytest.mark.parametrize(
    ("agent", "ability"),
    [
        (AgentName.ORACLE, Ability.ORACLE_PATH),
        (AgentName.RANDOM_ACTION, Ability.VALID_ACTIONS),
        (AgentName.SEMI_RANDOM_SUBGOALS, Ability.VALID_ACTIONS),
    ],
)
def test_an_agent_names_what_it_misses(
    agent: AgentName, ability: Ability, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AgentShop, "load", lambda *_: None)
    make: Callable[[Task, Environment], Agent] = AgentShop(tmp_path).factory(agent)
    with pytest.raises(ConfigInvalid, match=NAME) as refused:
        make(TABLE.tasks("dev")[0], Lamp())
    assert ability in str(refused.value)
    assert agent in str(refused.value)


def test_an_evaluation_ends_with_what_an_agent_misses(tmp_path: Path) -> None:
    config = EvaluateConfig(environment=NAME, agents=(AgentName.RANDOM_ACTION,))
    with pytest.raises(ConfigInvalid, match=Ability.VALID_ACTIONS):
        evaluate(config, RunFolder(tmp_path / "run"), worlds=1)


def test_a_student_that_chooses_needs_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AgentShop, "load", lambda *_: None)
    make = AgentShop(tmp_path, decoding=Decoding(choose=True)).factory(AgentName.FLAT)
    with pytest.raises(ConfigInvalid, match=r"valid_actions.*decoding\.choose"):
        make(TABLE.tasks("dev")[0], Lamp())


def test_collecting_needs_an_oracle_or_paths_of_ones_own(tmp_path: Path) -> None:
    config = CollectConfig(environment=NAME)
    with pytest.raises(ConfigInvalid, match=r"oracle_path.*collect\.paths"):
        collect(config, RunFolder(tmp_path / "run"), worlds=1)
    paths = tmp_path / "paths.jsonl"
    line = {"task": "light", "variation": 0, "actions": ["press", "press"]}
    paths.write_text(json.dumps(line) + "\n")
    own = config.model_copy(update={"paths": paths})
    assert collect(own, RunFolder(tmp_path / "run"), worlds=1).solved == 1
    with pytest.raises(ConfigInvalid, match="oracle_path"):
        collect(own.model_copy(update={"fill": True}), RunFolder(tmp_path / "2"), worlds=1)


def test_a_person_plays_without_a_list() -> None:
    lines = iter(["?", "pres", "press", "press", "press"])
    console = Console(record=True, width=100)
    path = play_by_hand(Lamp(), TABLE.tasks("dev")[0], console, lambda: next(lines))
    assert path.stop_reason is StopReason.SOLVED
    assert Ability.VALID_ACTIONS in console.export_text()
