"""ALFWorld through the contract, on games that are written here in its own engine."""

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest
from typing_extensions import override

from subgoal.environments.alfworld.data import TASK_TYPES, games
from subgoal.environments.alfworld.world import AlfWorld
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.registry import make
from subgoal.environments.testing import EnvironmentContract
from subgoal.errors import EnvironmentFailed

pytestmark = pytest.mark.skipif(find_spec("alfworld") is None, reason="needs alfworld")

PLACE, COOL, LIGHT = TASK_TYPES[0], TASK_TYPES[4], TASK_TYPES[1]
IN_FRIDGE = "(exists (?r - receptacle ?o - object) (and (inReceptacle ?o ?r)"
IN_LIGHT = "(exists (?a - agent ?o - object ?t - object) (and (holds ?a ?o) (isToggled ?t)"
GOALS = {
    PLACE: (
        "put some apple on countertop.",
        f"{IN_FRIDGE} (objectType ?o AppleType) (receptacleType ?r CounterTopType)))",
    ),
    COOL: (
        "put a cool apple in countertop.",
        f"{IN_FRIDGE} (isCool ?o) (objectType ?o AppleType) (receptacleType ?r CounterTopType)))",
    ),
    LIGHT: (
        "look at apple under the desklamp.",
        f"{IN_LIGHT} (objectType ?o AppleType) (objectType ?t DeskLampType)))",
    ),
}
"""By task type, what the agent is told and what is so in the end."""
ROOM = """
(define (problem tiny) (:domain alfred) (:objects
  agent1 - agent
  loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 - location
  Fridge_bar_1 CounterTop_bar_1 SideTable_bar_1 - receptacle
  Apple_bar_1 DeskLamp_bar_1 Bread_bar_1 - object
  SinkBasinType MicrowaveType FridgeType CounterTopType SideTableType - rtype
  AppleType DeskLampType BreadType KnifeType ButterKnifeType - otype)
(:init (= (total-cost) 0)
  (atLocation agent1 loc_bar_0)
  (receptacleAtLocation Fridge_bar_1 loc_bar_1) (receptacleType Fridge_bar_1 FridgeType)
  (receptacleAtLocation CounterTop_bar_1 loc_bar_2)
  (receptacleType CounterTop_bar_1 CounterTopType)
  (receptacleAtLocation SideTable_bar_1 loc_bar_3) (receptacleType SideTable_bar_1 SideTableType)
  (openable Fridge_bar_1)
  (objectType Apple_bar_1 AppleType) (pickupable Apple_bar_1) (coolable Apple_bar_1)
  (inReceptacle Apple_bar_1 Fridge_bar_1) (objectAtLocation Apple_bar_1 loc_bar_1)
  (objectType Bread_bar_1 BreadType) (pickupable Bread_bar_1)
  (inReceptacle Bread_bar_1 CounterTop_bar_1) (objectAtLocation Bread_bar_1 loc_bar_2)
  (objectType DeskLamp_bar_1 DeskLampType) (toggleable DeskLamp_bar_1)
  (inReceptacle DeskLamp_bar_1 SideTable_bar_1) (objectAtLocation DeskLamp_bar_1 loc_bar_3)
  (canContain CounterTopType AppleType) (canContain FridgeType AppleType)
  (canContain CounterTopType BreadType))
(:goal (and GOAL)) (:metric minimize (total-cost)))
"""


def write(folder: Path, name: str, **changes: object) -> None:
    """Write a game as `alfworld-generate` does."""
    info = import_module("alfworld.info")
    told, goal = GOALS[name]
    game = {
        "pddl_domain": Path(info.ALFRED_PDDL_PATH).read_text(encoding="utf-8"),
        "grammar": Path(info.ALFRED_TWL2_PATH)
        .read_text(encoding="utf-8")
        .replace("UNKNOWN GOAL.", told),
        "pddl_problem": ROOM.replace("GOAL", goal),
        "solvable": True,
        "walkthrough": None,
        **changes,
    }
    folder.mkdir(parents=True)
    (folder / "game.tw-pddl").write_text(json.dumps(game), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("alfworld")
    for split in ("train", "valid_seen", "valid_unseen"):
        for name in GOALS:
            write(base / "json_2.1.1" / split / f"{name}-Apple-None-Fridge-1" / "trial_1", name)
    return base


class TestAlfWorld(EnvironmentContract):
    data: ClassVar[str] = ""

    @pytest.fixture(autouse=True, scope="class")
    def found(self, data: Path) -> None:
        type(self).data = str(data)

    @override
    def make(self) -> Environment:
        return AlfWorld(self.data)


@pytest.fixture
def world(data: Path) -> AlfWorld:
    return AlfWorld(str(data))


def task(world: AlfWorld, name: str, split: str = "train") -> Task:
    return next(one for one in world.tasks(split) if one.name == name)


@pytest.mark.parametrize("name", GOALS)
def test_the_planner_solves_each_goal_and_the_task_tells_it(world: AlfWorld, name: str) -> None:
    arguments = list(sys.argv)
    path = world.oracle_path(task(world, name))
    opening = world.reset(task(world, name))
    assert opening.task.description == f"Your task is to: {GOALS[name][0]}"
    results = [world.step(action) for action in path]
    assert results[-1].stop_reason is StopReason.SOLVED
    assert [result.accepted for result in results] == [True] * len(path)
    assert sys.argv == arguments


def test_look_and_inventory_cost_nothing_and_say_what_the_commands_say(world: AlfWorld) -> None:
    world.reset(task(world, PLACE))
    for action in ("go to fridge 1", "open fridge 1", "take apple 1 from fridge 1"):
        result = world.step(action)
        assert result.entered == action.startswith("go")
    look, inventory = world.look(), world.inventory()
    assert "apple 1" in inventory
    assert world.step("look").observation == look
    assert world.step("inventory").observation == inventory


def test_answers_are_those_of_the_package(world: AlfWorld, data: Path) -> None:
    played = task(world, PLACE)
    package = import_module("alfworld.agents.environment.alfred_tw_env")
    infos = import_module("textworld").EnvInfos(admissible_commands=True, won=True)
    own = package.AlfredDemangler(import_module("textworld.envs.pddl").PddlEnv(infos))
    own.load(json.loads(games(str(data)).files[PLACE, played.variation].read_text("utf-8")))
    state = own.reset()
    path = world.oracle_path(played)
    world.reset(played)
    for action in ("look", "eat apple 1", *path):
        assert list(world.valid_actions()) == state["admissible_commands"]
        result = world.step(action)
        state, _, _ = own.step(action)
        assert result.observation == state.feedback
        assert (result.stop_reason is StopReason.SOLVED) == state["won"]


def test_a_walkthrough_of_the_game_comes_first(tmp_path: Path) -> None:
    told = ["look", "inventory"]
    for split in ("train", "valid_seen", "valid_unseen"):
        folder = tmp_path / "json_2.1.1" / split
        write(folder / f"{PLACE}-Apple-None-Fridge-1" / "trial_1", PLACE, walkthrough=told)
    world = AlfWorld(str(tmp_path))
    assert list(world.oracle_path(task(world, PLACE))) == told


def test_which_games_are_tasks(tmp_path: Path) -> None:
    """As in the package: no movable things, nothing sliced, only what is known to be solvable."""
    for split in ("train", "valid_seen", "valid_unseen"):
        folder = tmp_path / "json_2.1.1" / split
        for number, name in enumerate(("Apple-None-Fridge-1", "AppleSliced-None-Fridge-1")):
            write(folder / f"{PLACE}-{name}" / f"trial_{number}", PLACE)
        write(folder / f"{PLACE}-Apple-None-Fridge-2" / "trial_2", PLACE, solvable=False)
        write(folder / f"{PLACE}-Apple-None-Fridge-3" / "trial_3", PLACE)
        write(folder / "pick_and_place_with_movable_recep-Mug-Cup-Shelf-1" / "trial_4", PLACE)
    world = AlfWorld(str(tmp_path))
    found = {split: [one.variation for one in world.tasks(split)] for split in ("train", "dev")}
    assert found == {"train": [0, 1], "dev": [10_000, 10_001]}


def test_missing_games_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFailed, match=r"alfworld-download"):
        make("alfworld", data=str(tmp_path)).tasks("train")
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(EnvironmentFailed, match="elsewhere"):
        AlfWorld().tasks("train")
