"""`--restart` deletes nothing before the new stage has begun validly."""

import shutil
from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.errors import EnvironmentFailed, RunFolderInvalid, TrainingFailed
from subgoal.record import Record
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder

ERRAND = ("--world.environment", "errand", "--world.types", "fetch", "--collect.per-type", "2")
PLAY = ("--world.environment", "errand", "--evaluate.protocol", "dev")


class Config(Record):
    number: int = 0


def subgoal(*words: object) -> int:
    """Run a verb; return its exit code."""
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def written(folder: Path) -> dict[str, bytes]:
    """Return all files but locks by name."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.suffix != ".lock"}


def finished(folder: Path, stage: str, *outputs: str) -> None:
    """Make a complete stage with outputs."""
    run = RunFolder(folder)
    with run.stage(stage, Config()) as at_work:
        for name in outputs:
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(f"old {name}")
        at_work.finish({name: run / name for name in outputs})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder in which collect, annotate and evaluate are complete."""
    run = tmp_path_factory.mktemp("made") / "run"
    assert subgoal("collect", "--run", run, *ERRAND) == 0
    assert subgoal("annotate", "--run", run, "--annotate.teacher", "scripted") == 0
    assert subgoal("evaluate", "--run", run, *PLAY, "--evaluate.agents", "oracle") == 0
    finished(run, "augment", "augmented.jsonl.zst")
    finished(run, "train-both", "students/both/model.safetensors")
    finished(run, "improve", "improved.jsonl.zst")
    return run


@pytest.mark.parametrize(
    "words",
    [
        ("collect", *ERRAND, "--collect.paths", "{tmp}/wrong.jsonl"),
        ("collect", *ERRAND, "--collect.paths", "{tmp}/none.jsonl"),
        ("collect", "--world.environment", "errand", "--world.types", "fetsh"),
        ("collect", "--world.environment", "errand", "--collect.split", "trian"),
        (
            "annotate",
            "--annotate.teacher",
            "openai",
            "--annotate.openai.api-key-env",
            "NO_SUCH_KEY",
        ),
        ("annotate", "--annotate.teacher", "recordet"),
        ("train", "--annotations", "{tmp}/wrong.jsonl", "--train.roles", "both"),
        ("train", "--annotations", "{tmp}/none.jsonl", "--train.roles", "both"),
        ("train", "--train.roles", "both", "--train.student.model", "{tmp}/no-model"),
        ("evaluate", *PLAY, "--evaluate.agents", "oracle", "--world.types", "fetsh"),
        ("evaluate", *PLAY, "--evaluate.agents", "flat"),
        ("improve", "--world.environment", "errand", "--world.types", "fetsh"),
        ("improve", "--annotations", "{tmp}/wrong.jsonl"),
        ("run", "--world.environment", "errand", "--world.types", "fetsh"),
        ("run", *ERRAND, *PLAY, "--world.types", "fetsh"),
        ("run", *ERRAND, *PLAY, "--collect.paths", "{run}/own.jsonl"),
        ("run", *ERRAND, *PLAY, "--annotations", "{tmp}/none.jsonl"),
        ("run", *ERRAND, *PLAY, "--annotations", "{run}/annotations.jsonl.zst"),
        ("run", *ERRAND, *PLAY, "--config", "{tmp}/wrong.jsonl"),
    ],
    ids=lambda words: " ".join(words[:1] + words[-2:]),
)
def test_a_restart_that_is_refused_deletes_nothing(
    made: Path, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    run = tmp_path / "run"
    shutil.copytree(made, run)
    (run / "own.jsonl").write_text('{"task": "fetch", "variation": 0, "actions": ["wait"]}\n')
    (tmp_path / "wrong.jsonl").write_text("this is no list of anything\n")
    before = written(run)
    asked = [word.format(tmp=tmp_path, run=run) for word in words]
    assert subgoal(*asked, "--run", run, "--restart") == 2
    after = written(run)
    assert {name: after.get(name) for name in before} == before


def test_a_restart_that_is_valid_begins_anew(made: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(made, run)
    more = (*ERRAND[:-1], "3")
    assert subgoal("collect", "--run", run, *more) == 2
    assert subgoal("collect", "--run", run, *more, "--restart") == 0
    assert RunFolder(run).need("collect", "collect").counts["paths"] == 3
    assert not list(run.glob(".*.aside"))
    assert subgoal("collect", "--run", run, *more) == 0


def old_and_new(folder: RunFolder) -> tuple[str, StageState]:
    """Return what the stage's file holds, and the stage's state."""
    manifest = folder.manifest("train")
    assert manifest is not None
    place = folder / "out.txt"
    return place.read_text() if place.exists() else "", manifest.state


def broken(folder: RunFolder, error: BaseException) -> None:
    """Begin a stage anew, write half of it, and stop so."""
    with folder.stage("train", Config(number=1)) as stage:
        assert stage.fresh
        (folder / "out.txt").write_text("half")
        raise error


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (TrainingFailed("there is nothing to train on"), ("old out.txt", StageState.COMPLETE)),
        (ZeroDivisionError(), ("old out.txt", StageState.COMPLETE)),
        (EnvironmentFailed("the world is gone"), ("half", StageState.BEGUN)),
        (KeyboardInterrupt(), ("half", StageState.BEGUN)),
    ],
)
def test_what_was_set_aside_comes_back_where_the_stage_is_refused(
    tmp_path: Path, error: BaseException, left: tuple[str, StageState]
) -> None:
    finished(tmp_path, "train", "out.txt")
    again = RunFolder(tmp_path, restart=True)
    with pytest.raises(type(error)):
        broken(again, error)
    assert old_and_new(RunFolder(tmp_path)) == left
    if left[1] is StageState.BEGUN:  # it goes on, and then the old one is of no more use
        with RunFolder(tmp_path).stage("train", Config(number=1)) as stage:
            assert not stage.fresh
            stage.finish({"out.txt": tmp_path / "out.txt"})
    assert not list(tmp_path.glob(".*.aside"))


@pytest.mark.parametrize("complete", [True, False])
def test_what_a_stage_goes_on_from_comes_back_too(tmp_path: Path, complete: bool) -> None:
    work = tmp_path / "training" / "checkpoint"

    def begin(number: int, end: Exception | None = None, restart: bool = False) -> None:
        folder = RunFolder(tmp_path, restart)
        with folder.stage("train", Config(number=number), work=(work.parent,)) as stage:
            assert not (stage.fresh and work.exists())
            work.parent.mkdir(exist_ok=True)
            work.write_text(str(number))
            if end is not None:
                raise end
            stage.finish({})

    if complete:
        begin(1)
    else:
        with pytest.raises(EnvironmentFailed):
            begin(1, EnvironmentFailed("the world is gone"))
    with pytest.raises(TrainingFailed):
        begin(2, TrainingFailed("there is no budget"), restart=True)
    assert work.read_text() == "1"
    begin(3, restart=True)
    assert work.read_text() == "3"
    assert not list(tmp_path.glob(".*.aside"))


def test_a_stage_does_not_read_what_its_restart_would_delete(tmp_path: Path) -> None:
    finished(tmp_path, "train", "out.txt")
    again = RunFolder(tmp_path, restart=True)
    inputs = {"out.txt": tmp_path / "out.txt"}
    with pytest.raises(RunFolderInvalid, match=r"out\.txt"), again.stage("train", Config(), inputs):
        pass
    assert old_and_new(RunFolder(tmp_path)) == ("old out.txt", StageState.COMPLETE)


def test_a_restart_that_was_killed_twice_keeps_the_last_whole_one(tmp_path: Path) -> None:
    finished(tmp_path, "train", "out.txt")
    for _ in range(2):
        again = RunFolder(tmp_path, restart=True)
        with pytest.raises(KeyboardInterrupt):
            broken(again, KeyboardInterrupt())
    again = RunFolder(tmp_path, restart=True)
    with pytest.raises(TrainingFailed), again.stage("train", Config(number=2)):
        raise TrainingFailed("no")
    assert old_and_new(RunFolder(tmp_path)) == ("old out.txt", StageState.COMPLETE)
