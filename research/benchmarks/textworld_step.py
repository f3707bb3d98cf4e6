"""Steps per second in TextWorld: this package's adapter beside the package's own environment.

    python research/benchmarks/textworld_step.py [games per type]

Both play the walkthroughs of the first games of four task types on one core, in turns, with look
and inventory at every step; `with actions`: and the list of valid actions.
"""

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from subgoal.environments.textworld.games import game
from subgoal.environments.textworld.world import TextWorld

TYPES = ("cooking-1", "cooking-9", "coin-10", "treasure-15")


def adapter(world: TextWorld, actions: Sequence[str], listing: bool) -> None:
    for action in actions:
        world.look()
        world.inventory()
        if listing:
            world.valid_actions()
        world.step(action)


def own(world: Any, actions: Sequence[str], _: bool) -> None:
    for action in actions:
        world.step(action)


def timed(play: Callable[..., None], *arguments: object) -> float:
    start = time.process_time()
    play(*arguments)
    return time.process_time() - start


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    textworld: Any = import_module("textworld")
    world = TextWorld()
    print(f"{'steps per second':16} {'steps':>6} {'adapter':>9} {'own':>9} | with actions")
    for name in TYPES:
        tasks = [task for task in world.tasks("train") if task.name == name][:count]
        seconds, steps = [0.0] * 4, 0
        for task in tasks:
            path = world.oracle_path(task)
            steps += len(path)
            for listing in (False, True):
                infos = textworld.EnvInfos(
                    description=True, inventory=True, admissible_commands=listing
                )
                loop = textworld.start(str(game(task).story), infos)
                loop.reset()
                world.reset(task)
                seconds[2 * listing] += timed(adapter, world, path, listing)
                seconds[2 * listing + 1] += timed(own, loop, path, listing)
        rates = [f"{steps / spent:9.0f}" for spent in seconds]
        print(f"{name:16} {steps:6} {' '.join(rates[:2])} | {' '.join(rates[2:])}")


if __name__ == "__main__":
    main()
