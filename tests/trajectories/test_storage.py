import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.annotation.recorded import recorded_actions
from subgoal.errors import ConfigInvalid, DataCorrupt
from subgoal.trajectories.storage import read_paths, recorded_paths, shipped_paths, write_paths


def test_what_is_exported_can_be_brought_again(tmp_path, trajectories):
    assert write_paths(trajectories, tmp_path / "paths.jsonl") == len(trajectories)
    paths = read_paths(tmp_path / "paths.jsonl")
    assert {(t.task.name, t.task.variation): t.actions for t in trajectories} == {
        key: path.actions for key, path in paths.items()
    }
    assert {path.environment for path in paths.values()} == {"errand"}


@given(
    st.dictionaries(
        st.tuples(st.text(), st.integers(0, 10**6)), st.lists(st.text(), max_size=4), max_size=5
    )
)
def test_any_list_is_read_as_written_compressed_or_not(tmp_path_factory, rows):
    lines = [
        json.dumps({"task": task, "variation": number, "actions": actions, "scores": [1]})
        for (task, number), actions in rows.items()
    ]
    text = "".join(line + "\n" for line in lines).encode()
    folder = tmp_path_factory.mktemp("paths")
    (folder / "own.jsonl").write_bytes(text)
    (folder / "own.jsonl.gz").write_bytes(gzip.compress(text))
    for name in ("own.jsonl", "own.jsonl.gz"):
        found = read_paths(folder / name)
        assert {key: list(path.actions) for key, path in found.items()} == rows


@pytest.mark.parametrize(
    "line", ['{"task": "fetch"}', "{", "[1]", '{"task": "a", "variation": "x", "actions": []}']
)
def test_a_damaged_line_is_named(tmp_path, line):
    own = tmp_path / "own.jsonl"
    own.write_text('{"task": "fetch", "variation": 1, "actions": []}\n' + line + "\n")
    with pytest.raises(DataCorrupt, match=r"own\.jsonl line 2 is no path"):
        read_paths(own)


@pytest.mark.parametrize(
    "saved",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\n\n  \n"),
        lambda data: data.rstrip(b"\n"),
    ],
)
def test_a_list_is_the_same_from_every_editor(tmp_path, saved):
    own = tmp_path / "own.jsonl"
    actions = '["a\u2028b", "c\x85d"]'
    rows = [f'{{"task": "t", "variation": {i}, "actions": {actions}}}\n' for i in range(2)]
    own.write_bytes(saved("".join(rows).encode()))
    assert [path.actions for path in read_paths(own).values()] == [("a\u2028b", "c\x85d")] * 2


@pytest.mark.parametrize(
    ("data", "told", "error"),
    [
        (b'{"task": "t", "variation": 1, "actions": ["\\ud83d"]}', "line 1", DataCorrupt),
        (b'\n{"task": "t", "variation": 1, "actions": ["\xff"]}', "line 2", DataCorrupt),
        (b"[" * 100_000, "line 1", DataCorrupt),
        ('{"task": "t"}'.encode("utf-16"), "UTF-16", ConfigInvalid),
    ],
)
def test_what_no_store_can_hold_is_named(tmp_path, data, told, error):
    own = tmp_path / "own.jsonl"
    own.write_bytes(data)
    with pytest.raises(error) as caught:
        read_paths(own)
    assert str(own) in str(caught.value)
    assert told in str(caught.value)


def test_two_paths_of_one_task_are_refused(tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text('{"task": "fetch", "variation": 1, "actions": []}\n' * 2)
    with pytest.raises(DataCorrupt, match="line 2 is a second path of fetch 1"):
        read_paths(own)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"nowhere\.jsonl cannot be read"):
        read_paths(tmp_path / "nowhere.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(ConfigInvalid, match=r"cut\.jsonl\.gz cannot be read"):
        read_paths(tmp_path / "cut.jsonl.gz")


def test_the_shipped_lists_are_whole_and_of_train_variations():
    assert len(shipped_paths("scienceworld")) == 1729
    recorded = recorded_paths("scienceworld")
    assert {
        path.split for path in (*recorded.values(), *shipped_paths("scienceworld").values())
    } == {"train"}
    assert {key: path.actions for key, path in recorded.items()} == {
        key: actions for key, (_, actions) in recorded_actions("scienceworld").items()
    }
    assert shipped_paths("errand") == {}
