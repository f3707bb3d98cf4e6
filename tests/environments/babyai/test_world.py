"""BabyAI: the contract, whole episodes, and the sub-goals of minigrid's bot."""

import pytest

pytest.importorskip("minigrid")

from subgoal.environments.babyai.language import ACTIONS
from subgoal.environments.babyai.world import BabyAI
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.testing import EnvironmentContract
from subgoal.errors import EnvironmentFailed

LEVELS = (
    "GoToLocal",
    "PickupLoc",
    "PutNextLocal",
    "OpenDoor",
    "UnlockPickup",
    "KeyCorridorS3R2",
    "GoToSeqS5R2",
    "MoveTwoAcrossS5N2",
    "SynthLoc",
)


class TestBabyAI(EnvironmentContract):
    names = ("GoToLocal", "UnlockPickup", "GoToSeqS5R2")

    def make(self) -> Environment:
        return BabyAI()


@pytest.fixture(scope="module")
def world() -> BabyAI:
    return BabyAI()


def task(name: str, variation: int = 0) -> Task:
    return Task(environment="babyai", name=name, variation=variation, split="train")


@pytest.mark.parametrize("name", LEVELS)
def test_the_bot_solves_and_every_step_has_a_subgoal(world: BabyAI, name: str) -> None:
    for variation in range(3):
        path = world.oracle_path(task(name, variation))
        pursued = world.subgoals(task(name, variation), path)
        assert len(pursued) == len(path)
        for action, subgoal in zip(path, pursued, strict=True):
            verb = subgoal.partition("(")[0]
            doing = {"pick up": "pickup", "drop": "drop"}.get(action)
            if doing:
                assert verb == doing
            elif action == "toggle":
                assert verb in {"open", "close"}
            else:
                assert verb in {"go_next_to", "carry_to", "explore"}
        world.reset(task(name, variation))
        results = [world.step(action) for action in path]
        assert [one.stop_reason for one in results] == [None] * (len(path) - 1) + ["solved"]


def test_an_episode_told_step_by_step(world: BabyAI) -> None:
    # BabyAI-UnlockPickup-v0, seed 0: two rooms side by side, a green door between them.
    first = world.reset(task("UnlockPickup"))
    assert first.task.description == "Your task is to pick up the purple box."
    assert first.look == "You see: green key 1 right; wall 2 right; wall 3 left; wall 3 ahead."
    assert first.inventory == "You carry nothing."
    assert world.step("drop").observation == "Nothing changes."
    assert world.step("turn right").observation.startswith("You see: green key 1 ahead;")
    taken = world.step("pick up")
    assert taken.observation.startswith("You carry a green key. You see: ")
    assert taken.moves == 3
    assert world.inventory() == "You carry a green key."
    assert world.valid_actions() == ACTIONS


def test_going_into_another_room_is_told_once(world: BabyAI) -> None:
    path = world.oracle_path(task("UnlockPickup"))
    world.reset(task("UnlockPickup"))
    entered = [result for action in path if (result := world.step(action)).entered]
    assert [result.observation for result in entered] == ["You go into another room."]


def test_a_mission_that_fails_scores_nothing(world: BabyAI) -> None:
    world.reset(task("PickupDistDebug"))  # the level is strict: nothing else may be picked up
    assert world.step("turn left").stop_reason is None
    failed = world.step("pick up")
    assert failed.observation.startswith("You carry a purple box.")
    assert (failed.score, failed.stop_reason) == (0, StopReason.FAILED)


def test_a_level_that_the_bot_cannot_solve_says_so(world: BabyAI) -> None:
    with pytest.raises(EnvironmentFailed, match="KeyInBox"):
        world.oracle_path(task("KeyInBox"))


def test_a_bot_that_plans_in_a_circle_ends(world: BabyAI) -> None:
    unsolved = task("UnlockToUnlock", 500).model_copy(update={"split": "dev"})
    with pytest.raises(EnvironmentFailed, match="circle"):
        world.oracle_path(unsolved)


def test_a_late_success_counts_as_any_other(world: BabyAI) -> None:
    path = world.oracle_path(task("GoToObjS4"))
    world.reset(task("GoToObjS4"))
    results = [world.step("pick up") for _ in range(40)]  # the level's own limit is 16 steps
    assert {result.stop_reason for result in results} == {None}
    assert [world.step(action) for action in path][-1].score == 100


def test_the_bot_goes_on_from_where_a_detour_led(world: BabyAI) -> None:
    path = world.oracle_path(task("UnlockPickup"))
    around = ["turn left"] * 4
    pursued = world.subgoals(task("UnlockPickup"), [*around, *path])
    assert pursued[0] == "explore()"
    left = {*world.subgoals(task("UnlockPickup"), path)} - {"explore()"}
    assert {*pursued[4:]} == left  # it has seen the room by then
