"""Hindsight: other colours are mixed in the real world, and the path is named for what came out."""

import pytest

from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.augmentation.hindsight import in_hindsight, ingredients
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import shipped_paths

pytestmark = pytest.mark.slow
SECONDARY = "chemistry-mix-paint-secondary-color"
TERTIARY = "chemistry-mix-paint-tertiary-color"


@pytest.fixture(scope="module")
def made():
    """By type: annotated paths, and what each became in hindsight."""
    known = shipped_paths("scienceworld")
    with ScienceWorld() as world:
        chosen = [
            next(t for t in world.tasks("train", "easy") if (t.name, t.variation) == key)
            for key in ((SECONDARY, 0), (SECONDARY, 15), (TERTIARY, 0), (TERTIARY, 14))
        ]
        found = [
            replay(world, task, known[task.name, task.variation].actions, "shipped")
            for task in chosen
        ]
        annotated, _ = annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
        words = ingredients(annotated)
        assert words == dict.fromkeys((SECONDARY, TERTIARY), ("blue", "red", "yellow"))
        return [
            (
                one,
                in_hindsight(
                    one,
                    words[one.trajectory.task.name],
                    lambda actions, task=one.trajectory.task: replay(
                        world, task, actions, "shipped"
                    ),
                ),
            )
            for one in annotated
        ]


def test_the_world_says_what_comes_of_a_mixture(made):
    asked = {new.trajectory.task.description for _, others in made for new in others}
    said = " ".join(asked)
    assert all(f"create {colour} paint" in said for colour in ("violet", "orange", "green"))
    assert all(f"create {colour} paint" in said for colour in ("violet-red", "blue-violet"))
    truth = {"violet": {"red", "blue"}, "orange": {"red", "yellow"}, "green": {"blue", "yellow"}}
    for _, others in made:
        for new in others:
            steps = new.trajectory.steps
            first = next(i for i, step in enumerate(steps) if step.action.startswith("mix"))
            poured = {
                colour
                for step in steps[:first]
                for colour in ("red", "blue", "yellow")
                if step.action.startswith("pour") and colour in step.action
            }
            focus = next(step.action for step in steps[first:] if step.action.startswith("focus"))
            product = next(c for c in truth if c in steps[first].observation)
            assert poured == truth[product]
            assert product in focus or "paint in" in focus


def test_relabelled_paths_are_told_apart_and_differ_from_their_own(made):
    for old, others in made:
        assert len(others) >= 2 - ("tertiary" in old.trajectory.task.name)
        assert len({new.key for new in others}) == len(others)
        for new in others:
            assert new.trajectory.task.key == old.trajectory.task.key
            assert new.trajectory.task.description != old.trajectory.task.description
            assert new.trajectory.source == "hindsight"
            assert len(new.trajectory.steps) == len(old.trajectory.steps)
            assert new.trajectory.final_score == old.trajectory.final_score


def test_a_path_that_mixes_nothing_has_no_ingredients(made):
    old, _ = made[0]
    steps = [step for step in old.trajectory.steps if not step.action.startswith("mix")]
    bare = old.trajectory.model_copy(update={"steps": tuple(steps)})
    span = old.spans[0].model_copy(update={"first": 1, "last": len(steps)})
    assert ingredients([old.model_copy(update={"trajectory": bare, "spans": (span,)})]) == {}
