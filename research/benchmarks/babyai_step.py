"""Steps per CPU second of the adapter for BabyAI beside minigrid's own loop, on the same paths.

    python research/benchmarks/babyai_step.py [PATHS]

The bot's paths of the first PATHS (20) train variations of three levels, best of three rounds.
Minigrid's loop is `env.step` alone: no text, no bot.
"""

import sys
import time
from collections.abc import Callable, Sequence

import gymnasium

from subgoal.environments.babyai.language import ACTIONS
from subgoal.environments.babyai.world import BabyAI
from subgoal.environments.base import Task

LEVELS = ("GoToLocal", "UnlockPickup", "BossLevel")
ROUNDS = 3


def seconds(
    start: Callable[[Task], object], step: Callable[[str], object], paths: dict[Task, Sequence[str]]
) -> float:
    taken = 0.0
    for task, actions in paths.items():
        start(task)
        begun = time.process_time()
        for action in actions:
            step(action)
        taken += time.process_time() - begun
    return taken


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    world = BabyAI()
    print("| level | adapter | minigrid |\n|---|---|---|")
    for level in LEVELS:
        tasks = [task for task in world.tasks("train") if task.name == level][:count]
        paths = {task: world.oracle_path(task) for task in tasks}
        env = gymnasium.make(f"BabyAI-{level}-v0", disable_env_checker=True).unwrapped
        steps = sum(map(len, paths.values()))
        loop = (
            lambda task, env=env: env.reset(seed=task.variation),
            lambda action, env=env: env.step(ACTIONS.index(action)),
        )
        both = [
            (seconds(world.reset, world.step, paths), seconds(*loop, paths)) for _ in range(ROUNDS)
        ]
        adapter, own = (steps / min(taken) for taken in zip(*both, strict=True))
        print(f"| {level} | {adapter:,.0f} | {own:,.0f} |")


if __name__ == "__main__":
    main()
