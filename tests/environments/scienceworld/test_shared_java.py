"""Several ScienceWorlds in one Java process play as each does alone, and go down together."""

from collections.abc import Iterator, Sequence

import psutil
import pytest

from subgoal.environments.base import Task
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import EnvironmentFailed, WorldLost
from subgoal.trajectories.storage import shipped_paths

TASKS = (
    ("grow-plant", "easy"),  # bees fly by chance, pots water themselves
    ("find-animal", ""),
    ("power-component", "openDoors,teleportAction"),
    ("chemistry-mix-paint-secondary-color", ""),  # makes things of things
)
STEPS = 20


@pytest.fixture
def worlds() -> Iterator[list[ScienceWorld]]:
    first = ScienceWorld()
    made = [first, *(first.beside() for _ in TASKS[1:])]
    yield made
    for world in made:
        world.close()


def _path(name: str, simplifications: str) -> tuple[Task, Sequence[str]]:
    paths = (path for path in shipped_paths("scienceworld").values() if path.task == name)
    path = min(paths, key=lambda path: path.variation)
    task = Task(
        environment="scienceworld",
        name=name,
        variation=path.variation,
        split=path.split or "train",
        simplifications=simplifications,
    )
    return task, path.actions[:STEPS]


def _play(world: ScienceWorld, name: str, simplifications: str) -> Iterator[object]:
    """Yield all that a world tells along a path, one piece for each of its turns."""
    task, actions = _path(name, simplifications)
    yield world.reset(task)
    for number, action in enumerate(actions):
        if number % 6 == 2:
            yield tuple(world.valid_actions())
        result = world.step(action)
        yield result
        yield world.look()
        if result.stop_reason is not None:
            return


def test_worlds_that_take_turns_in_a_process_answer_as_each_does_alone(
    worlds: list[ScienceWorld],
) -> None:
    with ScienceWorld() as own:
        alone = [list(_play(own, *task)) for task in TASKS]
    together: list[list[object]] = [[] for _ in TASKS]
    plays = dict(enumerate(_play(world, *task) for world, task in zip(worlds, TASKS, strict=True)))
    while plays:
        for number, play in tuple(plays.items()):
            answer = next(play, None)
            if answer is None:
                del plays[number]
            else:
                together[number].append(answer)
    assert together == alone
    assert min(map(len, together)) > 10
    assert len({world.pid for world in worlds}) == 1


def test_a_process_that_dies_under_one_world_is_lost_to_the_others_and_started_once_more(
    worlds: list[ScienceWorld],
) -> None:
    one, other = worlds[:2]
    first, second = (_path(*task)[0] for task in TASKS[:2])
    openings = [one.reset(first), other.reset(second)]
    assert one.pid
    psutil.Process(one.pid).kill()
    with pytest.raises(EnvironmentFailed, match="killed by SIGKILL") as failure:
        other.step("look around")
    assert not isinstance(failure.value, WorldLost)
    with pytest.raises(WorldLost, match="has ended under another world; the next reset starts"):
        one.step("look around")
    assert [one.reset(first), other.reset(second)] == openings
    assert one.pid == other.pid


def test_the_process_ends_with_its_last_world(worlds: list[ScienceWorld]) -> None:
    task, actions = _path(*TASKS[0])
    worlds[0].reset(task)
    worlds[1].reset(task)
    before = worlds[1].step(actions[0])
    assert worlds[0].pid
    process = psutil.Process(worlds[0].pid)
    worlds[0].close()
    worlds[0].close()
    assert worlds[1].step(actions[1]).moves == before.moves + 1
    for world in worlds[1:]:
        assert process.is_running()
        world.close()
    assert not process.is_running()
    with pytest.raises(EnvironmentFailed, match="closed"):
        worlds[0].reset(task)
