"""Protocols: which tasks they play, how they score, and that they fit any world."""

import pytest

from subgoal.environments.base import Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.scienceworld.task_types import NUMBERS, VARIATIONS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import ConfigInvalid, TaskUnknown
from subgoal.evaluation.protocol import (
    PROTOCOLS,
    LengthClass,
    Mean,
    Scoring,
    length_class,
    protocol,
)


def _selected(name: str) -> list[Task]:
    chosen = protocol(name)
    return chosen.select(ScienceWorld().tasks(chosen.split, chosen.simplifications))


def test_the_task_types_are_in_the_order_of_their_numbers() -> None:
    assert list(NUMBERS) == list(VARIATIONS)
    numbers = [tuple(map(int, number.split("-"))) for number in NUMBERS.values()]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 30


def test_length_classes_are_those_of_the_paper() -> None:
    counts = {kind: sum(length_class(name) is kind for name in NUMBERS) for kind in LengthClass}
    assert counts == {LengthClass.SHORT: 10, LengthClass.MEDIUM: 8, LengthClass.LONG: 12}
    assert length_class("find-plant") is LengthClass.SHORT
    assert length_class("chemistry-mix") is LengthClass.MEDIUM
    assert length_class("boil") is LengthClass.LONG
    assert length_class("fetch") is None


@pytest.mark.parametrize("name", ["paper", "swiftsage", "plain"])
def test_the_test_protocols_play_ten_variations_of_all_types(name: str) -> None:
    chosen = _selected(name)
    counts = {task: sum(t.name == task for t in chosen) for task in NUMBERS}
    assert all(counts[task] == min(10, test) for task, (_, _, test) in VARIATIONS.items())
    assert {task.split for task in chosen} == {"test"}
    assert {task.simplifications for task in chosen} == {"" if name == "plain" else "easy"}
    first = [task.variation for task in chosen if task.name == "boil"]
    assert first == list(range(21, 30))


@pytest.mark.parametrize(
    ("name", "per_type", "easy"), [("dev", 3, ""), ("dev-easy", 3, "easy"), ("dev-quick", 1, "")]
)
def test_the_dev_protocols_see_no_test_variation(name: str, per_type: int, easy: str) -> None:
    chosen = _selected(name)
    assert {task.split for task in chosen} == {"dev"}
    assert {task.simplifications for task in chosen} == {easy}
    assert len(chosen) == sum(min(per_type, dev) for _, dev, _ in VARIATIONS.values())


def test_unseen_plays_211_episodes_of_24_types_with_limits_of_their_own() -> None:
    unseen = protocol("unseen")
    chosen = _selected("unseen")
    assert len(chosen) == 211
    assert len({task.name for task in chosen}) == 24
    left_out = set(NUMBERS) - {task.name for task in chosen}
    assert {NUMBERS[name] for name in left_out} == {"2-3", "9-1", "9-2", "9-3", "10-1", "10-2"}
    limits = {number: unseen.steps_for(name) for name, number in NUMBERS.items()}
    assert (limits["1-1"], limits["2-2"], limits["4-1"], limits["7-1"], limits["7-3"]) == (
        100,
        120,
        15,
        10,
        12,
    )
    assert (unseen.scoring, unseen.mean) == (Scoring.BEST, Mean.EPISODES)


def test_types_and_counts_can_be_restricted() -> None:
    tasks = ScienceWorld().tasks("test", "easy")
    chosen = protocol("paper").select(tasks, types=("freeze", "boil"), per_type=2)
    assert [(task.name, task.variation) for task in chosen] == [
        ("boil", 21),
        ("boil", 22),
        ("freeze", 21),
        ("freeze", 22),
    ]
    with pytest.raises(TaskUnknown, match="did you mean 'freeze'"):
        protocol("paper").select(tasks, types=("freez",))
    with pytest.raises(TaskUnknown, match="'unseen' does not play 'inclined-plane-determine"):
        protocol("unseen").select(tasks, types=("inclined-plane-determine-angle",))


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_plays_another_world(name: str) -> None:
    chosen = protocol(name)
    tasks = chosen.select(ErrandWorld().tasks(chosen.split, chosen.simplifications))
    assert len(tasks) == 3 * chosen.per_type
    assert all(chosen.steps_for(task.name) == chosen.step_limit for task in tasks)


@pytest.mark.parametrize(
    ("scores", "paper", "swiftsage", "unseen"),
    [
        ([], 0, 0, 0),
        ([0, 25, 75], 75, 75, 75),
        ([25, 75, 50], 50, 50, 75),
        ([25, 75, -100], 0, 75, 75),
        ([-100], 0, 0, 0),
    ],
)
def test_scores_are_taken_as_the_protocol_says(
    scores: list[int], paper: int, swiftsage: int, unseen: int
) -> None:
    assert protocol("paper").score(scores) == paper
    assert protocol("swiftsage").score(scores) == swiftsage
    assert protocol("unseen").score(scores) == unseen


def test_a_protocol_says_its_rules() -> None:
    said = str(protocol("paper"))
    for part in ("paper", "test split", "first 10", "easy", "100 moves", "200 agent steps", "last"):
        assert part in said


def test_an_unknown_protocol_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigInvalid, match="no protocol 'papre', did you mean 'paper'"):
        protocol("papre")


def test_a_world_without_tasks_is_told() -> None:
    with pytest.raises(TaskUnknown, match="'dev'"):
        protocol("dev").select([])
