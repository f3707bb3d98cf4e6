"""The scripted teacher: with a world's words, and with those that it learns from paths."""

from collections.abc import Sequence

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers import scripted
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.annotation.teachers.words_from_paths import words_from_paths
from subgoal.environments import registry
from subgoal.environments.language import NO_WORDS
from subgoal.trajectories.replay import replay
from subgoal.trajectories.trajectory import Trajectory


def paths_of(world_name: str, types: Sequence[str], count: int = 5) -> list[Trajectory]:
    with registry.make(world_name) as world:
        tasks = world.tasks("train")
        return [
            replay(world, task, world.oracle_path(task), "oracle")
            for name in types
            for task in [one for one in tasks if one.name == name][:count]
        ]


def annotated(paths: Sequence[Trajectory]) -> list[AnnotatedTrajectory]:
    teacher = ScriptedTeacher()
    teacher.study(paths)
    return [teacher.annotate(path) for path in paths]


def said(one: AnnotatedTrajectory) -> list[tuple[str, int]]:
    return [(str(span.subgoal), span.last) for span in one.spans]


def test_words_learned_from_paths_set_the_subgoals_that_the_worlds_own_words_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = paths_of("errand", ["fetch", "deliver-two", "visit-and-focus"])
    own = [said(one) for one in annotated(paths)]
    monkeypatch.setattr(scripted, "language", lambda _: NO_WORDS)
    renamed = [[(text.replace("place(", "move("), last) for text, last in ones] for ones in own]
    assert [said(one) for one in annotated(paths)] == renamed


def test_directions_are_no_places_and_what_is_only_looked_at_prepares() -> None:
    pytest.importorskip("minigrid")
    words = words_from_paths(paths_of("babyai", ["UnlockPickup", "PutNextLocal"]))
    assert {*words.movement} == {"turn left", "turn right", "go forward"}
    words = words_from_paths(paths_of("errand", ["fetch"]))
    assert "go to" in words.movement
    assert words.leading == ("look around",)


def test_nothing_is_learned_where_nothing_is_shown() -> None:
    (path,) = paths_of("errand", ["fetch"], 1)
    blind = [
        step.model_copy(update={"look": "", "inventory": "", "score": 0, "entered": False})
        for step in path.steps
    ]
    words = words_from_paths([path.model_copy(update={"steps": tuple(blind)})])
    assert (words.movement, words.leading) == ((), ())


def test_an_action_without_argument_acts_on_what_is_at_hand() -> None:
    pytest.importorskip("minigrid")
    (one,) = annotated(paths_of("babyai", ["UnlockPickup"], 1))
    assert [text for text, _ in said(one)] == [
        "go_next_to(green key)",
        "pickup(green key)",
        "go_next_to(green door)",
        "open(green door)",
        "go_next_to()",
        "drop(green key)",
        "go_next_to(purple box)",
        "pickup(purple box)",
    ]
