"""Logs become the trajectories of a run, and what is left out is accounted for."""

import json
import zlib

import pytest

from subgoal.environments.base import StopReason
from subgoal.errors import ConfigInvalid, RunFolderInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.unpacking import counted
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.formats.base import SkipKind
from subgoal.trajectories.logs.formats.own import conversation_of
from subgoal.trajectories.logs.importing import archive, import_logs
from subgoal.trajectories.logs.reading import conversations
from subgoal.trajectories.storage import journal


def said(author, text):
    return {"role": author, "content": text}


def chat(*texts):
    """Return messages of user and agent in turn."""
    return [said(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)]


@pytest.fixture
def run(tmp_path):
    def imported(records, **settings):
        text = "\n".join(map(json.dumps, records))
        log = tmp_path / "log.jsonl"
        log.write_text(text)
        folder = RunFolder(tmp_path / str(zlib.crc32(text.encode())))
        told = import_logs(LogsConfig(files=(log,), **settings), folder)
        return told, list(journal(folder)), folder

    return imported


def test_what_is_learned_from_is_chosen_by_reward_type_and_group(run):
    records = [
        {"id": name, "task": {"kind": kind, "no": no}, "reward": reward, "messages": chat("a", "b")}
        for name, kind, no, reward in (
            ("0", "x", 7, 1),
            ("1", "x", 7, 0.5),
            ("2", "y", 7, 1.0),
            ("3", "x", 9, 0),
        )
    ]
    told, paths, _ = run(records, task_type_key="task.kind", group_key="task.no", min_reward=0.5)
    assert (told.taken, told.learned) == ({"x": 3, "y": 1}, {"x": 2, "y": 1})
    solved, failed = StopReason.SOLVED, StopReason.FAILED
    ends = {path.variant: (path.stop_reason, path.final_score) for path in paths}
    assert ends == {"0": (solved, 100), "1": (solved, 50), "2": (solved, 100), "3": (failed, 0)}
    group = {path.variant: path.task.variation for path in paths}
    assert group["0"] == group["1"]
    assert len(set(group.values())) == 3


@pytest.mark.parametrize("reward", ["1.0", [1], {"a": 1}, float("nan")])
def test_a_reward_that_is_no_number_is_named(run, reward):
    records = [{"id": "a", "r": reward, "messages": chat("a", "b")},
               {"id": "b", "r": True, "messages": chat("a", "b")}]  # fmt: skip
    told, (path,), _ = run(records, reward_key="r")
    assert (path.variant, path.final_score) == ("b", 100)
    (out,) = told.left_out
    assert (out.kind, out.count) == (SkipKind.REWARD, 1)
    assert "log.jsonl:1" in out.examples[0]


@pytest.mark.parametrize("key", ["reward", "score", "info.reward"])
def test_a_reward_is_found_under_the_name_that_the_log_has(run, key):
    record = {"id": "a", "messages": chat("a", "b")}
    outer, _, inner = key.rpartition(".")
    record |= {outer: {inner: 0.5}} if outer else {inner: 0.5}
    assert run([record], reward_key=key, min_reward=0.4)[1][0].final_score == 50


def test_requests_that_repeat_their_history_are_learned_once(run):
    whole = chat("a", "b", "c", "d", "e", "f")
    requests = [{"id": str(end), "messages": whole[:end]} for end in (2, 4, 6)]
    told, (path,), _ = run([*requests, {"id": "x", "messages": chat("a", "B")}][:3])
    assert [step.action for step in path.steps] == ["b", "d", "f"]
    assert [(one.kind, one.count) for one in told.left_out] == [(SkipKind.HISTORY, 2)]


def test_results_of_calls_that_share_an_id_are_in_order(run):
    calls = [
        {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in ("a", "b")
    ]
    results = [{**said("tool", text), "tool_call_id": "c"} for text in ("of a", "of b")]
    turn = {"role": "assistant", "content": None, "tool_calls": calls}
    _, (path,), _ = run([{"messages": [said("user", "x"), turn, *results]}])
    assert path.steps[0].observation == "a: of a\nb: of b"


def test_equal_trials_are_all_kept(run):
    records = [{"id": name, "messages": chat("a", "b")} for name in "xy"]
    assert [path.variant for path in run(records)[1]] == ["x", "y"]


def test_conversations_are_kept_as_they_were_read(run):
    record = {"id": "a", "extra": {"k": [1]}, "messages": [*chat("a", "b"), said("user", "late")]}
    _, (path,), folder = run([record])
    (kept,) = archive(folder)
    assert kept.fields == {"extra": {"k": [1]}}
    assert [message.text for message in kept.messages] == ["a", "b", "late"]
    assert path.steps[0].observation == "late"


def test_an_array_of_one_line_is_read_whole(tmp_path):
    log, told = tmp_path / "log.json", list[float]()
    log.write_text(json.dumps([{"messages": chat("a", str(n) * 50_000)} for n in range(5)]))
    with counted(told.append):
        names = [one.id for one in conversations(log) if isinstance(one, LoggedConversation)]
    assert names == ["log-1", "log-1-2", "log-1-3", "log-1-4", "log-1-5"]
    assert sum(told) == log.stat().st_size


def test_a_second_import_is_the_first_one_again(run):
    records = [{"id": "a", "messages": chat("a", "b")}, {"id": "b", "messages": chat("a")}]
    first = run(records)[0]
    assert run(records)[0] == first
    assert first.left_out[0].kind is SkipKind.EMPTY


def test_logs_of_which_nothing_can_be_used_are_an_error_that_says_why(run, tmp_path):
    with pytest.raises(ConfigInvalid, match=str(SkipKind.EMPTY)):
        run([{"messages": chat("a")}])
    with pytest.raises(ConfigInvalid, match="no record"):
        run([])
    with pytest.raises(ConfigInvalid, match="missing"):
        import_logs(LogsConfig(files=(tmp_path / "missing",)), RunFolder(tmp_path / "other"))
    with pytest.raises(ConfigInvalid, match="no format"):
        run([{"x": 1}])


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"messages": chat("a", "b")}))
    again = tmp_path / "." / "x" / ".." / "log.jsonl"
    (tmp_path / "x").mkdir()
    with pytest.raises(ConfigInvalid, match=r"log\.jsonl"):
        import_logs(LogsConfig(files=(log, again)), RunFolder(tmp_path / "run"))


def test_thoughts_are_learned_where_that_is_asked_for(run):
    thought = {"role": "assistant", "content": "Gladly.", "reasoning_content": "He is in a hurry."}
    records = [{"id": "a", "messages": [said("user", "hi"), thought]}]
    _, (plain,), _ = run(records)
    assert plain.steps[0].action == "Gladly."
    _, (path,), folder = run([*records, {"id": "b", "messages": []}], thoughts=True)
    assert path.steps[0].action == "<think>\nHe is in a hurry.\n</think>\nGladly."
    assert conversation_of(path).turns[0].thought == "He is in a hurry."
    (kept,) = archive(folder)
    assert (kept.turns[0].text, kept.turns[0].thought) == ("Gladly.", "He is in a hurry.")


def test_what_was_imported_before_thoughts_could_be_learned_is_still_the_same(run):
    records = [{"id": "a", "messages": chat("hi", "Gladly.")}]
    _, _, folder = run(records)
    file = folder / "collect.stage.json"
    manifest = json.loads(file.read_text())
    assert manifest["config"].pop("thoughts") is False
    file.write_text(json.dumps(manifest))
    run(records)
    with pytest.raises(RunFolderInvalid, match="thoughts: False -> True"):
        run(records, thoughts=True)
