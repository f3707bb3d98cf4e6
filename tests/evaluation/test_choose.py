"""Untrained students that choose among valid actions."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from typing_extensions import override

from research.compared_engine import ComparedEngine
from subgoal.agents.base import Action, Agent, Turn
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_engine import OpenStudent, decided, open_student
from subgoal.agents.student_seat import check_student
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import corpus
from subgoal.engines.config import EngineConfig
from subgoal.environments import registry
from subgoal.environments.base import StepResult, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import EngineFailed
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.text.format import Role
from subgoal.text.tokenizers.words import WordTokenizer
from untrained import untrained_students

RULES = protocol("test", "errand").model_copy(update={"step_limit": 12})
NAMES = [AgentName.HIERARCHICAL, AgentName.FLAT]
CHOOSING = Decoding(choose=True)


def _tasks() -> list[Task]:
    return RULES.select(ErrandWorld().tasks("test"), per_type=1)


@pytest.fixture(scope="module")
def students(
    annotated: list[AnnotatedTrajectory], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("students")
    untrained_students(folder, annotated)
    return folder


class _Watched(ErrandWorld):
    """Keeps what was sent, with whether it was accepted, and what was valid then."""

    sent: list[tuple[str, bool, frozenset[str]]] = []

    @override
    def step(self, action: str) -> StepResult:
        valid = frozenset(self.valid_actions())
        result = super().step(action)
        self.sent.append((action, result.accepted, valid))
        return result


def _play(make: MakeAgent, worlds: int = 1, tasks: Sequence[Task] = ()) -> dict[str, Episode]:
    with Pool("errand", worlds) as pool:
        episodes = list(rollout(tasks or _tasks(), make, "agent", RULES, pool))
    return {e.key: e.model_copy(update={"seconds": 0.0}) for e in episodes}


@pytest.mark.parametrize("name", NAMES)
def test_what_the_world_refuses_is_followed_by_a_valid_action(
    students: Path, name: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Watched", ""))
    monkeypatch.setattr(_Watched, "sent", [])
    episodes = _play(AgentShop(students, decoding=CHOOSING).factory(name))
    sent = _Watched.sent
    refused = [number for number, (_, accepted, _) in enumerate(sent) if not accepted]
    assert refused
    for number in refused:
        action, accepted, valid = sent[number + 1]
        assert accepted
        assert action in valid
    steps = [step for episode in episodes.values() for step in episode.steps]
    assert all(step.accepted for step in steps)
    assert len([step for step in steps if step.predicted]) == len(refused)
    assert not any(step.action.startswith("focus on") for step in steps if step.predicted)
    stops = {episode.stop_reason for episode in episodes.values()}
    assert StopReason.INVALID_STREAK not in stops  # a choice that is accepted is a known action
    assert all(bool(step.subgoal) == (name is AgentName.HIERARCHICAL) for step in steps)


@pytest.mark.parametrize("name", NAMES)
def test_students_choose_the_same_however_many_are_at_once(students: Path, name: AgentName) -> None:
    make = AgentShop(students, decoding=CHOOSING).factory(name)
    alone = _play(make)
    assert alone == _play(make, 3)
    assert len({step.action for e in alone.values() for step in e.steps}) > 1
    assert alone != _play(AgentShop(students).factory(name))  # a choice, and no edit similarity


class _Stubborn(ErrandWorld):
    """Lists actions that it then refuses, as worlds do whose list is too long to be exact."""

    @override
    def step(self, action: str) -> StepResult:
        return super().step("nonsense" if action.startswith("look") else action)


def test_what_the_world_has_refused_is_not_chosen_before_it_has_done_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered: list[list[str]] = []

    class Looking(Agent):
        @override
        def act(self) -> Turn:
            return Action(text="lok")
            yield

        @override
        def choose(self, valid: Sequence[str]) -> Turn | None:
            offered.append(list(valid))
            return self._chosen(valid)

        def _chosen(self, valid: Sequence[str]) -> Turn:
            return Action(text=next((a for a in valid if a.startswith("look")), valid[0]))
            yield

    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Stubborn", ""))
    (episode,) = _play(lambda _, __: Looking(), tasks=_tasks()[:1]).values()
    sent = [(step.action, step.accepted) for step in episode.steps]
    looks = len([action for action in offered[0] if action.startswith("look")])
    assert looks
    tried = [action for action, accepted in sent[: looks + 1] if not accepted]
    assert len(set(tried)) == len(tried) == looks  # each once, then something that works
    assert sent[looks][1]
    assert set(tried).isdisjoint(offered[looks])
    assert "look around" in offered[looks + 1]  # the world has moved on


class _Asking(ErrandWorld):
    """Asks which of two is meant, and then wants a number."""

    language = ErrandWorld.language.model_copy(update={"asks": "Ambiguous request"})
    asks = False

    @override
    def step(self, action: str) -> StepResult:
        result = super().step("look around" if action in {"0", "1"} else action)
        if self.asks:
            self.asks = False
            return result.model_copy(update={"accepted": action in {"0", "1"}})
        self.asks = True
        said = "Ambiguous request: Please enter the number for the action you intended:\n"
        said += f"0:\t{action} (here)\n1:\t{action} (there)\n"
        return result.model_copy(update={"observation": said, "accepted": True})


@pytest.mark.parametrize("name", NAMES)
def test_where_the_world_asks_which_is_meant_the_student_chooses_a_number(
    students: Path, name: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Asking", ""))
    chosen = _play(AgentShop(students, decoding=CHOOSING).factory(name))
    asked = 0
    for episode in chosen.values():
        for step, after in pairwise(episode.steps):
            if step.observation.startswith("Ambiguous request"):
                assert after.action in {"0", "1"}
                assert after.accepted
                asked += 1
    assert asked > 5
    plain = _play(AgentShop(students).factory(name))
    assert any(
        s.predicted == "" and s.action not in {"0", "1"} and not s.accepted
        for e in plain.values()
        for s in e.steps
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_verb_that_is_never_replaced_does_not_become_a_number_either(
    students: Path, name: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Asking", ""))
    make = AgentShop(students, decoding=CHOOSING).factory(name)
    written = {s.predicted for e in _play(make).values() for s in e.steps if s.predicted}
    assert written
    verbs = tuple(text.split()[0] for text in written)
    language = _Asking.language.model_copy(update={"never_replaced": verbs})
    monkeypatch.setattr(_Asking, "language", language)
    steps = [step for episode in _play(make).values() for step in episode.steps]
    assert steps
    assert not any(step.predicted in written for step in steps)


class _Bare(ErrandWorld):
    """Knows one action, a decisive one."""

    @override
    def valid_actions(self) -> Sequence[str]:
        return ("focus on kitchen",)


def test_where_nothing_is_left_to_choose_the_refusal_is_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Focusing(Agent):
        @override
        def act(self) -> Turn:
            return Action(text="focus on iceam")
            yield

        @override
        def choose(self, valid: Sequence[str]) -> Turn | None:
            raise AssertionError("there is nothing to choose from")

    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Bare", ""))
    (episode,) = _play(lambda _, __: Focusing(), tasks=_tasks()[:1]).values()
    assert {(step.action, step.accepted) for step in episode.steps} == {("focus on iceam", False)}
    assert episode.stop_reason is StopReason.INVALID_STREAK


def _opened(students: Path) -> OpenStudent:
    folder = students / Role.FLAT
    return open_student(folder, Role.FLAT, decided(folder, Role.FLAT, EngineConfig()))


def test_what_cannot_be_constrained_is_refused(
    students: Path, annotated: list[AnnotatedTrajectory]
) -> None:
    student = _opened(students)
    words = WordTokenizer.train(corpus(annotated), 400)
    served = ComparedEngine(student.engine, student.engine)  # keeps to no constraint
    check_student(CHOOSING, student.engine, student.tokenizer)
    for engine, tokenizer in ((student.engine, words), (served, student.tokenizer)):
        check_student(Decoding(), engine, tokenizer)
        with pytest.raises(EngineFailed, match="needs a causal student with marks on the engine"):
            check_student(CHOOSING, engine, tokenizer)
