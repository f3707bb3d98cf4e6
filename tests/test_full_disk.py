"""A disk that is full while results are written: one sentence, nothing half written, it goes on.

A limit on the size of files stands for the disk: the system refuses what goes beyond, as a full
disk does, after it has written a part.
"""

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from subgoal.agents.load import AgentName
from subgoal.cli.main import main
from subgoal.errors import DiskFull
from subgoal.evaluation.evaluate import EvaluateConfig, evaluate
from subgoal.evaluation.summary import journal
from subgoal.journal import write_text
from subgoal.run_folder import RunFolder
from subgoal.trajectories import storage

EVALUATE = EvaluateConfig(
    environment="errand", protocol="plain", per_type=4, agents=(AgentName.ORACLE,)
)


@contextmanager
def room(size: int) -> Generator[None]:
    """Let no file grow past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_episodes_that_were_written_are_kept_and_the_rest_is_played_later(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    store = journal(folder, "plain", "oracle")
    with room(9000), pytest.raises(DiskFull) as failure:
        evaluate(EVALUATE, folder, worlds=1)
    assert str(failure.value) == (
        f"{store.path} cannot be written (File too large); what was finished before is kept: make "
        "room and run the same command again, it goes on where it stopped"
    )
    assert store.path.read_bytes().endswith(b"}\n")
    kept = store.by_key()
    assert 0 < len(kept) < 12
    evaluate(EVALUATE, folder, worlds=1)
    after = store.by_key()
    assert len(after) == 12
    assert {key: after[key] for key in kept} == kept


def test_a_stage_that_found_no_room_ends_in_the_same_bytes_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "--collect.environment", "errand", "--collect.per-type", "4", "--run"]
    whole, full = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "full")
    main([*words, str(whole.path)])
    with room(20_000), pytest.raises(SystemExit) as stopped:
        main([*words, str(full.path)])
    assert stopped.value.code == 2
    said = capfd.readouterr().err
    assert "cannot be written (File too large)" in said
    assert "Traceback" not in said
    assert not list(full.path.glob(".*.tmp"))
    main([*words, str(full.path)])
    assert storage.journal(full).sealed_path.read_bytes() == (
        storage.journal(whole).sealed_path.read_bytes()
    )


def test_a_file_keeps_its_old_content_where_the_new_one_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    write_text(file, "old")
    with room(1000), pytest.raises(DiskFull):
        write_text(file, "new" * 1000)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
