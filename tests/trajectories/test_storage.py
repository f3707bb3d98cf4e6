import gzip

import pytest

from subgoal.annotation.teachers.recorded import recorded_actions
from subgoal.errors import ConfigInvalid
from subgoal.trajectories.storage import (
    path_lines,
    recorded_paths,
    shipped_paths,
)


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
