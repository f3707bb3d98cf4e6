"""Paths of a person, or of an agent, from the keyboard to a collection."""

import pytest

from subgoal.cli.main import main
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import journal

WORLD = ["--world.environment", "errand"]


@pytest.fixture
def at_the_keyboard(monkeypatch):
    """Type lines; then the keyboard is gone."""

    def type_lines(*lines):
        left = iter(lines)

        def read(*_, **__):
            line = next(left, None)
            if line is None:
                raise KeyboardInterrupt
            return line

        monkeypatch.setattr("rich.console.Console.input", read)

    return type_lines


def test_what_is_played_is_collected_with_how_it_ended(tmp_path, at_the_keyboard):
    record, run = tmp_path / "new" / "mine.jsonl", tmp_path / "run"
    with ErrandWorld() as world:
        task = world.tasks("train")[0]
        path = world.oracle_path(task)
    play = ["play", "--run", str(run), *WORLD, "--record", str(record), "--task", task.name]
    at_the_keyboard("xyzzy", "?", *path)
    main([*play, "--by-hand"])
    at_the_keyboard("wait")
    main([*play, "--by-hand", "--variation", "1"])
    main([*play, "--agent", "oracle", "--variation", "2"])
    main(["collect", "--run", str(run), *WORLD, "--collect.paths", str(record)])
    first, second, third = journal(RunFolder(run))
    assert first.actions == tuple(path)
    assert first.task.split == "train"
    assert second.actions == ("wait",)
    assert [one.stop_reason for one in (first, second, third)] == [
        StopReason.SOLVED,
        StopReason.PATH_END,
        StopReason.SOLVED,
    ]


def test_who_leaves_at_once_records_nothing(tmp_path, at_the_keyboard, capsys):
    record = tmp_path / "mine.jsonl"
    record.write_text('{"task": "not ended"}')
    at_the_keyboard("q")
    main(["play", "--run", str(tmp_path / "run"), *WORLD, "--record", str(record), "--by-hand"])
    assert record.read_text() == '{"task": "not ended"}'
    at_the_keyboard("wait", "q")
    main(["play", "--run", str(tmp_path / "run"), *WORLD, "--record", str(record), "--by-hand"])
    assert len(record.read_text().splitlines()) == 2


@pytest.mark.parametrize("name", ["mine.jsonl.gz", "folder.jsonl"])
def test_a_list_that_cannot_be_written_is_said_before_anybody_plays(tmp_path, name, capfd):
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(SystemExit) as stopped:
        main(["play", *WORLD, "--by-hand", "--record", str(tmp_path / name)])
    assert stopped.value.code == 2
    assert name in capfd.readouterr().err
