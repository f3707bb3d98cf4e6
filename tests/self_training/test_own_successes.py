"""An agent's own successes become paths: chosen, relabelled, replayed, learned from."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from subgoal.agents.base import Action, Agent, Turn
from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.annotation.annotate import journal_at
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal
from subgoal.cli.main import main
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build
from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.play import MakeAgent
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.self_training.config import ImproveConfig
from subgoal.self_training.own_path import Replay, Worth, own_path, repetitions, worth
from subgoal.self_training.own_successes import improve, journal
from subgoal.storage.run_folder import RunFolder
from subgoal.text.conditions import conditions, with_reasons, without_reason
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.trajectories.replay import replay
from untrained import untrained_students

RULES = protocol("test", "errand").model_copy(update={"split": "train"})


class _Led(Agent):
    """Says what it is given, each action under a sub-goal."""

    def __init__(self, moves: Sequence[tuple[str, str]]) -> None:
        self._moves = list(moves)

    @override
    def act(self) -> Turn:
        action, goal = self._moves.pop(0) if self._moves else ("look around", "wait()")
        return Action(text=action, subgoal=goal)
        yield


def _moves(world: Environment, task: Task, slip: bool = False) -> list[tuple[str, str]]:
    path = list(world.oracle_path(task))
    half = len(path) // 2
    goals = ["do(the first half)"] * half + ["do(the rest)"] * (len(path) - half)
    walked = list(zip(path, goals, strict=True))
    return [*walked[:1], ("sing a song", walked[0][1]), *walked[1:]] if slip else walked


def _played(make: MakeAgent, tasks: Sequence[Task]) -> list[Episode]:
    with Pool("errand", 1) as pool:
        return list(rollout(tasks, make, "own 1", RULES, pool))


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return list(ErrandWorld().tasks("train"))


def _again(task: Task) -> Replay:
    world = ErrandWorld()
    return lambda actions: replay(world, task, actions, "self")


def test_worth_is_what_is_new_shorter_or_found_back(tasks: list[Task]) -> None:
    (plain,) = _played(lambda task, world: _Led(_moves(world, task)), tasks[:1])
    (slipped,) = _played(lambda task, world: _Led(_moves(world, task, slip=True)), tasks[:1])
    moves = plain.steps[-1].moves
    assert worth(plain, None) is Worth.NEW
    assert worth(plain, moves + 1) is Worth.SHORTER
    assert worth(plain, moves) is None
    assert worth(slipped, moves) is Worth.RECOVERED
    failed = plain.model_copy(update={"stop_reason": StopReason.FAILED})
    assert worth(failed, None) is None
    (flat,) = _played(
        lambda task, world: _Led([(action, "") for action, _ in _moves(world, task)]), tasks[:1]
    )
    assert worth(flat, None) is None  # it has no sub-goals to learn from


def test_an_own_path_is_the_episode_under_its_sub_goals(tasks: list[Task]) -> None:
    for episode in _played(lambda task, world: _Led(_moves(world, task, slip=True)), tasks[::30]):
        one = own_path(episode, _again(episode.task), "own 1 new")
        assert one is not None
        assert [step.action for step in one.trajectory.steps] == [s.action for s in episode.steps]
        assert one.trajectory.final_score == 100
        said = [str(span.subgoal) for span in one.spans for _ in range(span.first, span.last + 1)]
        assert said == [step.subgoal for step in episode.steps]
        assert [step.injected for step in one.trajectory.steps] == [
            not step.accepted for step in episode.steps
        ]
        assert one.key == f"{episode.task.key}#own 1 new"
        # what was a mistake is read and not learned
        tokenizer = MarkTokenizer.train([str(one)], 400)
        texts = build([one], Role.BOTH, DatasetConfig(context=4000), tokenizer)
        read = [tokenizer.decode(text.ids.tolist()) for text in texts]
        learned = [tokenizer.decode(text.ids[text.learned].tolist()) for text in texts]
        assert any("sing a song" in text for text in read)
        assert not any("sing a song" in text for text in learned)


def test_what_is_only_done_again_is_left_out(tasks: list[Task]) -> None:
    def again(task: Task, world: Environment) -> Agent:
        first, *rest = _moves(world, task)
        return _Led([first, *[("look around", first[1])] * 4, *rest])

    (episode,) = _played(again, tasks[:1])
    (plain,) = _played(lambda task, world: _Led(_moves(world, task)), tasks[:1])
    found = own_path(episode, _again(episode.task), "own")
    assert found is not None
    walked = [step.action for step in plain.steps]
    assert list(found.trajectory.actions) == [walked[0], "look around", *walked[1:]]
    assert len(found.spans) == 2
    assert found.spans[-1].last == len(found.trajectory.steps)


def test_waiting_is_no_repetition(tasks: list[Task]) -> None:
    (plain,) = _played(lambda task, world: _Led(_moves(world, task)), tasks[:1])
    science = tasks[0].model_copy(update={"environment": "scienceworld"})

    def steps(*actions: str) -> Episode:
        many = [plain.steps[0].model_copy(update={"action": action}) for action in actions]
        return plain.model_copy(update={"task": science, "steps": tuple(many)})

    assert repetitions(steps("wait1", "wait1", "use thermometer on ice")) == frozenset()
    assert repetitions(steps("examine ice", "examine ice", "wait", "wait")) == {1}
    assert repetitions(steps("teleport to kitchen", "teleport to kitchen")) == {1}


def test_what_cannot_be_replayed_or_is_no_sub_goal_is_left_out(tasks: list[Task]) -> None:
    (episode,) = _played(lambda task, world: _Led(_moves(world, task)), tasks[:1])
    other = next(task for task in tasks if task.name != episode.task.name)
    assert own_path(episode, _again(other), "own") is None
    steps = tuple(s.model_copy(update={"subgoal": "do the dishes"}) for s in episode.steps)
    garbled = episode.model_copy(update={"steps": steps})
    assert own_path(garbled, _again(episode.task), "own") is None


def test_a_reason_that_is_taken_away_can_be_given_again(
    annotated: list[AnnotatedTrajectory],
) -> None:
    one = annotated[0]
    goal = one.spans[-1].subgoal.model_copy(update={"arguments": ("foil", "green box")})
    said = (
        "If it is electrically conductive, place it in the green box. If it is electrically "
        "nonconductive, place it in the blue box."
    )
    task = one.trajectory.task.model_copy(update={"description": said})
    span = one.spans[-1].model_copy(update={"subgoal": goal})
    asked = one.model_copy(
        update={
            "trajectory": one.trajectory.model_copy(update={"task": task}),
            "spans": (*one.spans[:-1], span),
        }
    )
    reasoned = with_reasons(asked).spans[-1].subgoal
    assert reasoned.arguments[0] == "conductive, place it in the green box"
    written = Subgoal.parse(str(reasoned))
    assert without_reason(written, conditions(said)) == goal
    assert without_reason(reasoned, conditions(said)) == goal
    assert without_reason(goal, conditions(said)) == goal


@pytest.fixture
def run(
    annotated: list[AnnotatedTrajectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunFolder:
    """A run folder with annotations and students, who are led where a student would be asked."""
    path = str(tmp_path / "run")
    errand = ["--world.environment", "errand", "--world.simplifications", ""]
    main(["collect", "--run", path, *errand, "--collect.per-type", "3"])
    main(["annotate", "--run", path, "--annotate.teacher", "scripted", "--samples", "0"])
    untrained_students(tmp_path / "run" / "students", annotated)

    def factory(shop: AgentShop, name: AgentName) -> MakeAgent:
        shop.load(name)
        return lambda task, world: _Led(_moves(world, task, slip=task.variation % 2 == 1))

    monkeypatch.setattr(AgentShop, "factory", factory)
    return RunFolder(tmp_path / "run")


def test_the_stage_adds_the_agents_own_paths_to_those_that_were(run: RunFolder) -> None:
    config = ImproveConfig(environment="errand", simplifications="", per_type=100, tries=2)
    summary = improve(config, run, worlds=2)
    old = journal_at(run / "annotations.jsonl.zst").by_key()
    new = journal(run).by_key()
    assert {key: new[key] for key in old} == old
    own = [one for key, one in new.items() if key not in old]
    assert (
        summary.paths
        == len(own)
        == sum(count for gain in summary.by_type.values() for count in gain.kept.values())
    )
    assert {gain.played for gain in summary.by_type.values()} == {200}
    assert all(gain.solved == gain.played for gain in summary.by_type.values())
    reasons = {Worth(one.variant.rpartition(" ")[2]) for one in own}
    assert reasons == {Worth.NEW, Worth.RECOVERED}
    ways = [(one.trajectory.task.key, one.trajectory.actions) for one in own]
    assert len(set(ways)) == len(ways)  # the second try took the same way
    assert improve(config, run, worlds=1) == summary  # complete: nothing is played again


def test_an_interrupted_stage_goes_on(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ImproveConfig(environment="errand", simplifications="", per_type=4)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("subgoal.self_training.own_successes._own_paths", broken)
        with pytest.raises(KeyboardInterrupt):
            improve(config, run, worlds=1)
    monkeypatch.setattr("subgoal.self_training.own_successes.rollout", _no_more)
    summary = improve(config, run, worlds=1)
    assert summary.paths > 0


def _no_more(tasks: Sequence[Task], *_: object) -> list[Episode]:
    assert not tasks, "played again"
    return []


def test_a_file_of_annotations_that_is_missing_is_named(run: RunFolder) -> None:
    with pytest.raises(ConfigInvalid, match=r"annotations: there is no file"):
        improve(ImproveConfig(environment="errand", annotations=Path("none.jsonl")), run)


def test_the_command_says_what_each_type_brought(
    run: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--world.environment", "errand", "--world.simplifications", ""]
    main(["improve", "--run", str(run.path), *words, "--improve.per-type", "4", "--worlds", "1"])
    said = capfd.readouterr().out
    assert "paths of the agent's own" in said
    assert "recovered" in said  # a heading, which a narrow terminal breaks after "kept:"
    assert str(run / "improved.jsonl.zst") in said
