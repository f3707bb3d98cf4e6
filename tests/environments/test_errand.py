"""The errand world: every oracle path solves, endings and partial scores."""

import pytest

from subgoal.environments.base import StopReason, Task
from subgoal.environments.errand import ORACLE_LENGTHS, ErrandWorld
from subgoal.errors import TaskUnknown


def _task(name: str, variation: int = 0, simplifications: str = "") -> Task:
    return Task(
        environment="errand",
        name=name,
        variation=variation,
        split="train",
        simplifications=simplifications,
    )


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("simplifications", ["", "easy"])
def test_every_oracle_path_solves(split: str, simplifications: str) -> None:
    world = ErrandWorld()
    for task in world.tasks(split, simplifications):
        world.reset(task)
        path = world.oracle_path(task)
        assert len(path) in ORACLE_LENGTHS or simplifications
        world.reset(task)
        results = [world.step(action) for action in path]
        assert [result.stop_reason for result in results] == [None] * (len(path) - 1) + ["solved"]
        assert results[-1].score == 100
        assert [r.score for r in results] == sorted(r.score for r in results)


def test_a_wrong_focus_fails() -> None:
    world = ErrandWorld()
    path = world.oracle_path(_task("fetch"))
    named = next(action for action in path if action.startswith("pick up"))[len("pick up ") :]
    world.reset(_task("fetch"))
    for action in path:
        for other in world.valid_actions():
            if other.startswith("focus on ") and other != f"focus on {named}":
                result = world.step(other)
                assert (result.score, result.stop_reason) == (-100, StopReason.FAILED)
                return
        world.step(action)
    pytest.fail("the house of this variation should show another thing on the way")


def test_easy_opens_doors() -> None:
    world = ErrandWorld()
    assert "(that is closed)" in world.reset(_task("fetch")).look
    assert "(that is closed)" not in world.reset(_task("fetch", simplifications="easy")).look


def test_a_wait_counts_its_ticks() -> None:
    world = ErrandWorld()
    world.reset(_task("fetch"))
    assert world.step("wait").moves == 10
    assert world.step("wait1").moves == 11


def test_unknown_names_are_refused_with_the_nearest() -> None:
    world = ErrandWorld()
    with pytest.raises(TaskUnknown, match="did you mean 'fetch'"):
        world.reset(_task("fetsch"))
    with pytest.raises(TaskUnknown, match=r"variation 120 .* is in the dev split"):
        world.reset(_task("fetch", 120))
    with pytest.raises(TaskUnknown, match="has no variation 200; it has 0 to 199"):
        world.reset(_task("fetch", 200))
    with pytest.raises(TaskUnknown, match="did you mean 'easy'"):
        world.tasks("train", "eazy")
    with pytest.raises(TaskUnknown, match="no split 'val'"):
        world.tasks("val")
