"""The stage `evaluate` on the errand world: resumable by episode, agent by agent."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from subgoal.agents.config import AgentName
from subgoal.agents.released import released_agent
from subgoal.annotation.annotate import journal as annotations_of
from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.cluster import Worker
from subgoal.environments import registry
from subgoal.environments.base import Observation, StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import (
    ConfigInvalid,
    DataLeak,
    EnvironmentFailed,
    RunFolderInvalid,
    StudentInvalid,
    TaskUnknown,
)
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate, subgoals_of, tasks_of
from subgoal.evaluation.summary import BY_CHANCE, evaluated, journal, summarize
from subgoal.report.write import report
from subgoal.storage.digests import write_digests
from subgoal.storage.run_folder import RunFolder
from untrained import untrained_students

CONFIG = EvaluateConfig(
    environment="errand",
    protocol="test",
    per_type=4,
    agents=(AgentName.ORACLE, AgentName.RANDOM_ACTION),
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


class _Watched(ErrandWorld):
    """Keeps what is played; is interrupted at the reset after `until`, or broken from there on."""

    played: list[str] = []
    until = 10**9
    error: type[BaseException] = KeyboardInterrupt

    def reset(self, task: Task) -> Observation:
        if len(_Watched.played) >= _Watched.until:
            raise _Watched.error("stop")
        _Watched.played.append(task.key)
        return super().reset(task)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[_Watched]:
    monkeypatch.setitem(registry.WORLDS, "errand", (__name__, "_Watched", ""))
    _Watched.played, _Watched.until, _Watched.error = [], 10**9, KeyboardInterrupt
    return _Watched


def test_the_oracle_beats_chance_and_the_interval_says_so(folder: RunFolder) -> None:
    summary = evaluate(CONFIG, folder)
    chance, oracle = summary.agents
    assert (chance.agent, oracle.agent) == ("random_action", "oracle")
    assert oracle.overall.score.mean == oracle.overall.solved.mean == 100
    assert chance.overall.score.mean < 60
    (comparison,) = summary.comparisons
    assert (comparison.first, comparison.second) == ("random_action", "oracle")
    assert comparison.overall.difference.high < 0
    assert comparison.overall.p_value < 0.05


def test_an_interrupted_evaluation_plays_only_what_is_missing(
    folder: RunFolder, watched: type[_Watched], tmp_path: Path
) -> None:
    oracle = CONFIG.model_copy(update={"agents": (AgentName.ORACLE,)})
    watched.until = 5
    with pytest.raises(KeyboardInterrupt):
        evaluate(oracle, folder, worlds=1)
    store = journal(folder, "test", "oracle")
    done = set(store.by_key())
    assert 0 < len(done) <= 5
    with store.path.open("ab") as file:
        file.write(b'{"task": {"environment": "err')  # torn by a kill in mid-write
    watched.played, watched.until = [], 10**9
    summary = evaluate(oracle, folder, worlds=1)
    assert len(watched.played) == 12 - len(done)
    assert not done & set(watched.played)
    assert summary.agents[0].overall.episodes == 12
    assert store.sealed


def test_an_agent_can_be_added_and_a_complete_one_is_not_played_again(
    folder: RunFolder, watched: type[_Watched]
) -> None:
    evaluate(CONFIG.model_copy(update={"agents": (AgentName.ORACLE,)}), folder)
    watched.played = []
    summary = evaluate(CONFIG, folder)
    assert len(watched.played) == 12
    assert [scores.agent for scores in summary.agents] == ["random_action", "oracle"]
    assert evaluated(folder) == {"test": ["random_action", "oracle"]}


def test_another_configuration_is_refused_until_the_stage_is_forgotten(
    folder: RunFolder, watched: type[_Watched]
) -> None:
    oracle = CONFIG.model_copy(update={"agents": (AgentName.ORACLE,)})
    watched.until = 5
    with pytest.raises(KeyboardInterrupt):
        evaluate(oracle, folder, worlds=1)
    watched.until = 10**9
    other = oracle.model_copy(update={"per_type": 1})
    with pytest.raises(RunFolderInvalid, match="per_type: 4 -> 1"):
        evaluate(other, folder)
    folder.remove_stage("evaluate-test-oracle")
    assert evaluate(other, folder).agents[0].overall.episodes == 3


def test_a_world_that_always_breaks_off_ends_the_evaluation(
    folder: RunFolder, watched: type[_Watched]
) -> None:
    oracle = CONFIG.model_copy(update={"agents": (AgentName.ORACLE,)})
    watched.until, watched.error = 2, EnvironmentFailed
    with pytest.raises(EnvironmentFailed, match=r"6 episodes in a row; .* because: stop"):
        evaluate(oracle, folder, worlds=1)
    kept = journal(folder, "test", "oracle").by_key().values()
    assert sum(e.stop_reason is StopReason.ENVIRONMENT_ERROR for e in kept) == 6
    watched.until = 10**9
    summary = evaluate(oracle, folder, worlds=1)
    assert summary.agents[0].overall.score.mean == 100


def test_what_cannot_be_played_is_named(folder: RunFolder) -> None:
    with pytest.raises(TaskUnknown, match="no task type 'fetsch', did you mean 'fetch'"):
        evaluate(CONFIG.model_copy(update={"types": ("fetsch",)}), folder)
    with pytest.raises(StudentInvalid, match="flat"):
        evaluate(CONFIG.model_copy(update={"agents": (AgentName.FLAT,)}), folder)


class _Here:
    """A cluster of this process alone."""

    def spread(
        self,
        kind: type[Worker],
        shared: Mapping[str, bytes],
        groups: Sequence[Sequence[str]],
        memory: int,
    ) -> Iterator[tuple[Sequence[str], list[str]]]:
        worker = kind(shared)
        for group in groups:
            yield group, worker.work(group)
        worker.close()


def test_a_released_agent_plays_the_same_in_a_cluster(released: Path, tmp_path: Path) -> None:
    config, agent = CONFIG.model_copy(update={"per_type": 1}), released_agent(released)
    here, there = RunFolder(tmp_path / "here"), RunFolder(tmp_path / "there")
    evaluate(config, here, worlds=1, released=agent)
    cluster: Any = _Here()
    evaluate(config, there, worlds=1, cluster=cluster, released=agent)
    ours, theirs = (
        [e.model_copy(update={"seconds": 0.0}) for e in journal(f, "test", agent.name)]
        for f in (here, there)
    )
    assert len(ours) == 3
    assert ours == theirs


def test_a_released_agent_may_not_play_what_it_was_trained_on(
    released: Path, folder: RunFolder, tmp_path: Path
) -> None:
    copy = shutil.copytree(released, tmp_path / "copy")
    card = json.loads((copy / "both/student.json").read_text())
    card["trained_on"].append(tasks_of(CONFIG)[0].key)
    (copy / "both/student.json").write_text(json.dumps(card))
    write_digests(copy / "both")
    with pytest.raises(DataLeak, match="both trained on and played"):
        evaluate(CONFIG, folder, released=released_agent(copy))


def test_scores_of_students_that_were_trained_again_since_are_named_stale(
    released: Path, folder: RunFolder, tmp_path: Path
) -> None:
    copy = shutil.copytree(released, tmp_path / "copy")
    config = CONFIG.model_copy(update={"per_type": 1})
    summary = evaluate(config, folder, worlds=1, released=released_agent(copy))
    assert not any("students/both" in note for note in summary.notes)
    weights = copy / "both/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (note,) = (note for note in summarize(folder, "test").notes if "students/both" in note)
    assert "errand-agent" in note
    report(folder)
    stored = json.loads((folder / "report.json").read_text())
    assert "evaluate-test-errand-agent" in stored["notes"][0]
    assert "students/both" in stored["results"][0]["notes"][0] + stored["results"][0]["notes"][1]


def test_what_a_student_does_not_know_stands_in_the_record(
    released: Path, folder: RunFolder, tmp_path: Path
) -> None:
    copy = shutil.copytree(released, tmp_path / "copy")
    card = json.loads((copy / "both/student.json").read_text())
    card["trained_on"] = [key for key in card["trained_on"] if key.split("/")[1] != "fetch"]
    (copy / "both/student.json").write_text(json.dumps(card))
    write_digests(copy / "both")
    config = CONFIG.model_copy(update={"per_type": 1})
    summary = evaluate(config, folder, worlds=1, released=released_agent(copy))
    strange = "the student 'both': it was not trained on the task types fetch"
    assert f"errand-agent, {strange}" in summary.notes
    assert folder.need("evaluate-test-errand-agent", "evaluate").notes == (strange,)


def test_the_protocol_chooses_the_tasks() -> None:
    assert len(tasks_of(CONFIG)) == 12
    assert len(tasks_of(CONFIG.model_copy(update={"per_type": 0}))) == 60
    assert len(tasks_of(CONFIG.model_copy(update={"types": ("fetch",)}))) == 4


def test_a_protocol_of_ones_own_is_recorded(folder: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[protocols.short]\nbase = 'test'\ntypes = ['fetch']\nstep_limit = 3")
    asked = {"protocol": f"{file}:short", "per_type": 0, "agents": (AgentName.RANDOM_ACTION,)}
    config = CONFIG.model_copy(update=asked)
    summary = evaluate(config, folder, worlds=1)
    assert (summary.protocol, evaluated(folder)) == ("short", {"short": ["random_action"]})
    assert summary.agents[0].overall.episodes == 20
    assert max(len(episode.steps) for episode in journal(folder, "short", "random_action")) == 3

    file.write_text("[protocols.short]\nbase = 'test'\ntypes = ['fetch']\nstep_limit = 40")
    later = config.model_copy(update={"agents": (AgentName.ORACLE,)})
    summary = evaluate(later, folder, worlds=1)
    assert summary.comparisons == ()
    assert any("oracle" in note and "40 agent steps" in note for note in summary.notes)
    file.unlink()
    assert summarize(folder, "short") == summary


def test_limits_from_oracle_paths_are_recorded(folder: RunFolder) -> None:
    for types in ((), ("fetch",)):  # an agent that plays fewer types has the same limits
        agent = AgentName.RANDOM_ACTION if types else AgentName.ORACLE
        config = CONFIG.model_copy(update={"types": types, "agents": (agent,), "per_type": 1})
        summary = evaluate(config, folder, worlds=1)
    limits = folder.need("evaluate-test-oracle", "evaluate").config["protocol"]["type_step_limits"]
    assert sorted(limits) == ["deliver-two", "fetch", "visit-and-focus"]
    (episode,) = journal(folder, "test", "random_action")
    assert len(episode.steps) <= limits["fetch"]
    assert not any("other rules" in note for note in summary.notes)


class ChanceErrand(ErrandWorld):
    """Errand, as if it answered by chance."""

    deterministic = False


def test_a_world_that_answers_by_chance_is_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EvaluateConfig.model_validate(
        {"environment": "errand", "agents": ["oracle", "random_action"], "per_type": 1}
    )
    kept = evaluate(config, RunFolder(tmp_path / "kept"), worlds=1)
    assert BY_CHANCE not in kept.notes
    monkeypatch.setattr("subgoal.environments.errand.ErrandWorld", ChanceErrand)
    assert evaluate(config, RunFolder(tmp_path / "run"), worlds=1).notes.count(BY_CHANCE) == 1


def test_random_subgoals_need_annotations_to_draw_from(folder: RunFolder, tmp_path: Path) -> None:
    random = CONFIG.model_copy(update={"agents": (AgentName.RANDOM_SUBGOALS,)})
    with pytest.raises(ConfigInvalid, match=r"no sub-goals to draw from.*annotations"):
        evaluate(random, folder)
    nowhere = random.model_copy(update={"annotations": tmp_path / "nowhere.jsonl"})
    with pytest.raises(ConfigInvalid, match="there is no file"):
        evaluate(nowhere, folder)


def test_random_subgoals_are_those_of_the_types_that_students_learned(
    folder: RunFolder, annotated: Sequence[AnnotatedTrajectory]
) -> None:
    untrained_students(folder / "students", annotated)
    with closing(annotations_of(folder)) as store:
        for one in annotated:
            store.append(one)
    names = {kind: {str(s.subgoal) for s in spans} for kind, spans in _spans(annotated).items()}
    assert set(subgoals_of(CONFIG, folder)) == set[str]().union(*names.values())
    card = folder / "students/both/student.json"
    known = json.loads(card.read_text())
    card.write_text(json.dumps({**known, "trained_on": ["errand/fetch/1"]}))
    write_digests(card.parent)
    assert set(subgoals_of(CONFIG, folder)) == names["fetch"]


def _spans(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, list[SubgoalSpan]]:
    found: dict[str, list[SubgoalSpan]] = {}
    for one in annotated:
        found.setdefault(one.trajectory.task.name, []).extend(one.spans)
    return found
