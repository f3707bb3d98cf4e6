"""ScienceWorld (Wang et al., EMNLP 2022) through the engine itself, without its Python class.

The class lists every valid action at each step, one round trip a string. This adapter asks the
engine only for what is wanted: a step with score, ending and moves is one exchange. The Java
process runs with flags that make observations the same in every process and order of tasks, and
with a bounded heap. One process is one world: the engine keeps its state in singletons.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from typing_extensions import override

from subgoal.environments.environment import (
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
)
from subgoal.environments.java import Answer, Call, JavaProcess, Reference
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

JVM_FLAGS = (
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
    "-Xmx256m",
    "-XX:+UseSerialGC",
)
"""Identity hashes that do not differ between runs (the engine iterates over sets of objects, so
they decide the order of what is seen), and a bounded heap."""

SIMPLIFICATIONS = (
    "easy",
    "teleportAction",
    "selfWateringFlowerPots",
    "openContainers",
    "openDoors",
    "noElectricalAction",
)
"""`easy` stands for all of the others that the task allows."""

VARIATIONS: dict[str, tuple[int, int, int]] = {
    "boil": (14, 7, 9),
    "melt": (14, 7, 9),
    "freeze": (14, 7, 9),
    "change-the-state-of-matter-of": (14, 7, 9),
    "use-thermometer": (270, 135, 135),
    "measure-melting-point-known-substance": (218, 109, 109),
    "measure-melting-point-unknown-substance": (150, 75, 75),
    "power-component": (10, 5, 5),
    "power-component-renewable-vs-nonrenewable-energy": (10, 5, 5),
    "test-conductivity": (450, 225, 225),
    "test-conductivity-of-unknown-substances": (300, 150, 150),
    "find-living-thing": (150, 75, 75),
    "find-non-living-thing": (150, 75, 75),
    "find-plant": (150, 75, 75),
    "find-animal": (150, 75, 75),
    "grow-plant": (62, 31, 33),
    "grow-fruit": (62, 31, 33),
    "chemistry-mix": (16, 8, 8),
    "chemistry-mix-paint-secondary-color": (18, 9, 9),
    "chemistry-mix-paint-tertiary-color": (18, 9, 9),
    "lifespan-longest-lived": (62, 31, 32),
    "lifespan-shortest-lived": (62, 31, 32),
    "lifespan-longest-lived-then-shortest-lived": (62, 31, 32),
    "identify-life-stages-1": (6, 3, 5),
    "identify-life-stages-2": (4, 2, 4),
    "inclined-plane-determine-angle": (84, 42, 42),
    "inclined-plane-friction-named-surfaces": (692, 346, 348),
    "inclined-plane-friction-unnamed-surfaces": (80, 40, 42),
    "mendelian-genetics-known-plant": (60, 30, 30),
    "mendelian-genetics-unknown-plant": (240, 120, 120),
}
"""Train, dev and test variations of each type in engine 1.2.3, numbered one after the other."""

_INTERFACE = "scienceworld.runtime.pythonapi.PythonInterface"
_UNKNOWN_ACTION = "No known action matches that input."
_ENTERED = ("You move to ", "You teleport to ")


def _ranges(counts: tuple[int, int, int]) -> dict[str, range]:
    train, dev, test = counts
    return {
        "train": range(train),
        "dev": range(train, train + dev),
        "test": range(train + dev, train + dev + test),
    }


class ScienceWorld(Environment):
    """One live ScienceWorld.

    Args:
        timeout: Seconds that a step or a plain load may take.
        oracle_timeout: Seconds that making an oracle path may take (genetics: up to 70).
        flags: Options of the Java virtual machine.
    """

    name = "scienceworld"

    def __init__(
        self,
        timeout: float = 60.0,
        oracle_timeout: float = 300.0,
        flags: Sequence[str] = JVM_FLAGS,
    ) -> None:
        spec = find_spec("scienceworld")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("No module named 'scienceworld'", name="scienceworld")
        self._jar = Path(spec.origin).with_name("scienceworld.jar")
        self._timeout, self._oracle_timeout, self._flags = timeout, oracle_timeout, flags
        self._table = TaskTable(
            self.name, {name: _ranges(count) for name, count in VARIATIONS.items()}, SIMPLIFICATIONS
        )
        self._java: JavaProcess | None = None
        self._engine = Reference("")
        self._running = False
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id of the Java process, or None before the first `reset`."""
        return self._java.pid if self._java is not None else None

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self._table.tasks(split, simplifications)

    @override
    def reset(self, task: Task) -> Observation:
        self._table.check(task)
        self._load(task, gold=False)
        description, look, inventory = self._texts(
            "getTaskDescription", "freeActionLook", "freeActionInventory"
        )
        self._running = True
        described = task.model_copy(update={"description": description})
        return Observation(task=described, look=look, inventory=inventory)

    @override
    def step(self, action: str) -> StepResult:
        if not self._running:
            raise EnvironmentFailed("no episode is running in this ScienceWorld; reset it first")
        observation, share, completed, moves = self._ask(
            self._call("step", action),
            self._call("getScore"),
            self._call("getCompleted"),
            self._call("getNumMoves"),
        )
        assert isinstance(share, int | float)
        score = round(100 * share)
        stop: StopReason | None = None
        if score < 0:
            stop = StopReason.FAILED
        elif completed:
            stop = StopReason.SOLVED if score >= 100 else StopReason.FAILED
        self._running = stop is None
        text = str(observation)
        return StepResult(
            observation=text,
            score=score,
            moves=int(str(moves)),
            accepted=not text.startswith(_UNKNOWN_ACTION),
            entered=text.startswith(_ENTERED),
            stop_reason=stop,
        )

    @override
    def look(self) -> str:
        return self._texts("freeActionLook")[0]

    @override
    def inventory(self) -> str:
        return self._texts("freeActionInventory")[0]

    @override
    def valid_actions(self) -> Sequence[str]:
        return self._strings("getValidActionObjectCombinations")

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        self._table.check(task)
        self._load(task, gold=True)
        self._running = False
        path = self._strings("getGoldActionSequence")
        # Else every later load and reset would make the path again.
        self._ask(self._call("goldPathGenerationEnabled_$eq", False))
        if not path or path[0].startswith("ERROR"):
            raise EnvironmentFailed(f"the engine has no oracle path for {task.key}")
        return path

    @override
    def close(self) -> None:
        self._closed, self._running = True, False
        if self._java is not None:
            self._java.close()
            self._java = None

    def _load(self, task: Task, gold: bool) -> None:
        if self._closed:
            raise EnvironmentFailed("this ScienceWorld is closed; make another one")
        self._running = False
        if self._java is None:
            self._java = JavaProcess("ScienceWorld", self._jar, self._flags)
            self._engine = self._java.create(_INTERFACE)
        self._ask(
            self._call("load", task.name, task.variation, task.simplifications, gold),
            timeout=self._oracle_timeout if gold else self._timeout,
        )

    def _call(self, method: str, *arguments: str | int | bool) -> Call:
        return (self._engine, method, arguments)

    def _texts(self, *methods: str) -> list[str]:
        return [str(answer) for answer in self._ask(*map(self._call, methods))]

    def _strings(self, method: str) -> list[str]:
        """Fetch a Java list of strings as one text: one round trip instead of one a string."""
        (items,) = self._ask(self._call(method))
        assert isinstance(items, Reference)
        (text,) = self._ask(("z:java.lang.String", "join", ("\n", items)))
        if self._java is not None:
            self._java.forget(items)
        return str(text).split("\n") if text else []

    def _ask(self, *calls: Call, timeout: float | None = None) -> list[Answer]:
        if self._java is None:
            raise EnvironmentFailed("this ScienceWorld is not running; reset it first")
        try:
            return self._java.ask(*calls, timeout=timeout or self._timeout)
        except EnvironmentFailed:
            self._java, self._running = None, False
            raise
