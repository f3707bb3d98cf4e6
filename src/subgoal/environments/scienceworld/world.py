"""ScienceWorld (Wang et al., EMNLP 2022) through the engine itself, without its Python class.

The class lists every valid action at each step, one round trip a string. This adapter asks the
engine only for what is wanted: a step with score, ending and moves is one exchange. The Java
process runs with flags that make observations the same in every process and order of tasks, and
with a bounded heap. Worlds can share a process: what the engine keeps in singletons, each world has
of its own and puts in place when its turn comes. Java's compilers, which take more of the processor
than the worlds while an evaluation is young, then work for all of them.

A task is loaded plainly for playing. Making an oracle path takes a load of its own, seconds to a
minute long, after which the engine would make the path again at every `reset` of its own: it is
never asked for one.
"""

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from typing_extensions import override

from subgoal.environments.base import (
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
)
from subgoal.environments.java import Answer, Argument, Call, JavaProcess, Reference, SharedJava
from subgoal.environments.scienceworld.language import LANGUAGE
from subgoal.environments.scienceworld.task_types import ELECTRICAL, SIMPLIFICATIONS, VARIATIONS
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed, TaskUnknown, WorldLost

ENGINE_VERSION = "1.2.3"
"""The version of the package `scienceworld` that `VARIATIONS` and the shipped paths belong to."""

REPEATABLE_FLAGS = (
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
    "-XX:+UseSerialGC",
    "-Xmx320m",
    "-XX:+ExitOnOutOfMemoryError",
)
"""Identity hashes that do not differ between runs (the engine iterates over sets of objects, so
they decide the order of what is seen), and a bounded heap."""

JVM_FLAGS = (
    *REPEATABLE_FLAGS,
    "-XX:Tier4InvocationThreshold=15000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=30000",
    "-XX:Tier4BackEdgeThreshold=120000",
)
"""Also, Java's second compiler waits three times as long as by default: less of the processor goes
to what an evaluation or a collection of minutes has no time to profit from."""

_INTERFACE = "scienceworld.runtime.pythonapi.PythonInterface"
_SINGLETONS = (
    "scala.util.Random$",
    "util.UniqueIdentifier$",
    "main.scala.scienceworld.runtime.SimplifierProcessor$",
)
"""All of the engine's singletons that a world's play changes and that can change its play. (Two
others only grow: numbers of the kinds of things, and paths through all rooms by their names.) The
first is that of random numbers."""
_UNKNOWN_ACTION = ("No known action matches that input.", "Unknown action.")
"""How the engine's answers to what it does not know begin: to an action, and to an answer to its
own question which of several things was meant (that one costs a move)."""
_ENTERED = re.compile(r"You (?:move|teleport)(?: through the .+?)? to the (.+)\.")
_ORACLE_PATIENCE = 10
_SEED_SCRAMBLE = 0x5DEECE66D
"""`java.util.Random.setSeed` mixes this into what it is given; its stored state has it already."""


def _ranges(counts: tuple[int, int, int]) -> dict[str, range]:
    train, dev, test = counts
    return {
        "train": range(train),
        "dev": range(train, train + dev),
        "test": range(train + dev, train + dev + test),
    }


def _jar() -> Path:
    """Return the engine of the installed package `scienceworld`, without importing it."""
    spec = find_spec("scienceworld")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'scienceworld'", name="scienceworld")
    try:
        found = version("scienceworld")
    except PackageNotFoundError:
        found = "of an unknown version"
    if found != ENGINE_VERSION:
        raise EnvironmentFailed(
            f"world 'scienceworld' needs the package scienceworld {ENGINE_VERSION}, but {found} is"
            f" installed; run: pip install 'scienceworld=={ENGINE_VERSION}'"
        )
    return Path(spec.origin).with_name("scienceworld.jar")


class ScienceWorld(Environment):
    """One live ScienceWorld; Java starts with the first `reset` or `oracle_path`.

    Args:
        answer_seconds: How long a step or a plain load may take; making an oracle path may take
            ten times as long (genetics: up to 70 seconds here).
        flags: Options of the Java virtual machine.
        java: The process that it shares; None: one of its own.
    """

    name = "scienceworld"
    language = LANGUAGE

    def __init__(
        self,
        answer_seconds: float = Environment.answer_seconds,
        flags: Sequence[str] = JVM_FLAGS,
        java: SharedJava | None = None,
    ) -> None:
        jar = _jar()
        self.answer_seconds = answer_seconds
        self._shared = java or SharedJava(lambda: JavaProcess("ScienceWorld", jar, flags))
        self._shared.enter()
        self._table = TaskTable(
            self.name, {name: _ranges(count) for name, count in VARIATIONS.items()}, SIMPLIFICATIONS
        )
        self._java: JavaProcess | None = None
        self._engine = self._random = Reference("")
        self._singletons: list[tuple[Reference, Call]] = []
        self._running = self._closed = False
        self._place = ""

    @property
    @override
    def pid(self) -> int | None:
        return self._java.pid if self._java is not None and self._java.alive else None

    @override
    def beside(self) -> "ScienceWorld":
        return type(self)(self.answer_seconds, java=self._shared)

    @override
    def start(self) -> None:
        self._start()

    @override
    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        tasks = self._table.tasks(split, simplifications)
        return tuple(task for task in tasks if not _impossible(task))

    @override
    def reset(self, task: Task) -> Observation:
        self._check(task)
        self._start()
        # A plain load keeps the score of the episode before; the engine's own class lets it show.
        _, _, refusal, description, look, inventory = self._ask(
            self._call("score_$eq", 0.0),
            self._call("isComplete_$eq", False),
            self._call("load", task.name, task.variation, task.simplifications, False),
            self._call("getTaskDescription"),
            self._call("freeActionLook"),
            self._call("freeActionInventory"),
        )
        if refusal:
            raise EnvironmentFailed(f"ScienceWorld cannot load {task.key}: {refusal}")
        self._running = True
        self._place = _place(str(look))
        described = task.model_copy(update={"description": str(description)})
        return Observation(task=described, look=str(look), inventory=str(inventory))

    @override
    def step(self, action: str) -> StepResult:
        if not self._running:
            raise EnvironmentFailed("no episode is running in this ScienceWorld: call reset first")
        observation, share, completed, moves = self._ask(
            self._call("step", action),
            self._call("getScore"),
            self._call("getCompleted"),
            self._call("getNumMoves"),
        )
        text, score = str(observation), round(100 * float(str(share)))
        stop: StopReason | None = None
        if score < 0 or completed:
            # Completion means the full score, unless the task has failed as well.
            stop = StopReason.SOLVED if score >= 100 else StopReason.FAILED
        self._running = stop is None
        entered = _ENTERED.fullmatch(text)
        before, self._place = self._place, entered[1] if entered else self._place
        return StepResult(
            observation=text,
            score=score,
            moves=int(str(moves)),
            accepted=not text.startswith(_UNKNOWN_ACTION),
            entered=self._place != before,
            stop_reason=stop,
        )

    @override
    def look(self) -> str:
        return str(self._ask(self._call("freeActionLook"))[0])

    @override
    def inventory(self) -> str:
        return str(self._ask(self._call("freeActionInventory"))[0])

    @override
    def valid_actions(self) -> Sequence[str]:
        # To name things apart the engine draws random numbers, which would change what bees and
        # other animals do next: put its generator back to where it was.
        seed = self._random_state()
        actions = self._strings("getValidActionObjectCombinations")
        self._ask((self._random, "setSeed", (seed ^ _SEED_SCRAMBLE,)))
        return actions

    @override
    def oracle_path(self, task: Task) -> Sequence[str]:
        self._check(task)
        self._start()
        self._ask(
            self._call("load", task.name, task.variation, task.simplifications, True),
            timeout=_ORACLE_PATIENCE * self.answer_seconds,
        )
        path = self._strings("getGoldActionSequence")
        if not path or path[0].startswith("ERROR"):
            raise EnvironmentFailed(f"ScienceWorld has no oracle path for {task.key}")
        return path

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed, self._running = True, False
        if self._java is not None:
            objects = [one for one, _ in self._singletons]
            self._java.forget(self._engine, self._random, *objects)
            self._java = None
        self._shared.leave()

    def _check(self, task: Task) -> None:
        self._table.check(task)
        if _impossible(task):
            raise TaskUnknown(
                f"task type '{task.name}' is about electricity and cannot be had with the"
                " simplification 'noElectricalAction'"
            )

    def _start(self) -> None:
        """End the running episode, and start Java where it does not run."""
        if self._closed:
            raise EnvironmentFailed("this ScienceWorld is closed: make another one")
        self._running = False
        java = self._shared.running()
        if java is self._java:
            return
        with java.turn:
            # What follows leaves this world's own objects in place.
            java.guest = self
            self._singletons = [java.scala_object(name) for name in _SINGLETONS]
            self._engine = java.create(_INTERFACE)
            random, _ = self._singletons[0]
            (generator,) = java.ask((random, "self", ()), timeout=self.answer_seconds)
        assert isinstance(generator, Reference)
        self._java, self._random = java, generator

    def _random_state(self) -> int:
        """Read the state of the random numbers: the last field serialized, before a mark."""
        java = self._live()
        buffer = java.create("java.io.ByteArrayOutputStream")
        stream = java.create("java.io.ObjectOutputStream", buffer)
        *_, data = self._ask(
            (stream, "writeObject", (self._random,)),
            (stream, "flush", ()),
            (buffer, "toByteArray", ()),
        )
        java.forget(stream, buffer)
        assert isinstance(data, bytes)
        return int.from_bytes(data[-9:-1], "big")

    def _call(self, method: str, *arguments: Argument) -> Call:
        return (self._engine, method, arguments)

    def _strings(self, method: str) -> list[str]:
        """Fetch a Java list of strings as one text: one round trip instead of one a string."""
        (items,) = self._ask(self._call(method))
        assert isinstance(items, Reference)
        (text,) = self._ask(("z:java.lang.String", "join", ("\n", items)))
        self._live().forget(items)
        return str(text).split("\n") if text else []

    def _live(self) -> JavaProcess:
        if self._java is None:
            raise EnvironmentFailed("no task is loaded in this ScienceWorld: call reset first")
        return self._java

    def _ask(self, *calls: Call, timeout: float | None = None) -> list[Answer]:
        java = self._live()
        with java.turn:
            if java.guest is self:
                return java.ask(*calls, timeout=timeout or self.answer_seconds)
            if not java.alive:
                raise WorldLost(
                    "the Java process of ScienceWorld has ended under another world; the next reset"
                    " starts another"
                )
            java.guest = self
            places = [place for _, place in self._singletons]
            answers = java.ask(*places, *calls, timeout=timeout or self.answer_seconds)
        return answers[len(places) :]


def _impossible(task: Task) -> bool:
    return task.name in ELECTRICAL and "noElectricalAction" in task.simplifications.split(",")


def _place(look: str) -> str:
    """Return the name of the room that a `look` describes."""
    found = re.search(LANGUAGE.room, look)
    return found[1] if found else ""
