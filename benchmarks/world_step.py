"""Steps a second: this package's ScienceWorld, the engine's own Python class, the engine alone.

    python benchmarks/world_step.py [steps a type]

The three replay the same oracle paths of five task types in turns, so that noise hits all alike.
Adapter and class give look and inventory with every step; `engine` is the bare step. The last
line is the ratio of the adapter's rate to the class's.
"""

import os
import sys
import time

from scienceworld import ScienceWorldEnv

from subgoal.environments.environment import Task
from subgoal.environments.scienceworld import JVM_FLAGS, ScienceWorld
from subgoal.trajectories.collect import shipped_paths

TYPES = (
    "find-animal",
    "use-thermometer",
    "grow-plant",
    "test-conductivity",
    "inclined-plane-determine-angle",
)


def adapter(world: ScienceWorld, task: Task, actions: tuple[str, ...]) -> float:
    world.reset(task)
    start = time.perf_counter()
    for action in actions:
        world.step(action)
        world.look()
        world.inventory()
    return time.perf_counter() - start


def engine(world: ScienceWorld, task: Task, actions: tuple[str, ...]) -> float:
    world.reset(task)
    start = time.perf_counter()
    for action in actions:
        world._ask(world._call("step", action))  # pyright: ignore[reportPrivateUsage]
    return time.perf_counter() - start


def own_class(env: ScienceWorldEnv, task: Task, actions: tuple[str, ...]) -> float:
    env.load(task.name, task.variation, "")
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return time.perf_counter() - start


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    os.environ["JAVA_TOOL_OPTIONS"] = " ".join(JVM_FLAGS)
    env = ScienceWorldEnv("", envStepLimit=10_000)
    del os.environ["JAVA_TOOL_OPTIONS"]
    known = shipped_paths("scienceworld")
    totals = {"adapter": 0.0, "class": 0.0, "engine": 0.0}
    steps = 0
    with ScienceWorld() as world:
        for repeat in range(3):  # the first round warms the Java compilers up and is not counted
            for name in TYPES:
                task = next(
                    t for t in world.tasks("train")
                    if t.name == name and (t.name, t.variation) in known
                )  # fmt: skip
                actions = known[task.name, task.variation][1][:count]
                seconds = {
                    "adapter": adapter(world, task, actions),
                    "class": own_class(env, task, actions),
                    "engine": engine(world, task, actions),
                }
                if repeat:
                    steps += len(actions)
                    for key, value in seconds.items():
                        totals[key] += value
    print(f"{'':10} {'steps/s':>9} {'ms/step':>9}   ({steps} steps over {len(TYPES)} types)")
    for key, value in totals.items():
        print(f"{key:10} {steps / value:9.1f} {1000 * value / steps:9.2f}")
    print(f"adapter time over the engine's step alone: {totals['adapter'] / totals['engine']:.2f}")
    print(f"ratio {totals['class'] / totals['adapter']:.2f}")


if __name__ == "__main__":
    main()
