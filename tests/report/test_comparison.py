"""Did it help? Two runs, paired by task, and what differs between them."""

import json

import pytest

from subgoal.cli.main import main
from subgoal.environments.base import StopReason, Task
from subgoal.errors import RunFolderInvalid
from subgoal.evaluation.episode import Episode
from subgoal.evaluation.summary import journal, stage_name
from subgoal.record import Record
from subgoal.report.comparison import Verdict, compare_runs
from subgoal.storage.run_folder import RunFolder

TYPES = ("fetch", "visit", "focus")
LOW = [10, 40, 0, 70, 30, 20, 0, 50, 10, 60, 20, 30]
SCORES = {
    "better": [score + 20 + number % 3 for number, score in enumerate(LOW)],
    "worse": [max(0, score - 20) for score in LOW],
    "other": [score + (9 if number % 2 else -7) for number, score in enumerate(LOW)],
    "hardly": [score + (1 if number % 2 else -1) for number, score in enumerate(LOW)],
}


class Asked(Record):
    tokens: int = 0
    rendering: str = "folded"


def episode(number: int, score: float, agent: str = "flat") -> Episode:
    task = Task(environment="errand", name=TYPES[number % 3], variation=number // 3, split="test")
    return Episode(
        task=task,
        agent=agent,
        protocol="test",
        steps=(),
        score=int(score),
        final_score=int(score),
        stop_reason=StopReason.STEP_LIMIT,
        seconds=1.0,
        tokens=1,
    )


def run_of(place, scores, agent="flat", **asked) -> RunFolder:
    folder = RunFolder(place)
    folder.path.mkdir(exist_ok=True)
    with folder.stage("train-flat", Asked(**asked)) as stage:
        stage.finish({})
    with folder.stage(stage_name("test", agent), Asked()) as stage:
        store = journal(folder, "test", agent)
        for number, score in enumerate(scores):
            store.append(episode(number, score, agent))
        file = store.seal()
        stage.finish({str(file.relative_to(folder.path)): file})
    return folder


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("better", Verdict.HELPED),
        ("worse", Verdict.HARMED),
        ("other", Verdict.OPEN),
        ("hardly", Verdict.NOTHING),
    ],
)
def test_a_verdict_is_of_paired_episodes(tmp_path, name, verdict):
    run_of(tmp_path / "low", LOW, tokens=1)
    run_of(tmp_path / name, SCORES[name], tokens=2)
    (run,) = compare_runs([tmp_path / "low", tmp_path / name]).runs
    (found,) = run.scores
    pairs = [b - a for a, b in zip(LOW, SCORES[name], strict=True)]
    assert found.change.difference.mean == pytest.approx(sum(pairs) / len(pairs))
    assert found.verdict is verdict
    assert (found.enough is not None) == (verdict is Verdict.OPEN)
    assert [(one.key, one.before, one.after) for one in run.settings] == [("tokens", 1, 2)]


def test_few_episodes_tell_nothing_though_both_are_better(tmp_path):
    run_of(tmp_path / "low", LOW[:3])
    run_of(tmp_path / "high", [score + 30 for score in LOW[:3]])
    (found,) = compare_runs([tmp_path / "low", tmp_path / "high"]).runs[0].scores
    assert found.verdict is Verdict.OPEN
    assert found.change.difference.low > 0
    assert found.enough is not None


def test_only_shared_tasks_and_agents_are_compared(tmp_path):
    run_of(tmp_path / "low", LOW, tokens=1, rendering="window")
    run_of(tmp_path / "short", SCORES["better"][:9])
    run_of(tmp_path / "apart", LOW, "hierarchical")
    found = compare_runs([tmp_path / name for name in ("low", "short", "apart")])
    assert found.runs[0].scores[0].change.episodes == 9
    assert {one.key for one in found.runs[0].settings} == {"tokens", "rendering"}
    assert not found.runs[1].scores
    assert len(found.runs[1].notes) == 2
    stages = {one.stages for one in found.runs[1].settings if one.key == "stage"}
    assert stages == {("evaluate-test-flat",), ("evaluate-test-hierarchical",)}


def test_a_run_is_not_compared_with_itself(tmp_path):
    run_of(tmp_path / "low", LOW)
    with pytest.raises(RunFolderInvalid, match="low"):
        compare_runs([tmp_path / "low", tmp_path / "low" / ".." / "low"])


def test_what_cannot_be_compared_is_said_in_a_sentence(tmp_path):
    run_of(tmp_path / "low", LOW)
    run_of(tmp_path / "apart", LOW, "hierarchical")
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "apart").stage("more", Record()):
        raise KeyboardInterrupt
    found = compare_runs([tmp_path / "low", tmp_path / "apart"])
    assert "nothing can be compared" in str(found)
    assert any("more" in note for note in found.runs[0].notes)


def test_the_command_compares_as_text_and_as_json(tmp_path, capfd):
    for name, scores in (("low", LOW), ("better", SCORES["better"])):
        run_of(tmp_path / name, scores)
    words = ["runs", str(tmp_path / "low"), str(tmp_path / "better")]
    main(words)
    assert "flat, test: helped, +21.0" in capfd.readouterr().out
    main([*words, "--json"])
    assert json.loads(capfd.readouterr().out)["runs"][0]["scores"][0]["verdict"] == "helped"
    for words in (["runs", str(tmp_path / "low")], ["runs", str(tmp_path), str(tmp_path)]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2


def test_a_file_that_no_stage_wrote_is_a_setting(tmp_path):
    folders = [RunFolder(tmp_path / name) for name in ("one", "two")]
    for number, folder in enumerate(folders):
        (folder.path / "students").mkdir(parents=True)
        given, own = folder / "students/weights", folder / "own"
        given.write_text(f"from elsewhere {number}")
        with folder.stage("collect", Asked()) as stage:
            own.write_text(f"of a stage {number}")
            stage.finish({"own": own})
        with folder.stage("play", Asked(), {"students/flat": given, "own": own}) as stage:
            stage.finish({})
    (run,) = compare_runs([folder.path for folder in folders]).runs
    assert [(one.key, one.stages) for one in run.settings] == [("file.students/flat", ("play",))]
