"""Trajectories are written for other tools, and come back whole."""

import json
from contextlib import closing
from typing import cast

import pytest

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.errors import ExportFailed, RunFolderInvalid
from subgoal.pipeline import Run
from subgoal.release.log_export import export_trajectories
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.importing import archive, import_logs
from subgoal.trajectories.logs.reading import conversations
from subgoal.trajectories.logs.writing import LogForm
from subgoal.trajectories.storage import journal

FUNCTION = {"name": "find", "arguments": '{"city": "Rome"}'}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Rome?"},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Look.",
        "tool_calls": [{"id": "c1", "type": "function", "function": FUNCTION}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "3"},
    {"role": "assistant", "content": "There are 3.", "weight": 0},
]
SUBGOALS = [("look(Rome)", 1), ("answer()", 2)]


@pytest.fixture
def run(tmp_path):
    log = tmp_path / "log.jsonl"
    records = [{"id": name, "reward": 1, "task": {"n": 1}, "messages": TALK} for name in "ab"]
    log.write_text("\n".join(map(json.dumps, [*records, {"id": "c", "messages": TALK[:2]}])))
    folder = RunFolder(tmp_path / "run")
    import_logs(LogsConfig(files=(log,)), folder)
    first = next(iter(journal(folder)))
    with closing(annotate.journal(folder)) as kept:
        kept.append(AnnotatedTrajectory.of(first, SUBGOALS, teacher="test"))
    return folder


def imported(files, folder):
    import_logs(LogsConfig(files=tuple(files), environment="log:log"), folder)
    return folder


@pytest.mark.parametrize("form", LogForm)
def test_a_log_comes_back_whole(run, tmp_path, form):
    out = tmp_path / "out"
    assert "2 trajectories" in export_trajectories(run, out, form).what
    again = imported([out] if out.is_file() else sorted(out.iterdir()), RunFolder(tmp_path / "new"))
    assert [path.steps for path in journal(again)] == [path.steps for path in journal(run)]
    for before, after in zip(archive(run), archive(again), strict=True):
        assert (after.id, after.messages) == (before.id, before.messages)
        assert after.fields.items() >= before.fields.items()
    told = [one.fields.get("subgoals") for one in archive(again)]
    assert told == [[list(pair) for pair in SUBGOALS], None]


def test_steps_of_other_tools_name_their_subgoals(run, tmp_path):
    export_trajectories(run, tmp_path / "out", LogForm.ATIF)
    document = json.loads((tmp_path / "out" / "000001.json").read_text())
    named = [step.get("extra") for step in document["steps"]]
    assert named == [None, None, {"subgoal": "look(Rome)"}, {"subgoal": "answer()"}]


@pytest.mark.parametrize("form", LogForm)
def test_paths_through_a_world_are_conversations(tmp_path, form):
    run = Run(tmp_path / "run", {"world": {"environment": "errand"}})
    run.collect(per_type=1)
    paths = list(journal(run.folder))
    out = tmp_path / "out"
    assert f"{len(paths)} traj" in export_trajectories(run.folder, out, form).what
    for file in [out] if out.is_file() else sorted(out.iterdir()):
        for one in cast("list[LoggedConversation]", list(conversations(file))):
            path = next(path for path in paths if path.key == one.id)
            assert tuple(turn.text for turn in one.turns) == path.actions
            assert one.fields["reward"] == path.final_score / 100


def test_nothing_is_written_over(run, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportFailed):
        export_trajectories(run, tmp_path / "out", LogForm.MESSAGES)
    with pytest.raises(RunFolderInvalid):
        export_trajectories(RunFolder(tmp_path / "none"), tmp_path / "new", LogForm.ATIF)
