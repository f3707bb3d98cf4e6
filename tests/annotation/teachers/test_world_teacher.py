"""The world's own planner as a teacher."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig
from subgoal.config import Config
from subgoal.environments import registry
from subgoal.environments.base import Task
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory

CONFIG = AnnotateConfig.model_validate({"teacher": "world", "transfer": False})


def path_of(world_name: str, task_type: str) -> Trajectory:
    with registry.make(world_name) as world:
        task = next(one for one in world.tasks("train") if one.name == task_type)
        return replay(world, task, world.oracle_path(task), "oracle")


def test_its_spans_cover_the_path_and_neighbours_differ() -> None:
    pytest.importorskip("minigrid")
    path = path_of("babyai", "UnlockPickup")
    (one,), failed = annotate_all([path], CONFIG)
    assert failed == []
    assert one.teacher == "world"
    said = [str(span.subgoal) for span in one.spans]
    assert said[-2:] == ["go_next_to(purple box)", "pickup(purple box)"]
    assert "open(green door)" in said
    assert all(a != b for a, b in pairwise(said))
    assert one.spans[-1].last == len(path.steps)


def test_a_path_that_the_planner_gives_up_is_a_failure() -> None:
    pytest.importorskip("minigrid")
    path = path_of("babyai", "UnlockPickup")
    other = path.task.model_copy(update={"name": "KeyInBox"})
    annotated, (failure,) = annotate_all([path.model_copy(update={"task": other})], CONFIG)
    assert annotated == []
    assert "KeyInBox" in failure.key


class Planned(ErrandWorld):
    """Plans only where its option says so."""

    name = f"{__name__}:Planned"

    def __init__(self, plan: str = "") -> None:
        super().__init__()
        self._plan = plan

    def subgoals(self, task: Task, actions: Sequence[str]) -> Sequence[str]:
        return [self._plan] * len(actions)


def test_its_world_has_the_options_of_the_configuration() -> None:
    path = path_of("errand", "fetch")
    path = path.model_copy(
        update={"task": path.task.model_copy(update={"environment": Planned.name})}
    )
    options = {"plan": "fetch(it)"}
    config = Config.model_validate(
        {"world": {"environment": Planned.name, "options": options}, "annotate": CONFIG}
    )
    (one,), _ = annotate_all([path], config.annotate)
    assert [str(span.subgoal) for span in one.spans] == ["fetch(it)"]


def test_a_world_without_a_planner_is_named() -> None:
    path = path_of("errand", "fetch")
    with pytest.raises(ConfigInvalid, match="errand"):
        annotate_all([path], CONFIG)
