"""`subgoal doctor --world`: every kind of bad world is told by a finding that names the datum."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from subgoal.cli.main import main
from subgoal.doctor.world import WorldDiagnosis, world_diagnosis
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.language import WorldLanguage
from subgoal.environments.task_table import TaskTable
from subgoal.errors import ConfigInvalid, EnvironmentFailed

SPLITS = {"train": range(4), "dev": range(4, 6), "test": range(6, 8)}


class Bare(Environment):
    """Opens by a number of clicks, one more for each task."""

    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return self.table().tasks(split, simplifications)

    def table(self) -> TaskTable:
        return TaskTable(self.name, {"open": SPLITS})

    def clicks(self, task: Task) -> int:
        return task.variation + 1

    def reset(self, task: Task) -> Observation:
        self.table().check(task)
        self.left, self.moves, self.ended = self.clicks(task), 0, False
        told = {"description": f"Click {self.left} times."}
        return Observation(task=task.model_copy(update=told))

    def step(self, action: str) -> StepResult:
        if getattr(self, "ended", True):
            raise EnvironmentFailed("call reset")
        known = action == "click"
        self.left -= known
        self.moves += known
        self.ended = not self.left
        return StepResult(
            observation=self.said(known),
            score=0 if self.left else 100,
            moves=self.moves,
            accepted=known,
            stop_reason=StopReason.SOLVED if self.ended else None,
        )

    def said(self, known: bool) -> str:
        return "Click." if known else "What?"


class Safe(Bare):
    """Lists actions, and has an oracle."""

    def valid_actions(self) -> Sequence[str]:
        if getattr(self, "ended", True):
            raise EnvironmentFailed("call reset")
        return ("click",)

    def oracle_path(self, task: Task) -> Sequence[str]:
        self.ended = True
        return ["click"] * self.clicks(task)


class ByChance(Safe):
    """Answers by chance."""

    def said(self, known: bool) -> str:
        return f"Click {Random().random()}." if known else "What?"


class Frank(ByChance):
    """Says that it answers by chance."""

    deterministic = False


class ByHash(Safe):
    """Answers by the hash of a text, which is another one in each process."""

    def said(self, known: bool) -> str:
        return f"Click {hash('click')}." if known else "What?"


class ByOrder(Safe):
    """Answers by how often it was asked."""

    asked = 0

    def said(self, known: bool) -> str:
        self.asked += 1
        return f"Click {self.asked}." if known else "What?"


class Silent(Safe):
    """Says nothing."""

    def said(self, known: bool) -> str:
        return "" if known else "What?"


class Speechless(Safe):
    """Returns no text."""

    def said(self, known: bool) -> Any:
        return None


class Short(Safe):
    """Has an oracle that gives up too early."""

    def oracle_path(self, task: Task) -> Sequence[str]:
        return [*super().oracle_path(task), "click"][: max(1, self.clicks(task) - 1)]


class Partly(Safe):
    """Has an oracle that knows every second task, the first of no split."""

    def oracle_path(self, task: Task) -> Sequence[str]:
        if task.variation % 2 == 0:
            raise EnvironmentFailed("no way is known")
        return super().oracle_path(task)


class Desert(Safe):
    """Has no tasks."""

    def tasks(self, split: str, simplifications: str = "") -> Sequence[Task]:
        return []


class Leaking(Safe):
    """Has the same few tasks under all numbers."""

    def clicks(self, task: Task) -> int:
        return task.variation % 4 + 1


class Untaught(Safe):
    """Has a type that is played but not taught."""

    def table(self) -> TaskTable:
        return TaskTable(self.name, {"open": SPLITS, "break": {**SPLITS, "train": ()}})


class Credulous(Safe):
    """Accepts everything."""

    def step(self, action: str) -> StepResult:
        return super().step(action).model_copy(update={"accepted": True})


class Promising(Safe):
    """Lists what it does not accept."""

    def valid_actions(self) -> Sequence[str]:
        return (*super().valid_actions(), "clack")


class Foreign(Safe):
    """Has the language of another world."""

    language = WorldLanguage(movement=("swim to",), room=r"Chamber (\w+)")


def diagnosis(kind: type[Environment]) -> WorldDiagnosis:
    return world_diagnosis(f"{__name__}:{kind.__name__}", seconds=20)


def told(found: WorldDiagnosis, topic: str) -> str:
    return "\n".join(one.text for name, one in found.findings if name == topic)


def test_a_good_world_has_nothing_against_it() -> None:
    found = diagnosis(Safe)
    assert found.fine
    assert found.types.rows == (("open", "4", "2", "2", "8", "8", "4.5"),)
    remarks = {name for name, one in found.findings if one.remark}
    assert remarks == {"abilities"}


@pytest.mark.parametrize(
    ("kind", "topic", "named"),
    [
        (ByChance, "determinism", "observation"),
        (ByOrder, "determinism", "second time"),
        (ByHash, "processes", "other hashes"),
        (Speechless, "play", "observation"),
        (Short, "solved", "7 of 8"),
        (Promising, "valid actions", "clack"),
    ],
)
def test_what_is_against_the_contract_is_told(
    kind: type[Environment], topic: str, named: str
) -> None:
    found = diagnosis(kind)
    assert not found.fine
    assert named in told(found, topic)


@pytest.mark.parametrize(
    ("kind", "topic", "named"),
    [
        (Partly, "solved", "4 of 8"),
        (Frank, "abilities", "not deterministic"),
        (Silent, "answers", "36 of 36"),
        (Leaking, "leakage", "has the path of"),
        (Untaught, "types", "break"),
        (Credulous, "gibberish", "xyzzy"),
        (Bare, "abilities", "collect.paths"),
        (Foreign, "patterns", "Chamber"),
        (Foreign, "verbs", "swim to"),
    ],
)
def test_what_is_worth_knowing_is_told(kind: type[Environment], topic: str, named: str) -> None:
    found = diagnosis(kind)
    assert named in told(found, topic)
    assert found.fine
    assert any(one.remark for name, one in found.findings if name == topic)


def test_the_command_ends_with_1_where_a_world_breaks_the_contract(
    capfd: pytest.CaptureFixture[str],
) -> None:
    main(["doctor", "--world", f"{__name__}:Safe", "--seconds", "1"])
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--world", f"{__name__}:Short", "--seconds", "1"])
    assert ended.value.code == 1
    assert "does not solve" in capfd.readouterr().out


def test_what_one_cause_does_to_many_checks_is_told_once() -> None:
    told = [one.text for _, one in diagnosis(Speechless).findings if not one.fine]
    assert len(set(told)) == len(told)


def test_a_world_without_tasks_is_no_diagnosis() -> None:
    with pytest.raises(EnvironmentFailed, match="Desert"):
        diagnosis(Desert)


def test_no_world_is_no_diagnosis() -> None:
    with pytest.raises(ConfigInvalid, match="erand"):
        world_diagnosis("erand")
