"""TextWorldExpress: oracles solve every game of each fold; texts, fatal ends, dead processes."""

from collections.abc import Iterator

import psutil
import pytest

from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.task_table import SPLITS
from subgoal.environments.testing import EnvironmentContract
from subgoal.environments.textworld_express.games import GAMES
from subgoal.environments.textworld_express.world import TextWorldExpress
from subgoal.errors import EnvironmentFailed, TaskUnknown, WorldLost
from subgoal.trajectories.replay import replay

pytest.importorskip("textworld_express")

CHOP = "chop "
FIRST = {"train": 0, "dev": 10_000, "test": 20_000}


@pytest.fixture(scope="module")
def world() -> Iterator[TextWorldExpress]:
    with TextWorldExpress() as world:
        yield world


def task_of(name: str, split: str = "train", number: int = 0, setting: str = "") -> Task:
    variation = FIRST[split] + number
    return Task(
        environment="textworldexpress",
        name=name,
        variation=variation,
        split=split,
        simplifications=setting,
    )


class TestTextWorldExpress(EnvironmentContract):
    names = ("cookingworld", "twc", "sorting")

    def make(self) -> Environment:
        return TextWorldExpress()


class TestOtherGames(EnvironmentContract):
    names = ("coin", "mapreader", "simonsays-memory")

    def make(self) -> Environment:
        return TextWorldExpress()


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", GAMES)
def test_the_oracle_solves_every_game_in_each_fold(
    world: TextWorldExpress, name: str, split: str
) -> None:
    for number, setting in ((0, ""), (1, ""), (0, "easy")):
        task = task_of(name, split, number, setting)
        path = world.oracle_path(task)
        world.reset(task)
        *before, last = [world.step(action) for action in path]
        assert (last.stop_reason, last.score) == (StopReason.SOLVED, 100), task.key
        assert all(result.accepted for result in (*before, last))


@pytest.mark.parametrize(("name", "rooms"), [("coin", 11), ("twc", 3), ("cookingworld", 11)])
def test_walks_are_short_and_the_same_each_time(
    world: TextWorldExpress, name: str, rooms: int
) -> None:
    tasks = [task_of(name, "dev", number) for number in range(8)]
    paths = [world.oracle_path(task) for task in tasks]
    assert paths == [world.oracle_path(task) for task in tasks]
    moves = [[action for action in path if action.startswith("move ")] for path in paths]
    assert max(map(len, moves)) <= 3 * rooms
    assert sum(map(len, moves)) <= 1.5 * rooms * len(paths)


def test_a_path_never_walks_towards_what_has_not_been_seen(world: TextWorldExpress) -> None:
    """Two houses that look alike from the first room are entered in the same way."""
    ways: dict[tuple[str, ...], str] = {}
    for number in range(60):
        task = task_of("coin", number=number, setting="easy")
        path, seen = world.oracle_path(task), [world.reset(task).look]
        for action in path:
            assert ways.setdefault(tuple(seen), action) == action
            world.step(action)
            seen.append(world.look())
    assert len(ways) > 60


def test_the_room_stands_once_in_what_a_step_tells(world: TextWorldExpress) -> None:
    for name in ("coin", "twc", "mapreader"):
        task = task_of(name)
        path = world.oracle_path(task)
        world.reset(task)
        results = [(world.step(action), world.look()) for action in path]
        assert any(result.entered for result, _ in results)
        for result, look in results:
            assert look not in result.observation
            assert result.observation.startswith("You go to the ") == result.entered


def test_a_walk_is_a_subgoal_named_after_the_room_that_it_reaches(world: TextWorldExpress) -> None:
    task = task_of("twc", "dev")
    path = replay(world, task, world.oracle_path(task), "oracle")
    walks = [
        (span.subgoal.arguments, path.steps[span.last].look)
        for span in ScriptedTeacher().annotate(path).spans
        if span.subgoal.name == "navigate_to"
    ]
    assert walks
    assert all(f"You are in the {room}." in look for (room,), look in walks)


def test_games_of_the_folds_differ_in_their_things(world: TextWorldExpress) -> None:
    """TextWorld Common Sense holds things out, and the table keeps the seeds apart."""
    things: dict[str, set[str]] = {}
    for split in SPLITS:
        paths = [world.oracle_path(task_of("twc", split, number)) for number in range(10)]
        things[split] = {action for path in paths for action in path if action.startswith("take ")}
    assert not things["train"] & things["dev"]
    assert not things["train"] & things["test"]
    with pytest.raises(TaskUnknown):
        world.reset(task_of("twc").model_copy(update={"split": "dev"}))


def test_games_that_nobody_can_win_are_no_tasks(world: TextWorldExpress) -> None:
    lost = task_of("peckingorder", "dev", 22)
    assert lost not in world.tasks("dev")
    with pytest.raises(TaskUnknown):
        world.reset(lost)


@pytest.mark.parametrize(
    ("name", "actions", "score"),
    [
        ("sorting", ["take 25g of brick", "put 25g of brick in box"], -100),
        ("arithmetic", ["take 64 peaches", "put 64 peaches in box"], -100),
        ("simonsays", ["eat grape"], -100),
        ("peckingorder", ["take peach"], -100),
    ],
)
def test_a_fatal_mistake_ends_the_game(
    world: TextWorldExpress, name: str, actions: list[str], score: int
) -> None:
    world.reset(task_of(name, number=1))
    *before, last = [world.step(action) for action in actions]
    assert all(result.stop_reason is None for result in before)
    assert (last.stop_reason, last.score) == (StopReason.FAILED, score)


def test_a_spoilt_ingredient_ends_cooking_with_the_score_so_far(world: TextWorldExpress) -> None:
    paths = {n: world.oracle_path(task_of("cookingworld", number=n)) for n in range(10)}
    number, path = next((n, path) for n, path in paths.items() if CHOP in " ".join(path))
    cut = next(number for number, action in enumerate(path) if action.startswith(CHOP))
    world.reset(task_of("cookingworld", number=number))
    before = [world.step(action) for action in path[:cut]]
    last = world.step(path[cut].replace(CHOP, "dice "))
    assert last.stop_reason is StopReason.FAILED
    assert 0 < last.score <= before[-1].score


def test_what_is_asked_at_the_start_is_shown_and_memory_shows_it_once(
    world: TextWorldExpress,
) -> None:
    for name, remembered in (("simonsays", 1), ("simonsays-memory", 5)):
        path = world.oracle_path(task_of(name))
        opening = world.reset(task_of(name))
        assert all(action in opening.look for action in path[:remembered])
        world.step("xyzzy")
        assert world.look() == opening.look
        world.step(path[0])
        assert (path[1] in world.look()) == (remembered == 1)


def test_a_dead_process_is_named_and_lost_to_the_world_beside_it() -> None:
    with TextWorldExpress() as one, one.beside() as other:
        openings = one.reset(task_of("twc")), other.reset(task_of("coin"))
        assert one.pid == other.pid
        psutil.Process(one.pid).kill()
        with pytest.raises(EnvironmentFailed, match="TextWorldExpress died") as failure:
            other.step("look around")
        assert not isinstance(failure.value, WorldLost)
        with pytest.raises(WorldLost):
            one.step("look around")
        assert (one.reset(task_of("twc")), other.reset(task_of("coin"))) == openings
