import gzip

import pytest

from subgoal.annotation.teachers.recorded import recorded_actions
from subgoal.errors import ConfigInvalid
from subgoal.trajectories.storage import (
    OraclePath,
    path_lines,
    recorded_paths,
    shipped_paths,
    write_paths,
)


def test_what_is_exported_can_be_brought_again(tmp_path, trajectories):
    assert write_paths(trajectories, tmp_path / "paths.jsonl") == len(trajectories)
    lines = [line for _, line in path_lines(tmp_path / "paths.jsonl")]
    paths = [OraclePath.model_validate_json(line) for line in lines]
    assert [(t.task.name, t.task.variation, t.actions) for t in trajectories] == [
        (path.task, path.variation, path.actions) for path in paths
    ]
    assert {path.environment for path in paths} == {"errand"}


@pytest.mark.parametrize("name", ["own.jsonl", "own.jsonl.gz"])
def test_lines_are_numbered_as_an_editor_numbers_them(tmp_path, name):
    text = b'\xef\xbb\xbf{"a": "\\u2028"}\r\n\n  \n["\xe2\x80\xa8"]\nlast'
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    found = {number: line.strip() for number, line in path_lines(tmp_path / name)}
    assert found == {1: b'{"a": "\\u2028"}', 4: b'["\xe2\x80\xa8"]', 5: b"last"}


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"nowhere\.jsonl cannot be read"):
        list(path_lines(tmp_path / "nowhere.jsonl"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(ConfigInvalid, match=r"cut\.jsonl\.gz cannot be read"):
        list(path_lines(tmp_path / "cut.jsonl.gz"))
    (tmp_path / "utf16.jsonl").write_text("{}", encoding="utf-16")
    with pytest.raises(ConfigInvalid, match="UTF-16"):
        list(path_lines(tmp_path / "utf16.jsonl"))


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
