"""TextWorld through the contract, and beside the package's own environment."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from typing_extensions import override

from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.testing import EnvironmentContract
from subgoal.environments.textworld import games
from subgoal.environments.textworld.world import TextWorld

pytestmark = pytest.mark.skipif(find_spec("textworld") is None, reason="needs textworld")


@pytest.fixture(scope="module", autouse=True)
def kept_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Games are kept in a folder of these tests."""
    folder = tmp_path_factory.mktemp("games")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(games, "user_cache_path", lambda _: folder)
        yield folder


class TestTextWorld(EnvironmentContract):
    names = ("cooking-7", "coin-5", "treasure-5")

    @override
    def make(self) -> Environment:
        return TextWorld()


def task(name: str, split: str = "train", simplifications: str = "") -> Task:
    tasks = TextWorld().tasks(split, simplifications)
    return next(one for one in tasks if one.name == name)


def test_answers_are_those_of_the_package_without_its_marks() -> None:
    textworld = import_module("textworld")
    world, played = TextWorld(), task("cooking-7")
    walkthrough = world.oracle_path(played)
    opening = world.reset(played)
    infos = textworld.EnvInfos(description=True, inventory=True, admissible_commands=True)
    own = textworld.start(str(games.game(played).story), infos)
    state = own.reset()
    assert opening.task.description == state.objective
    stops: list[StopReason | None] = []
    for action in ("go east", "take it", "look", *walkthrough):
        assert list(world.valid_actions()) == state.admissible_commands
        result = world.step(action)
        state, _, done = own.step(action)
        assert words(world.look()) == words(state.description)
        assert words(world.inventory()) == words(state.inventory)
        assert result.score == round(100 * state.score / state.max_score)
        assert words(result.observation) in words(state.feedback)
        assert ">" not in result.observation
        assert (result.stop_reason is not None) == done
        stops.append(result.stop_reason)
    assert stops[-1] is StopReason.SOLVED


def test_what_ends_the_game_badly_fails() -> None:
    world, played = TextWorld(), task("cooking-7")
    path = world.oracle_path(played)
    cook = next(number for number, action in enumerate(path) if action.startswith("cook"))
    world.reset(played)
    results = [world.step(action) for action in (*path[: cook + 1], path[cook])]
    assert results[-1].stop_reason is StopReason.FAILED
    assert 0 < results[-1].score < 100


def test_a_room_that_is_entered_is_told_once() -> None:
    world, played = TextWorld(), task("coin-5")
    path = world.oracle_path(played)
    world.reset(played)
    result = world.step(path[0])
    assert result.entered
    assert world.look().startswith(result.observation)
    assert len(result.observation) < len(world.look())


@pytest.mark.parametrize(
    "action",
    ["quit", "undo", "restart", "save", "again", "look. undo", "look then undo", "x" * 500],
)
def test_the_interpreter_is_not_asked_for_what_is_no_move(action: str) -> None:
    world, played = TextWorld(), task("coin-5")
    world.reset(played)
    moves = world.step("look").moves
    result = world.step(action)
    assert (result.accepted, result.moves) == (False, moves)
    assert world.step("look").moves == moves + 1


def test_the_task_tells_the_route_only_where_it_is_asked_to() -> None:
    world = TextWorld()
    plain, told = (world.reset(task("coin-5", simplifications=how)) for how in ("", games.ROUTE))
    assert plain.look == told.look
    assert len(told.task.description) > len(plain.task.description)


def test_recipes_of_the_splits_are_kept_apart() -> None:
    """A food that training knows is prepared in another way; `valid` and `test` have more foods."""
    cooking = import_module("textworld.challenges.tw_cooking.cooking")

    def prepared(split: str) -> set[tuple[str, ...]]:
        tasks = [one for one in TextWorld().tasks(split) if one.name == "cooking-9"]
        made = [games.game(tasks[0]).data["metadata"]["ingredients"]]
        return {tuple(ingredient) for ingredients in made for ingredient in ingredients}

    ways = cooking.FOOD_PREPARATIONS_SPLITS["train"]
    trained = {(food, *how) for food in ways for how in ways[food]}
    assert prepared("train") <= trained
    assert not prepared("dev") & trained
    assert not prepared("test") & trained


def test_games_played_longest_ago_go(kept_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [one for one in TextWorld().tasks("train") if one.name == "coin-5"][:3]
    monkeypatch.setattr(games, "KEPT_GAMES", 2)
    for one in tasks:
        games.game(one)
    (folder,) = kept_here.iterdir()
    assert {kept.name for kept in folder.iterdir()} == {
        one.key.replace("/", "_") for one in tasks[1:]
    }
    world = TextWorld()
    assert world.reset(tasks[0]).look  # it is made again


def words(text: str) -> str:
    return " ".join(text.split())
