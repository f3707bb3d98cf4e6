"""Rollouts in the errand world: the same episodes however many at once, and every ending."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from typing_extensions import override

from subgoal.agents.base import Action, Agent, Turn
from subgoal.agents.baselines import OracleAgent, RandomActionAgent
from subgoal.agents.config import AgentName
from subgoal.agents.dialogue import Replacement
from subgoal.agents.factory import AgentShop
from subgoal.engines.base import Generation
from subgoal.engines.llama_forward import KeyValueCache
from subgoal.engines.prefix import PrefixStream
from subgoal.environments import registry
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import EnvironmentFailed
from subgoal.evaluation.capacity import episodes_at_once, prefix_bytes
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent
from subgoal.evaluation.protocol import Protocol, protocol
from subgoal.evaluation.rollout import rollout
from subgoal.students.build import make_student
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, save_student
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer

PLAIN = protocol("test", "errand").model_copy(update={"move_limit": 100})


def _tasks(per_type: int = 3) -> list[Task]:
    return PLAIN.select(ErrandWorld().tasks("test"), per_type=per_type)


def _oracle(task: Task, world: Environment) -> Agent:
    return OracleAgent(world.oracle_path(task))


def _random(task: Task, _: Environment) -> Agent:
    return RandomActionAgent(task.variation)


def _play(
    make: MakeAgent, tasks: Sequence[Task], worlds: int = 1, rules: Protocol = PLAIN
) -> dict[str, Episode]:
    with Pool("errand", worlds) as pool:
        episodes = list(rollout(tasks, make, "agent", rules, pool))
    assert len(episodes) == len(tasks)
    return {e.key: e.model_copy(update={"seconds": 0.0}) for e in episodes}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> AgentShop:
    """Untrained students: what they write is varied nonsense, but always the same."""
    folder: Path = tmp_path_factory.mktemp("students")
    worlds = [ErrandWorld().reset(task) for task in _tasks()]
    tokenizer = MarkTokenizer.train([opening.look for opening in worlds], 400)
    for role in (Role.BOTH, Role.FLAT):
        model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, 0, 0.2)
        card = StudentCard(
            role=role,
            form=TextFormat(context=512, turn=12),
            data="",
            parameters=0,
            tokens=0,
            loss=0.0,
            dev_loss=None,
            seconds=0.0,
            seed=0,
            trained_on=(),
        )
        save_student(folder / role, Student(model.eval(), tokenizer, card))
    return AgentShop(folder)


def test_the_oracle_solves_everything_and_chance_does_not() -> None:
    oracle = _play(_oracle, _tasks(10), 3)
    assert {episode.score for episode in oracle.values()} == {100}
    assert {episode.stop_reason for episode in oracle.values()} == {StopReason.SOLVED}
    chance = _play(_random, _tasks(10), 3)
    assert sum(e.score for e in chance.values()) < 50 * len(chance)


@pytest.mark.parametrize("make", [_oracle, _random])
def test_scripted_episodes_do_not_depend_on_how_many_are_at_once(make: MakeAgent) -> None:
    alone = _play(make, _tasks(), 1)
    assert alone == _play(make, _tasks(), 4)
    assert list(alone) == [task.key for task in _tasks()]


@pytest.mark.parametrize("name", [AgentName.HIERARCHICAL, AgentName.FLAT])
def test_students_play_the_same_however_many_are_at_once(shop: AgentShop, name: AgentName) -> None:
    rules = PLAIN.model_copy(update={"step_limit": 5})
    alone = _play(shop.factory(name), _tasks(2), 1, rules)
    assert alone == _play(shop.factory(name), _tasks(2), 4, rules)
    for episode in alone.values():
        assert episode.tokens > 0
        assert all(bool(step.subgoal) == (name is AgentName.HIERARCHICAL) for step in episode.steps)
    assert len({step.action for e in alone.values() for step in e.steps}) > 1


def test_limits_of_moves_and_of_steps_end_an_episode() -> None:
    class Waiting(Agent):
        @override
        def act(self) -> Turn:
            return Action(text="wait")
            yield

    def waiting(_: Task, __: Environment) -> Agent:
        return Waiting()

    (episode,) = _play(waiting, _tasks()[:1]).values()
    assert (episode.stop_reason, len(episode.steps)) == (StopReason.STEP_LIMIT, 10)
    assert episode.steps[-1].moves == 100
    rules = PLAIN.model_copy(update={"step_limit": 4})
    (episode,) = _play(waiting, _tasks()[:1], 1, rules).values()
    assert (episode.stop_reason, len(episode.steps)) == (StopReason.STEP_LIMIT, 4)


class _Wordy(OracleAgent):
    """Writes the right actions as sentences, which the world does not know."""

    grounded = True

    @override
    def act(self) -> Turn:
        action = yield from super().act()
        return Action(text=f"{action.text.capitalize()}.", subgoal="be_wordy()")


def test_an_action_in_another_dress_is_repaired_and_both_are_kept() -> None:
    def wordy(task: Task, world: Environment) -> Agent:
        return _Wordy(world.oracle_path(task))

    for task in _tasks(2):
        (episode,) = _play(wordy, [task]).values()
        for step in episode.steps:
            if step.action.lower().startswith("focus"):  # the world lets no such word be replaced
                assert (step.predicted, step.replaced, step.accepted) == ("", None, False)
                continue
            assert (step.predicted, step.accepted) == (f"{step.action.capitalize()}.", True)
            assert step.replaced is Replacement.REPAIRED
            assert step.subgoal == "be_wordy()"
            assert step.invalid
        assert episode.solved == (task.name != "visit-and-focus")


def test_an_agent_that_is_not_grounded_sends_what_it_writes() -> None:
    def wordy(task: Task, world: Environment) -> Agent:
        agent = _Wordy(world.oracle_path(task))
        agent.grounded = False
        return agent

    (episode,) = _play(wordy, _tasks()[:1]).values()
    assert episode.stop_reason is StopReason.INVALID_STREAK
    assert all(step.replaced is None and not step.accepted for step in episode.steps)


class _Breaking(ErrandWorld):
    """Breaks off at the third step, as often as `left` says."""

    left = 0

    @override
    def step(self, action: str) -> StepResult:
        result = super().step(action)
        if result.moves == 3 and _Breaking.left > 0:
            _Breaking.left -= 1
            raise EnvironmentFailed("the world is gone")
        return result


def test_a_world_that_breaks_off_is_replaced_once_and_then_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Breaking", ""))
    _Breaking.left = 1
    (episode,) = _play(_oracle, _tasks()[:1]).values()
    assert (episode.stop_reason, episode.error) == (StopReason.SOLVED, "")
    _Breaking.left = 2
    (episode,) = _play(_oracle, _tasks()[:1]).values()
    assert episode.stop_reason is StopReason.ENVIRONMENT_ERROR
    assert (episode.error, len(episode.steps)) == ("the world is gone", 2)


def test_a_closed_pool_lends_nothing() -> None:
    pool = Pool("errand", 1)
    pool.close()
    with pytest.raises(EnvironmentFailed, match="closed"), pool.world():
        pass


def test_texts_that_were_shortened_are_counted(shop: AgentShop) -> None:
    """Untrained students write turns to their limit, so a few steps fill 512 tokens."""
    episodes = _play(shop.factory(AgentName.FLAT), _tasks(2), 2)
    assert any(episode.shortened for episode in episodes.values())
    rules = PLAIN.model_copy(update={"step_limit": 1})
    brief = _play(shop.factory(AgentName.FLAT), _tasks(1), 1, rules)
    assert not any(episode.shortened for episode in brief.values())


class _SlowToBegin(ErrandWorld):
    """Its third episode does not begin before another one has gone on."""

    begun = 0
    went_on = threading.Event()
    held_up = False

    @override
    def reset(self, task: Task) -> Observation:
        _SlowToBegin.begun += 1
        if _SlowToBegin.begun == 3:
            self.went_on.clear()
            _SlowToBegin.held_up = not self.went_on.wait(20)
        return super().reset(task)

    @override
    def step(self, action: str) -> StepResult:
        self.went_on.set()
        return super().step(action)


def test_an_episode_that_begins_holds_nobody_up(
    shop: AgentShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {task.name: 3 if number == 0 else 9 for number, task in enumerate(_tasks(1))}
    rules = PLAIN.model_copy(update={"type_step_limits": limits})
    alone = _play(shop.factory(AgentName.FLAT), _tasks(1), 1, rules)
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_SlowToBegin", ""))
    assert _play(shop.factory(AgentName.FLAT), _tasks(1), 2, rules) == alone
    assert _SlowToBegin.begun == 3
    assert not _SlowToBegin.held_up


def test_fewer_episodes_are_played_at_once_where_their_texts_would_not_fit(
    shop: AgentShop,
) -> None:
    make, engines = shop.factory(AgentName.FLAT), shop.loaded_engines(AgentName.FLAT)
    megabytes = prefix_bytes(engines) // 2**20
    assert megabytes == 4  # 4 layers, keys and values of 128 floats, 1,024 tokens
    assert episodes_at_once(engines, 9, 5 * megabytes) == 5
    assert episodes_at_once(engines, 2, 5 * megabytes) == 2
    assert episodes_at_once(engines, 9, 1) == 1
    assert episodes_at_once((), 9, 1) == 9
    seen: list[int] = []

    def counting(task: Task, world: Environment) -> Agent:
        seen.append(id(world))
        return make(task, world)

    rules = PLAIN.model_copy(update={"step_limit": 2})
    with Pool("errand", 4) as pool:
        assert len(list(rollout(_tasks(1), counting, "agent", rules, pool, at_once=1))) == 3
    assert len(set(seen)) == 1


def test_the_caches_of_an_episode_stay_within_what_is_said(shop: AgentShop) -> None:
    shop.factory(AgentName.FLAT)
    (engine,) = shop.loaded_engines(AgentName.FLAT)
    stream = engine.open()
    stream.extend([5] * (engine.context - 1))
    engine.generate([Generation(stream, frozenset(), 1)])
    assert isinstance(stream, PrefixStream)
    assert isinstance(stream.held, KeyValueCache)
    assert stream.held.keys.nbytes + stream.held.values.nbytes == engine.stream_bytes
