"""A disk that is full while results are written: one sentence, nothing half written, it goes on.

A limit on the size of files stands for the disk: the system refuses what goes beyond, as a full
disk does, after it has written a part.
"""

import errno
import resource
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from subgoal.agents.config import AgentName
from subgoal.cli.main import main
from subgoal.errors import DiskFull
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.evaluation.summary import journal
from subgoal.record import Record
from subgoal.storage.journal import write_text, writing
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.whole_folder import write_folder
from subgoal.training.checkpoint import Position, checkpoints, load_checkpoint, save_checkpoint
from subgoal.trajectories import storage

EVALUATE = EvaluateConfig(
    environment="errand", protocol="test", per_type=4, agents=(AgentName.ORACLE,)
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
    store = journal(folder, "test", "oracle")
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
    words = ["collect", "--world.environment", "errand", "--collect.per-type", "4", "--run"]
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


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    model = torch.nn.Linear(64, 64)
    save_checkpoint(tmp_path, Position(step=1), model, [])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with room(9000), pytest.raises(DiskFull, match="000000002 cannot be written"):
        save_checkpoint(tmp_path, Position(step=2), model, [])
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert [place.name for place in checkpoints(tmp_path)] == ["000000001"]
    assert len(list(tmp_path.iterdir())) == 1
    assert load_checkpoint(tmp_path, model, []).step == 1


def test_whatever_library_finds_no_room_it_is_the_same_sentence(tmp_path: Path) -> None:
    words = Tokenizer(WordLevel({f"word{n}": n for n in range(1000)}, unk_token="word0"))
    with room(1000), pytest.raises(DiskFull, match="File too large"):
        write_folder(tmp_path / "texts", lambda place: words.save(str(place / "tokenizer.json")))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_with_its_room(tmp_path: Path) -> None:
    named = pytest.raises(DiskFull, match=r"the disk at /.* has [0-9,.]+ of [0-9,.]+ MB left")
    with named, writing(tmp_path / "not" / "there"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_of_another_kind_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odd"), writing(tmp_path):
        raise ValueError("odd")


class _Nothing(Record):
    pass


def test_what_found_no_room_is_told_not_the_manifest_after_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    named = pytest.raises(DiskFull, match="students")
    # the limit holds until after the stage's end, where its manifest is due
    with ExitStack() as limit, named, folder.stage("train", _Nothing()):
        limit.enter_context(room(1))
        write_text(folder / "students", "much")
    manifest = folder.manifest("train")
    assert manifest is not None
    assert manifest.state is StageState.BEGUN
