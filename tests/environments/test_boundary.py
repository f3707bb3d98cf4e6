"""Whatever a user's world raises or returns is one sentence that names world, method and value."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from subgoal.agents.base import Agent
from subgoal.agents.baselines import OracleAgent
from subgoal.environments import registry
from subgoal.environments.base import Environment, StepResult, StopReason, Task
from subgoal.environments.boundary import MOST_CHARACTERS
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import EnvironmentFailed, TaskUnknown
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import CollectSummary, collect
from subgoal.trajectories.config import CollectConfig

TASK = ErrandWorld().tasks("test")[0]


class Text(str):
    """A text that is more than one."""

    __slots__ = ("more",)

    def __str__(self) -> str:
        return "something else"


class Speechless(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Broken(Sequence[str]):
    """A list that breaks when it is read."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: Any) -> Any:
        raise LookupError("nothing here")


class OddWorld(ErrandWorld):
    """Answers one method as it is told to."""

    method = ""
    answer: Callable[[Any], Any] = staticmethod(lambda honest: honest)

    def _odd(self, name: str, honest: Any) -> Any:
        return type(self).answer(honest) if name == self.method else honest

    def tasks(self, split: str, simplifications: str = "") -> Any:
        return self._odd("tasks", super().tasks(split, simplifications))

    def reset(self, task: Task) -> Any:
        return self._odd("reset", super().reset(task))

    def step(self, action: str) -> Any:
        return self._odd("step", super().step(action))

    def look(self) -> Any:
        return self._odd("look", super().look())

    def inventory(self) -> Any:
        return self._odd("inventory", super().inventory())

    def valid_actions(self) -> Any:
        return self._odd("valid_actions", super().valid_actions())

    def oracle_path(self, task: Task) -> Any:
        return self._odd("oracle_path", super().oracle_path(task))

    def start(self) -> Any:
        return self._odd("start", super().start())

    def beside(self) -> Any:
        return self._odd("beside", None)

    def close(self) -> Any:
        return self._odd("close", super().close())


def odd(method: str, answer: Callable[[Any], Any]) -> ErrandWorld:
    """Return a world whose one method answers so."""
    kind = type("Odd", (OddWorld,), {"method": method, "answer": staticmethod(answer)})
    return kind()


def ask(world: Environment, method: str) -> object:
    """Ask a world that is at the beginning of a task."""
    arguments = {
        "tasks": ("test",),
        "reset": (TASK,),
        "step": ("look around",),
        "oracle_path": (TASK,),
    }
    if method not in {"tasks", "reset"}:
        world.reset(TASK)
    return getattr(world, method)(*arguments.get(method, ()))


def throw(error: BaseException) -> Callable[[Any], Any]:
    """Return an answer that raises."""

    def answer(_: Any) -> Any:
        raise error

    return answer


ASKED = ("tasks", "reset", "step", "look", "inventory", "valid_actions", "oracle_path", "start")


@pytest.mark.parametrize("method", [*ASKED, "beside"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("two\nlines"),
        KeyError("x"),
        SystemExit(3),
        StopIteration(4),
        GeneratorExit(),
        asyncio.CancelledError(),
        MemoryError(),
        RecursionError(),
        Speechless(),
        OSError("\ud83d"),
        EnvironmentFailed("\ud83d"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_names_world_and_method(method: str, error: BaseException) -> None:
    with pytest.raises(EnvironmentFailed) as failure:
        ask(odd(method, throw(error)), method)
    said = str(failure.value)
    assert said.startswith(f"world 'errand': {method}(")
    assert type(error).__name__ in said
    assert "\n" not in said
    assert said.encode()


def test_an_interrupt_and_the_worlds_own_errors_pass() -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(odd("step", throw(KeyboardInterrupt())), "step")
    with pytest.raises(TaskUnknown, match=r"^no such task$"):
        ask(odd("reset", throw(TaskUnknown("no such task"))), "reset")


def changed(**fields: object) -> Callable[[Any], Any]:
    """Return an answer that is the honest one with changes that nobody has checked."""
    return lambda honest: honest.model_copy(update=fields)


@pytest.mark.parametrize(
    ("method", "answer", "named"),
    [
        *((name, lambda _: None, "None") for name in ASKED if name != "start"),
        *((name, lambda _: b"bytes", "b'bytes'") for name in ASKED if name != "start"),
        *((name, lambda _: 3.5, "3.5") for name in ASKED if name != "start"),
        ("look", lambda _: "x" * (MOST_CHARACTERS + 1), "100,001"),
        ("step", lambda honest: (honest.observation, 1.0, False, {}), "tuple"),
        ("step", changed(score=float("nan")), "score"),
        ("step", changed(score=1000), "1000"),
        ("step", changed(moves=-1), "-1 moves"),
        ("step", changed(observation=None), "None"),
        ("step", changed(observation=b"x"), "b'x'"),
        ("step", changed(accepted="perhaps"), "accepted"),
        ("step", changed(stop_reason=StopReason.LOOP), "loop"),
        ("step", changed(stop_reason="won"), "stop_reason"),
        ("step", lambda _: StepResult.model_construct(observation="x"), "score"),
        ("reset", changed(task="fetch"), "fetch"),
        ("reset", changed(task=TASK.model_copy(update={"variation": 7})), "another task"),
        ("reset", changed(look=5), "5"),
        ("tasks", lambda honest: next(iter(honest)), "list of tasks"),
        ("tasks", lambda _: ["fetch"], "'fetch'"),
        *(
            ("tasks", lambda _, name=name: [TASK.model_copy(update={"name": name})], "slashes")
            for name in ("\ud83d", "", "a/b", "a\nb", "\x1b[2J")
        ),
        ("tasks", lambda _: [TASK.model_copy(update={"split": "train"})], "train"),
        ("valid_actions", lambda _: "look", "list of texts"),
        ("valid_actions", lambda _: {"look"}, "set"),
        ("valid_actions", lambda _: ["look", None], "None"),
        ("valid_actions", lambda _: Broken(), "LookupError"),
        ("oracle_path", lambda _: [], "no action"),
        ("oracle_path", lambda _: iter(["look"]), "iterator"),
        ("beside", lambda _: "a world", "'a world'"),
    ],
)
def test_what_is_returned_against_the_contract_is_named(
    method: str, answer: Callable[[Any], Any], named: str
) -> None:
    with pytest.raises(EnvironmentFailed) as failure:
        ask(odd(method, answer), method)
    assert str(failure.value).startswith(f"world 'errand': {method}(")
    assert named in str(failure.value)


def test_texts_are_storable_and_plain() -> None:
    half = odd("look", lambda _: "half \ud83d")
    assert ask(half, "look") == "half \ufffd"
    assert type(ask(odd("look", lambda _: Text("more")), "look")) is str
    assert ask(odd("look", lambda _: Text("more")), "look") == "more"
    assert ask(odd("look", lambda _: ""), "look") == ""
    result = ask(odd("step", changed(observation="\ud83d")), "step")
    assert isinstance(result, StepResult)
    assert result.model_dump_json()
    assert ask(odd("valid_actions", lambda _: ["\ud83d"]), "valid_actions") == ("\ufffd",)


def test_a_world_that_cannot_be_closed_is_named_and_costs_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = odd("close", throw(ValueError("stuck")))
    with world:
        world.reset(TASK)
    assert "close() raised ValueError: stuck" in " ".join(capsys.readouterr().err.split())


class Nameless(ErrandWorld):
    name = "another"


class Bare(ErrandWorld):
    language: Any = "focus"


class Failing(ErrandWorld):
    def __init__(self) -> None:
        raise SystemExit("no licence")


class Stranger:
    """Is no world."""


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("Nameless", "'another'"),
        ("Bare", "language"),
        ("Failing", "no licence"),
        ("Stranger", "Stranger"),
        ("NotThere", "NotThere"),
    ],
)
def test_a_class_that_makes_no_world_is_named(
    kind: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, kind, ""))
    with pytest.raises(EnvironmentFailed, match=r"^world 'errand'") as failure:
        registry.make("errand")
    assert named in str(failure.value)


class Halting(ErrandWorld):
    """Returns nothing from the third step of one task on, and half an emoji elsewhere."""

    def reset(self, task: Task) -> Any:
        self._bad = task.variation == TASK.variation
        return super().reset(task)

    def step(self, action: str) -> Any:
        result = super().step(action)
        if self._bad and result.moves >= 3:
            return None
        return result.model_copy(update={"observation": result.observation + " \ud83d"})


def test_a_rollout_records_the_episode_that_failed_and_plays_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Halting", ""))
    rules = protocol("test", "errand")
    tasks = [task for task in ErrandWorld().tasks("test") if task.name == "fetch"][:3]

    def oracle(task: Task, world: Environment) -> Agent:
        return OracleAgent(world.oracle_path(task))

    with Pool("errand", 2) as pool:
        played = {one.key: one for one in rollout(tasks, oracle, "oracle", rules, pool)}
    failed = played[tasks[0].key]
    assert failed.stop_reason is StopReason.ENVIRONMENT_ERROR
    assert failed.error.startswith("world 'errand': step(")
    assert len(failed.steps) == 2
    assert all(played[task.key].solved for task in tasks[1:])
    assert all(one.model_dump_json() for one in played.values())


def test_collecting_records_the_path_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Halting", ""))
    config = CollectConfig(environment="errand", split="test", types=("fetch",), per_type=50)
    summary: CollectSummary = collect(config, RunFolder(tmp_path / "run"), worlds=2)
    assert (summary.paths, summary.solved) == (49, 49)
    ((key, reason),) = summary.failed.items()
    assert key == TASK.key
    assert "step(" in reason


class Patched(ErrandWorld):
    """Has a method of its own in each object, which nothing is around."""

    def __init__(self) -> None:
        super().__init__()
        self.step = lambda _: None  # pyright: ignore


def test_a_method_that_stands_on_the_object_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "Patched", ""))
    with pytest.raises(EnvironmentFailed, match="step"):
        registry.make("errand")
