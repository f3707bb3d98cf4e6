"""Any Gymnasium environment with texts is a world, by configuration alone."""

import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy
import pytest
from typing_extensions import override

import subgoal
from subgoal.environments import registry
from subgoal.environments.base import Ability, Environment, StopReason, has, parts_of
from subgoal.environments.language import NO_WORDS
from subgoal.environments.testing import EnvironmentContract
from subgoal.errors import ConfigInvalid, EnvironmentFailed
from test_pipeline import CONFIG

gymnasium = pytest.importorskip("gymnasium")

HOUSES = "gymnasium:subgoal.gymnasium:subgoal/Errand-v0"
TOLD: dict[str, Any] = {
    "arguments": {"admissible_commands": True, "walkthrough": True},
    "types": {"fetch": {"task": "fetch"}, "two": {"task": "deliver-two"}},
    "seeds": {"train": 6, "dev": 3, "test": 3},
}
CORRIDOR = f"gymnasium:{__name__}:corridors/Corridor-v0"
ENDS = {"stay": (0.0, False, True), "left": (0.0, True, False), "right": (1.0, True, False)}


class Corridor(gymnasium.Env[dict[str, Any], int]):
    """Its text stands in a table, its actions are numbers, and it says little."""

    def __init__(self, says: dict[str, Any] | None = None, arrays: bool = False) -> None:
        self.observation_space = gymnasium.spaces.Dict({"told": gymnasium.spaces.Text(99)})
        self.action_space = gymnasium.spaces.Discrete(3, start=5)
        self.says = says or {}
        if arrays:
            self.says = {name: numpy.array(one) for name, one in self.says.items()}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return {"told": f"Corridor {seed}.", "picture": 0}, dict(self.says)

    def step(self, action: int) -> Any:
        reward, terminated, truncated = list(ENDS.values())[action - 5]
        return {"told": "You go."}, reward, terminated, truncated, dict(self.says)


gymnasium.register("corridors/Corridor-v0", Corridor, max_episode_steps=1)


class TestHouses(EnvironmentContract):
    """Our own world, through Gymnasium and back."""

    names: ClassVar[tuple[str, ...]] = ("fetch", "two")

    @override
    def make(self) -> Environment:
        return registry.make(HOUSES, **TOLD)


def test_ours_need_no_module_before_their_id() -> None:
    with registry.make("gymnasium:subgoal/Errand-v0") as world:
        assert world.reset(world.tasks("train")[0]).task.description


def test_it_has_what_its_info_has() -> None:
    with registry.make(HOUSES, **TOLD) as told, registry.make(HOUSES, seeds={"dev": 1}) as bare:
        assert {one for one in Ability if has(told, one)} == set(Ability) - {Ability.SUBGOALS}
        assert {one for one in Ability if has(bare, one)} == {Ability.LOOK, Ability.INVENTORY}
        with pytest.raises(EnvironmentFailed, match="reset"):
            bare.look()
        assert [task.variation for task in bare.tasks("dev")] == [100]
        assert {task.name for task in bare.tasks("dev")} == {"Errand-v0"}
        with pytest.raises(EnvironmentFailed, match=r"extra\.walkthrough"):
            bare.oracle_path(bare.tasks("dev")[0])
    assert registry.language(HOUSES) is NO_WORDS


def test_it_goes_through_the_whole_chain(tmp_path: Path) -> None:
    world = {"environment": HOUSES, "options": TOLD, "types": ["fetch"]}
    run = subgoal.Run(tmp_path / "run", {**CONFIG, "world": world})
    assert run.collect(per_type=2).solved == 2
    run.annotate()
    run.train()
    played = run.evaluate(agents=["hierarchical", "random_action"], per_type=1, protocol="dev")
    assert len(played.agents) == 2
    with run.agent() as agent:
        assert agent.play("fetch", protocol="dev").task.environment == HOUSES


def corridor(**options: Any) -> Environment:
    return registry.make(CORRIDOR, **{"actions": list(ENDS), **options})


@pytest.mark.parametrize(
    ("action", "score", "stop"),
    [
        ("right", 100, StopReason.SOLVED),
        ("left", 0, StopReason.FAILED),
        ("stay", 0, StopReason.STEP_LIMIT),
    ],
)
def test_terminated_is_not_truncated(action: str, score: int, stop: StopReason) -> None:
    world = corridor()
    opening = world.reset(world.tasks("train")[7])
    assert (opening.task.description, opening.look) == ("Corridor 7.", "")
    assert {one for one in Ability if has(world, one)} == {Ability.VALID_ACTIONS}
    assert world.valid_actions() == tuple(ENDS)
    world.reset(opening.task)
    assert not world.step("up").accepted
    result = world.step(action)
    assert (result.score, result.stop_reason, result.accepted) == (score, stop, True)
    with pytest.raises(EnvironmentFailed, match="over"):
        world.step(action)


def test_other_keys_can_be_named_and_points_are_scaled() -> None:
    says = {"points": 3, "full": 12, "doors": ["left", "right"], "goal": "Go.", "done": False}
    keys = {"score": "points", "max_score": "full", "valid_actions": "doors", "won": "done"}
    arguments = {"says": says}
    world = corridor(arguments=arguments, keys={**keys, "objective": "goal"}, actions=[])
    assert world.reset(world.tasks("test")[0]).task.description == "Go.\nCorridor 120."
    assert world.valid_actions() == ("left", "right")
    result = world.step("right")
    assert (result.score, result.stop_reason) == (25, StopReason.FAILED)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"keys": {"score": "points"}}, "'points'.*keys.score.*it has: score, won"),
        ({"keys": {"text": "words"}}, "keys.text.*there are: told"),
    ],
)
def test_a_key_that_is_missing_is_named_with_those_there_are(
    options: dict[str, Any], named: str
) -> None:
    world = corridor(arguments={"says": {"won": False, "score": 1}}, **options)

    def play() -> None:
        world.reset(world.tasks("train")[0])
        world.step("left")

    with pytest.raises(EnvironmentFailed, match=named):
        play()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"admissible_commands": "left"}, "admissible_commands.*'left'"),
        ({"admissible_commands": 3}, "admissible_commands.*3"),
        ({"extra.walkthrough": "left", "admissible_commands": list(ENDS)}, "walkthrough.*'left'"),
        ({}, "name them"),
    ],
)
def test_what_is_no_list_of_actions_is_named(said: dict[str, Any], named: str) -> None:
    world = registry.make(CORRIDOR, arguments={"says": said})

    def ask() -> None:
        task = world.reset(world.tasks("train")[0]).task
        world.valid_actions()
        world.oracle_path(task)

    with pytest.raises(EnvironmentFailed, match=named):
        ask()


def test_lists_may_be_arrays() -> None:
    says = {"admissible_commands": list(ENDS), "extra.walkthrough": ["right"]}
    world = registry.make(CORRIDOR, arguments={"says": says, "arrays": True})
    assert world.oracle_path(world.tasks("train")[0]) == ("right",)
    world.reset(world.tasks("train")[0])
    assert world.valid_actions() == tuple(ENDS)
    assert not world.step("up").accepted


@pytest.mark.parametrize(
    ("action", "score"), [("stay", 0), ("left", -50)], ids=["goes on", "is lost"]
)
def test_points_below_0_count_where_the_task_is_lost(action: str, score: int) -> None:
    world = corridor(arguments={"says": {"score": -50}})
    world.reset(world.tasks("train")[0])
    assert world.step(action).score == score


@pytest.mark.parametrize(
    ("place", "options", "named"),
    [
        (CORRIDOR, {"keys": {"scoer": "x"}}, "scoer.*score"),
        (CORRIDOR, {"seeds": {"train": 0}}, "train"),
        (CORRIDOR, {"colour": 1}, "colour"),
        (CORRIDOR, {"actions": ["left", "right"]}, "2 numbered.* 3"),
        ("gymnasium:subgoal.gymnasium:subgoal/Errand-v0", {"actions": ["left"]}, "1 numbered.* 0"),
        ("gymnasium:corridors/Hall-v0", {}, "corridors"),
        ("gymnasium:no_such_module:Hall-v0", {}, "no_such_module"),
        ("gymnasium:subgoal.gymnasium:subgoal/Hall-v0", {}, "Hall"),
        ("gymnasium:Hall", {}, "Hall"),
        ("gymnasium:", {}, "ID"),
    ],
)
def test_what_cannot_be_made_is_a_sentence(place: str, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"(?i)^world '{place}.*{named}") as refused:
        registry.make(place, **options)
    assert "\n" not in str(refused.value)


def test_the_package_of_a_namespace_is_imported_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("import gymnasium", "gymnasium.register('halls/Hall-v0', 'subgoal.gymnasium:TextEnv')")
    (tmp_path / "halls.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    hall = registry.make("gymnasium:halls/Hall-v0", arguments={"world": "errand"})
    assert hall.tasks("train")[0].name == "Hall-v0"


def test_a_key_with_slashes_in_its_world_is_taken_apart() -> None:
    task = registry.make(CORRIDOR).tasks("train")[3]
    assert parts_of(task.key) == (CORRIDOR, "Corridor-v0", "3", "")
    easy = task.model_copy(update={"simplifications": "a,b/2"})
    assert parts_of(easy.key)[1:] == ("Corridor-v0", "3", "a,b/2")
    numbered = task.model_copy(update={"name": "7"})
    assert parts_of(numbered.key) == (CORRIDOR, "7", "3", "")
    assert parts_of("errand/fetch/3/easy") == ("errand", "fetch", "3", "easy")
