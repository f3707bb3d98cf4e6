"""Every world keeps the contract; and the contract notices a world that breaks it."""

from typing import ClassVar

import pytest

from subgoal.environments.base import Environment, StepResult
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.environments.testing import EnvironmentContract


class TestErrand(EnvironmentContract):
    def make(self) -> Environment:
        return ErrandWorld()


class TestScienceWorld(EnvironmentContract):
    names: ClassVar[tuple[str, ...]] = ("find-non-living-thing", "lifespan-longest-lived")

    def make(self) -> Environment:
        return ScienceWorld()


class MoodyWorld(ErrandWorld):
    """Answers otherwise the second time."""

    asked = 0

    def step(self, action: str) -> StepResult:
        self.asked += 1
        result = super().step(action)
        return result.model_copy(update={"observation": f"{result.observation} ({self.asked})"})


class TimedWorld(ErrandWorld):
    """Looking costs a move."""

    def look(self) -> str:
        self.step("wait1")
        return super().look()


class Moody(EnvironmentContract):
    def make(self) -> Environment:
        return MoodyWorld()


class Timed(EnvironmentContract):
    def make(self) -> Environment:
        return TimedWorld()


@pytest.mark.parametrize("contract", [Moody, Timed])
def test_a_world_that_is_not_deterministic_breaks_the_contract(
    contract: type[EnvironmentContract],
) -> None:
    with pytest.raises(AssertionError):
        contract().test_the_same_actions_give_the_same_answers_whatever_is_asked_between()
