"""Our worlds are Gymnasium environments."""

import warnings

import pytest

from subgoal.environments.errand import ErrandWorld
from subgoal.errors import ConfigInvalid, TaskUnknown

gymnasium = pytest.importorskip("gymnasium")
env_checker = pytest.importorskip("gymnasium.utils.env_checker")
offered = pytest.importorskip("subgoal.gymnasium")


@pytest.mark.parametrize("name", ["Errand", pytest.param("ScienceWorld", marks=pytest.mark.slow)])
def test_gymnasium_finds_nothing_to_complain_of(name: str) -> None:
    env = gymnasium.make(f"subgoal/{name}-v0", disable_env_checker=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env_checker.check_env(env.unwrapped)
    env.close()


def test_an_oracle_path_ends_it_and_rewards_sum_to_100() -> None:
    env = gymnasium.make("subgoal/Errand-v0", admissible_commands=True, walkthrough=True)
    text, info = env.reset(seed=1, options={"task": "fetch"})
    assert text.startswith(info["objective"])
    assert text.endswith(info["description"])
    total, terminated, truncated = 0.0, False, False
    for action in info["extra.walkthrough"]:
        assert not terminated
        assert action in info["admissible_commands"]
        _, reward, terminated, truncated, info = env.step(action)
        total += reward
    assert (total, terminated, truncated) == (100, True, False)
    assert (info["won"], info["lost"], info["score"]) == (True, False, 100)


def test_a_limit_of_gymnasium_truncates() -> None:
    env = gymnasium.make("subgoal/Errand-v0", max_episode_steps=2)
    env.reset(seed=0)
    assert [env.step("wait")[2:4] for _ in range(2)] == [(False, False), (False, True)]


def test_a_mistake_is_lost() -> None:
    env = gymnasium.make("subgoal/World-v0", world="errand", simplifications="easy")
    _, info = env.reset(options={"task": "errand/fetch/120/easy"})
    assert info["task"] == "errand/fetch/120/easy"
    house = env.unwrapped.world
    things = [one for one in house._house.places if one not in info["objective"]]
    env.step(f"teleport to {house._house.room_of(things[0])}")
    _, reward, terminated, truncated, info = env.step(f"focus on {things[0]}")
    assert (reward, terminated, truncated, info["lost"]) == (-100, True, False, True)


def test_seeds_and_splits_decide_the_task() -> None:
    env = gymnasium.make("subgoal/Errand-v0", split="dev")
    keys = [env.reset(seed=seed)[1]["task"] for seed in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] in {task.key for task in ErrandWorld().tasks("dev")}
    other = env.reset(seed=1, options={"split": "test"})[1]["task"]
    assert other in {task.key for task in ErrandWorld().tasks("test")}


def test_what_does_not_exist_is_named() -> None:
    env = gymnasium.make("subgoal/Errand-v0")
    with pytest.raises(TaskUnknown, match="did you mean 'fetch'"):
        env.reset(options={"task": "fetsh"})
    with pytest.raises(ConfigInvalid, match="did you mean 'errand'"):
        gymnasium.make("subgoal/World-v0", world="erand")
