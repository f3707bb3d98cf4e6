"""Protocols: which tasks they play, how they score, and where each world's and a user's stand."""

from pathlib import Path
from typing import Any

import pytest

from subgoal.config import Config
from subgoal.environments.base import Task
from subgoal.environments.scienceworld.task_types import NUMBERS, VARIATIONS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import ConfigInvalid, TaskUnknown
from subgoal.evaluation.protocol import (
    Mean,
    Protocol,
    Scoring,
    grouped,
    groups,
    protocol,
    protocols,
)

PAPER = {
    "split": "test",
    "per_type": 10,
    "types": (),
    "simplifications": "easy",
    "move_limit": 100,
    "step_limit": 200,
    "type_step_limits": {},
    "scoring": Scoring.LAST,
    "mean": Mean.TYPES,
}
DEV = {**PAPER, "split": "dev", "per_type": 10, "simplifications": ""}
UNSEEN_STEPS = {
    "boil": 100,
    "melt": 80,
    "freeze": 80,
    "change-the-state-of-matter-of": 80,
    "use-thermometer": 30,
    "measure-melting-point-known-substance": 120,
    "power-component": 20,
    "power-component-renewable-vs-nonrenewable-energy": 30,
    "test-conductivity": 30,
    "test-conductivity-of-unknown-substances": 30,
    "find-living-thing": 15,
    "find-non-living-thing": 15,
    "find-plant": 15,
    "find-animal": 15,
    "grow-plant": 30,
    "grow-fruit": 60,
    "chemistry-mix": 60,
    "chemistry-mix-paint-secondary-color": 15,
    "chemistry-mix-paint-tertiary-color": 30,
    "lifespan-longest-lived": 10,
    "lifespan-shortest-lived": 10,
    "lifespan-longest-lived-then-shortest-lived": 12,
    "identify-life-stages-1": 30,
    "identify-life-stages-2": 30,
}
SCIENCEWORLD: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "swiftsage": {
        **PAPER,
        "move_limit": 300,
        "step_limit": 600,
        "scoring": Scoring.LAST_POSITIVE,
    },
    "plain": {**PAPER, "simplifications": ""},
    "dev": DEV,
    "dev-easy": {**DEV, "simplifications": "easy"},
    "dev-quick": {**DEV, "per_type": 3},
    "unseen": {
        **PAPER,
        "move_limit": 0,
        "step_limit": 120,
        "type_step_limits": UNSEEN_STEPS,
        "scoring": Scoring.BEST,
        "mean": Mean.EPISODES,
    },
    "unseen-final": {
        **PAPER,
        "move_limit": 0,
        "step_limit": 120,
        "type_step_limits": UNSEEN_STEPS,
        "mean": Mean.EPISODES,
    },
}
"""Every field of ScienceWorld's protocols, as figures were published under them."""


def _science(name: str) -> Protocol:
    return protocol(name, "scienceworld")


def test_protocols_of_scienceworld_are_those_of_the_published_figures() -> None:
    found = {name: one.model_dump() for name, one in protocols("scienceworld").items()}
    assert found == {name: {"name": name, **fields} for name, fields in SCIENCEWORLD.items()}
    assert list(_science("unseen").type_step_limits) == list(UNSEEN_STEPS)


def _selected(name: str) -> list[Task]:
    chosen = _science(name)
    return chosen.select(ScienceWorld().tasks(chosen.split, chosen.simplifications))


def test_the_task_types_are_in_the_order_of_their_numbers() -> None:
    assert list(NUMBERS) == list(VARIATIONS)
    numbers = [tuple(map(int, number.split("-"))) for number in NUMBERS.values()]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 30


def test_groups_of_scienceworld_are_the_length_classes_of_the_paper() -> None:
    assert list(groups("scienceworld")) == list(VARIATIONS)
    members = grouped(VARIATIONS, "scienceworld")
    assert {kind: len(types) for kind, types in members.items()} == {
        "short": 10,
        "medium": 8,
        "long": 12,
    }
    assert list(members) == ["short", "medium", "long"]
    assert {"find-plant": "short", "chemistry-mix": "medium", "boil": "long"}.items() <= (
        groups("scienceworld").items()
    )
    assert grouped(["fetch"], "errand") == {}


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
    ("name", "per_type", "easy"), [("dev", 10, ""), ("dev-easy", 10, "easy"), ("dev-quick", 3, "")]
)
def test_the_dev_protocols_see_no_test_variation(name: str, per_type: int, easy: str) -> None:
    chosen = _selected(name)
    assert {task.split for task in chosen} == {"dev"}
    assert {task.simplifications for task in chosen} == {easy}
    assert len(chosen) == sum(min(per_type, dev) for _, dev, _ in VARIATIONS.values())


def test_unseen_plays_211_episodes_of_24_types_with_limits_of_their_own() -> None:
    unseen = _science("unseen")
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
    chosen = _science("paper").select(tasks, types=("freeze", "boil"), per_type=2)
    assert [(task.name, task.variation) for task in chosen] == [
        ("boil", 21),
        ("boil", 22),
        ("freeze", 21),
        ("freeze", 22),
    ]
    with pytest.raises(TaskUnknown, match="did you mean 'freeze'"):
        _science("paper").select(tasks, types=("freez",))
    with pytest.raises(TaskUnknown, match="'unseen' does not play 'inclined-plane-determine"):
        _science("unseen").select(tasks, types=("inclined-plane-determine-angle",))


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
    assert _science("paper").score(scores) == paper
    assert _science("swiftsage").score(scores) == swiftsage
    assert _science("unseen").score(scores) == unseen


def test_a_protocol_says_its_rules() -> None:
    said = str(_science("paper"))
    assert "10 to 120 agent steps by type" in str(_science("unseen"))
    for part in ("paper", "test split", "first 10", "easy", "100 moves", "200 agent steps", "last"):
        assert part in said


@pytest.mark.parametrize(
    ("name", "environment", "said"),
    [
        ("papre", "scienceworld", "no protocol 'papre', did you mean 'paper'"),
        ("paper", "errand", "'errand' has no protocol 'paper'; there are: dev, test"),
        ("nowhere.toml:short", "errand", "nowhere.toml"),
    ],
)
def test_a_protocol_that_a_world_does_not_have(name: str, environment: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        protocol(name, environment)
    assert said in str(caught.value)


@pytest.mark.parametrize("key", ["evaluate.protocol", "rollout.protocol", "reinforce.dev_protocol"])
def test_a_configuration_names_a_protocol_of_its_world(key: str) -> None:
    section, name = key.split(".")
    for environment, known in (("errand", "test"), ("scienceworld", "paper")):
        world = {"environment": environment}
        Config.model_validate({"world": world, section: {name: known}})
        Config.model_validate({"world": world, section: {name: "mine.toml:short"}})
    with pytest.raises(ValueError, match="'errand' has no protocol 'paper'"):
        Config.model_validate({"world": {"environment": "errand"}, section: {name: "paper"}})


def _written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_protocol_of_ones_own_stands_on_one_of_the_world(tmp_path: Path) -> None:
    file = _written(
        tmp_path,
        """
        [protocols.short]
        base = "paper"
        types = ["find-plant", "boil"]
        [protocols.brief]
        base = "short"
        per_type = 2
        scoring = "best"
        [protocols.plain]
        base = "plain"
        move_limit = 50
        """,
    )
    short, brief = (protocol(f"{file}:{name}", "scienceworld") for name in ("short", "brief"))
    types = ("find-plant", "boil")
    assert short == _science("paper").model_copy(update={"name": "short", "types": types})
    assert brief.model_dump() == {
        **short.model_dump(),
        "name": "brief",
        "per_type": 2,
        "scoring": Scoring.BEST,
    }
    assert protocol(f"{file}:plain", "scienceworld").move_limit == 50
    played = {task.name for task in brief.select(ScienceWorld().tasks("test", "easy"))}
    assert played == set(types)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protocols.short]\nbase = 'papre'", "'papre', which there is not, did you mean 'paper'"),
        ("[protocols.short]\nsplit = 'test'", "'per_type'"),
        ("[protocols.short]\nbase = 'paper'\npertype = 2", "did you mean 'per_type'"),
        ("[protocols.short]\nbase = 'paper'\nscoring = 'bets'", "did you mean 'best'"),
        ("[protocols.short]\nbase = 'b'\n[protocols.b]\nbase = 'short'", "stands on"),
        ("[protocols.'../x']\nbase = 'paper'", "'name'"),
        ("[protocol.short]\nbase = 'paper'", "did you mean 'protocols'"),
        ("[short]\nbase = 'paper'", "[protocols.short]"),
        ("protocols = 3", "'protocols'"),
    ],
)
def test_a_file_of_protocols_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        protocol(f"{_written(tmp_path, text)}:short", "scienceworld")
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert "{" not in str(caught.value)  # the whole table is not shown


def test_a_world_brings_its_protocols_along(tmp_path: Path, monkeypatch: Any) -> None:
    package = tmp_path / "kitchens"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "protocols.toml").write_text("[protocols.dev]\nsplit = 'dev'\nper_type = 1")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(protocols("kitchens.worlds:Kitchen")) == ["dev"]
    (package / "protocols.toml").write_text("[protocols.other]\nsplit = 'dev'\nper_type = 1")
    with pytest.raises(ConfigInvalid, match="'dev'"):
        protocols("kitchens.worlds:Other")
    assert list(protocols("kitchen:Flat")) == ["dev", "test"]


def test_a_world_without_tasks_is_told() -> None:
    with pytest.raises(TaskUnknown, match="'dev'"):
        _science("dev").select([])
