"""ScienceWorld (Wang et al., EMNLP 2022) through the engine itself, without its Python class.

The class lists every valid action at each step, one round trip a string. This adapter asks the
engine only for what is wanted: a step with score, ending and moves is one exchange. The Java
process runs with flags that make observations the same in every process and order of tasks.

A task is loaded plainly for playing. Making an oracle path takes a load of its own, seconds to a
minute long, after which the engine would make the path again at every `reset` of its own: it is
never asked for one.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from subgoal.environments.base import (
    Environment,
    Observation,
    StepResult,
    StopReason,
    Task,
)
from subgoal.environments.java import JavaProcess, Reference, SharedJava
from subgoal.environments.java_world import REPEATABLE_FLAGS, JavaWorld, package_folder
from subgoal.environments.scienceworld.language import LANGUAGE
from subgoal.environments.scienceworld.task_types import ELECTRICAL, SIMPLIFICATIONS, VARIATIONS
from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed, TaskUnknown

ENGINE_VERSION = "1.2.3"
"""The version of the package `scienceworld` that `VARIATIONS` and the shipped paths belong to."""

JVM_FLAGS = (
    *REPEATABLE_FLAGS,
    "-XX:Tier4InvocationThreshold=15000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=30000",
    "-XX:Tier4BackEdgeThreshold=120000",
)
"""Java's second compiler waits three times as long as by default: less of the processor goes
to what an evaluation or a collection of minutes has no time to profit from."""

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


class ScienceWorld(JavaWorld):
    """One live ScienceWorld; Java starts with the first `reset` or `oracle_path`.

    Making an oracle path may take ten times `answer_seconds` (genetics: up to 70 seconds here).
    """

    name = "scienceworld"
    language = LANGUAGE
    title = "ScienceWorld"
    interface = "scienceworld.runtime.pythonapi.PythonInterface"
    singletons = (
        "scala.util.Random$",
        "util.UniqueIdentifier$",
        "main.scala.scienceworld.runtime.SimplifierProcessor$",
    )
    """Two others only grow: numbers of the kinds of things, and paths through all rooms by their
    names. The first is that of random numbers."""
    flags = JVM_FLAGS

    def __init__(
        self,
        answer_seconds: float = Environment.answer_seconds,
        flags: Sequence[str] | None = None,
        java: SharedJava | None = None,
    ) -> None:
        super().__init__(answer_seconds, flags, java)
        self._table = TaskTable(
            self.name, {name: _ranges(count) for name, count in VARIATIONS.items()}, SIMPLIFICATIONS
        )
        self._random = Reference("")
        self._place = ""

    @classmethod
    @override
    def engine_files(cls) -> Sequence[Path]:
        folder = package_folder(cls.name, "scienceworld", "scienceworld", ENGINE_VERSION)
        return (folder / "scienceworld.jar",)

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
        self._check_running()
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

    def _check(self, task: Task) -> None:
        self._table.check(task)
        if _impossible(task):
            raise TaskUnknown(
                f"task type '{task.name}' is about electricity and cannot be had with the"
                " simplification 'noElectricalAction'"
            )

    @override
    def _settle(self, java: JavaProcess) -> None:
        random, _ = self._singletons[0]
        (generator,) = java.ask((random, "self", ()), timeout=self.answer_seconds)
        assert isinstance(generator, Reference)
        self._random = generator

    @override
    def _kept(self) -> list[Reference]:
        return [*super()._kept(), self._random]

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


def _impossible(task: Task) -> bool:
    return task.name in ELECTRICAL and "noElectricalAction" in task.simplifications.split(",")


def _place(look: str) -> str:
    """Return the name of the room that a `look` describes."""
    found = re.search(LANGUAGE.room, look)
    return found[1] if found else ""
