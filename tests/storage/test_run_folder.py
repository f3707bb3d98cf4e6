import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from subgoal.errors import ConfigInvalid, RunFolderInvalid, StageBusy
from subgoal.record import Record, removed
from subgoal.storage.manifest import StageState, differences
from subgoal.storage.run_folder import RunFolder


class Config(Record):
    tokens: int = 1


def run(folder, config, work=lambda: None):
    with folder.stage("train", config) as stage:
        if stage.complete:
            return False
        work()
        stage.finish({}, tokens=config.tokens)
        return True


def test_a_complete_stage_is_not_run_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert run(folder, Config())
    assert not run(folder, Config())
    assert folder.need("train", "train").counts == {"tokens": 1}


def test_another_configuration_is_refused_with_the_difference(tmp_path):
    folder = RunFolder(tmp_path / "run")
    run(folder, Config())
    with pytest.raises(RunFolderInvalid, match="tokens: 1 -> 2"):
        run(folder, Config(tokens=2))
    folder.remove_stage("train")
    assert run(folder, Config(tokens=2))


def test_settings_that_were_removed_and_changed_nothing_are_no_difference(tmp_path):
    class Before(Config):
        old: int = 0

    class Now(Config):
        _removed = removed(old=(0, "leave it out"))

    for number, name in ((0, "idle"), (1, "set")):
        folder = RunFolder(tmp_path / name)
        with folder.stage("collect", Before(old=number)):
            pass
    with RunFolder(tmp_path / "idle").stage("collect", Now()) as stage:
        assert not stage.fresh
    with (
        pytest.raises(RunFolderInvalid, match=r"old: 1 -> None"),
        RunFolder(tmp_path / "set").stage("collect", Now()),
    ):
        pass


def test_a_setting_or_a_name_that_no_file_can_hold_is_refused_and_begins_nothing(tmp_path):
    class Named(Record):
        file: Path

    folder, odd = RunFolder(tmp_path / "run"), tmp_path / "caf\udce9.jsonl"
    odd.touch()
    config = {"config": Named(file=odd), "inputs": {}}
    name = {"config": Config(), "inputs": {"paths": odd}}
    for asked in (config, name):
        with pytest.raises(ConfigInvalid) as caught, folder.stage("collect", **asked):
            pass
        assert "caf\ufffd.jsonl" in str(caught.value)
        assert folder.manifest("collect") is None


def test_a_run_folder_may_have_a_name_that_is_no_utf_8(tmp_path):
    folder = RunFolder(tmp_path / os.fsdecode(b"r\xff"))
    assert run(folder, Config())
    assert not run(folder, Config())


def test_differences_name_only_what_differs():
    old = {"a": 1, "train": {"tokens": 1000, "seed": 0}, "types": ["x"]}
    new = {"a": 1, "train": {"tokens": 2000, "seed": 0}, "types": ["x", "y"], "b": "new"}
    assert differences(old, new) == [
        "b: None -> 'new'",
        "train.tokens: 1000 -> 2000",
        "types: ['x'] -> ['x', 'y']",
    ]
    assert differences(old, old) == []


def test_another_input_is_refused_and_a_missing_one_is_named(tmp_path):
    folder, source = RunFolder(tmp_path / "run"), tmp_path / "source"
    with (
        pytest.raises(RunFolderInvalid, match=r"reads .*source, which is missing"),
        folder.stage("train", Config(), {"source": source}),
    ):
        pass
    source.write_text("one")
    with folder.stage("train", Config(), {"source": source}) as stage:
        stage.finish({})
    source.write_text("two")
    with (
        pytest.raises(RunFolderInvalid, match=r"input\.source: '"),
        folder.stage("train", Config(), {"source": source}),
    ):
        pass


def test_a_removed_stage_takes_its_outputs_along(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.stage("train", Config()) as stage:
        (folder / "student").mkdir()
        (folder / "log").write_text("loss")
        (folder / "other").write_text("kept")
        stage.finish({"student": folder / "student", "log": folder / "log"})
    folder.remove_stage("train")
    assert folder.manifest("train") is None
    assert not (folder / "student").exists()
    assert not (folder / "log").exists()
    assert (folder / "other").exists()


def test_a_stage_that_has_lost_an_output_runs_again(tmp_path):
    folder = RunFolder(tmp_path / "run")

    def write(text):
        with folder.stage("train", Config()) as stage:
            if stage.complete:
                return
            (folder / "student").write_text(text)
            stage.finish({"student": folder / "student"})

    write("one")
    write("two")
    assert (folder / "student").read_text() == "one"
    (folder / "student").unlink()
    assert [manifest.state for manifest in folder.manifests()] == [StageState.LOST]
    with pytest.raises(RunFolderInvalid, match="has lost student; first run `subgoal train"):
        folder.need("train", "train")
    write("three")
    assert (folder / "student").read_text() == "three"
    assert folder.need("train", "train")


def test_an_interrupted_stage_goes_on(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run(folder, Config(), work=interrupt)
    manifest = folder.manifest("train")
    assert manifest is not None
    assert manifest.state is StageState.BEGUN
    with pytest.raises(RunFolderInvalid, match="was interrupted; first run `subgoal train"):
        folder.need("train", "train")
    assert run(folder, Config())


def test_a_stage_that_fails_after_it_finished_is_not_complete(tmp_path):
    folder = RunFolder(tmp_path / "run")

    def finish_and_fail():
        with folder.stage("train", Config()) as stage:
            stage.finish({})
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        finish_and_fail()
    assert run(folder, Config())


def interrupt():
    raise KeyboardInterrupt


def test_a_missing_stage_names_the_verb(tmp_path):
    with pytest.raises(RunFolderInvalid, match="'collect' has not run; first run `subgoal collect"):
        RunFolder(tmp_path).need("collect", "collect")


def test_two_processes_do_not_share_a_stage(tmp_path):
    folder = RunFolder(tmp_path)
    held, refused = FileLock(tmp_path / ".train.lock"), pytest.raises(StageBusy, match="another")
    with held, refused:
        run(folder, Config())
    assert run(folder, Config())


def test_a_running_stage_is_neither_run_twice_nor_removed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    refused = pytest.raises(RunFolderInvalid, match=rf"\(pid {os.getpid()}\) is running .*'train'")

    def work():
        for attempt in (
            lambda: run(RunFolder(folder.path), Config()),
            lambda: folder.remove_stage("train"),
            folder.remove,
        ):
            with refused:
                attempt()

    assert run(folder, Config(), work)
    assert folder.need("train", "train")


def test_a_damaged_manifest_is_named(tmp_path):
    folder = RunFolder(tmp_path)
    run(folder, Config())
    (tmp_path / "train.stage.json").write_text("{")
    with pytest.raises(RunFolderInvalid, match=r"train\.stage\.json is damaged"):
        run(folder, Config())
    folder.remove()
    assert not tmp_path.exists()


def test_only_run_folders_are_removed(tmp_path):
    (tmp_path / "precious").write_text("data")
    with pytest.raises(RunFolderInvalid, match="nothing was deleted"):
        RunFolder(tmp_path).remove()
    assert (tmp_path / "precious").exists()


def doctored(folder, **changes):
    """A run folder whose complete stage `collect` names what somebody else wrote into it."""
    with folder.stage("collect", Config()) as stage:
        (folder / "mine").write_text("own")
        stage.finish({"mine": folder / "mine"})
    file = folder.path / "collect.stage.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def victim(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("precious")
    return tmp_path / "victim"


@pytest.mark.parametrize(
    "name",
    ["../victim", "../victim/file", "a/../../victim", "{victim}", "link/file", "", ".", ".."],
)
def test_a_manifest_deletes_nothing_outside_of_its_folder(tmp_path, victim, name):
    folder = RunFolder(tmp_path / "run")
    name = name.format(victim=victim)
    doctored(folder, outputs={"mine": "", name: ""})
    (folder.path / "link").symlink_to(victim)
    with pytest.raises(RunFolderInvalid, match=re.escape(f"'{name}' leads to")):
        folder.remove_stage("collect")
    assert (victim / "file").read_text() == "precious"
    assert (folder.path / "mine").exists()


def test_of_a_link_only_the_link_is_deleted(tmp_path, victim):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / "link").symlink_to(victim)
    folder.delete(folder.path / "link")
    assert not (folder.path / "link").is_symlink()
    with pytest.raises(RunFolderInvalid, match="victim"):
        folder.delete(folder.path / "../victim")
    assert (victim / "file").exists()


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000])
def test_an_output_that_is_no_name_of_a_file_deletes_nothing(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    doctored(folder, outputs={"mine": "", name: ""})
    with pytest.raises(RunFolderInvalid, match=re.escape(repr(name[:80]))):
        folder.remove_stage("collect")
    assert (folder.path / "mine").exists()


def test_an_output_that_is_a_link_to_itself_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    doctored(folder, outputs={"loop": ""})
    (folder.path / "loop").symlink_to("loop")
    with pytest.raises(RunFolderInvalid, match="loop"):
        folder.manifests()


def test_a_link_to_a_run_folder_is_not_deleted_for_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    run(folder, Config())
    (tmp_path / "link").symlink_to(folder.path)
    with pytest.raises(RunFolderInvalid, match="is a link"):
        RunFolder(tmp_path / "link").remove()
    assert folder.manifest("train")


def test_a_lock_that_is_a_link_empties_no_file(tmp_path, victim):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / ".train.lock").symlink_to(victim / "file")
    with pytest.raises(RunFolderInvalid, match="leads to"):
        run(folder, Config())
    assert (victim / "file").read_text() == "precious"


ODD = {
    "deep": b'{"stage": "train", "config": ' + b'{"a":' * 100_000,
    "deep lists": b"[" * 1_000_000,
    "another stage": b'{"stage": "../train", "state": "begun", "config": {}}',
    "types": b'{"stage": 1, "state": [], "config": 0}',
    "no number": b'{"stage": "train", "state": "begun", "config": {}, "seconds": 1e999}',
    "utf-16": '{"stage": "train", "state": "begun", "config": {}}'.encode("utf-16"),
    "half a letter": b'{"stage": "train", "state": "begun", "config": {"a": "\xc3"}}',
    "no object": b"null",
    "empty": b"",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_manifest_is_one_sentence(tmp_path, text):
    folder = RunFolder(tmp_path)
    (tmp_path / "train.stage.json").write_bytes(text)
    with pytest.raises(RunFolderInvalid, match=r"train\.stage\.json is damaged") as failure:
        folder.manifests()
    assert len(str(failure.value)) < 400


def test_an_enormous_manifest_is_not_read(tmp_path):
    with (tmp_path / "train.stage.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(RunFolderInvalid, match=r"train\.stage\.json is damaged"):
        RunFolder(tmp_path).manifests()


def test_a_stage_runs_while_its_lock_is_held(tmp_path):
    folder = RunFolder(tmp_path)
    seen = []
    assert not folder.running("train")
    run(folder, Config(), lambda: seen.append(folder.running("train")))
    assert seen == [True]
    assert not folder.running("train")


def chain(folder, outside):
    """Three stages, each reads what the one before wrote; the last reads a file elsewhere too."""
    (folder.path).mkdir()
    outside.write_text("given")
    texts = {"collect": "paths", "annotate": "subgoals", "train": "student"}
    inputs = {"collect": {}, "annotate": {"paths": folder / "paths"}}
    inputs["train"] = {"subgoals": folder / "subgoals", "given": outside}
    for stage, name in texts.items():
        with folder.stage(stage, Config(), inputs[stage]) as work:
            (folder / name).write_text(name)
            work.finish({name: folder / name})


def test_nothing_is_stale_where_nothing_has_changed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    chain(folder, tmp_path / "given")
    assert folder.stale() == {}
    folder.path.rename(tmp_path / "moved")
    (tmp_path / "given").unlink()
    assert RunFolder(tmp_path / "moved").stale() == {}


def test_what_was_read_and_has_changed_makes_all_that_follows_stale(tmp_path):
    folder = RunFolder(tmp_path / "run")
    chain(folder, tmp_path / "given")
    (folder / "paths").write_text("others")
    stale = folder.stale()
    assert set(stale) == {"annotate", "train"}
    assert "paths" in stale["annotate"]
    assert "annotate" in stale["train"]


@pytest.mark.parametrize("name", ["subgoals", "../given"])
def test_a_file_that_was_replaced_makes_its_reader_stale(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    chain(folder, tmp_path / "given")
    (folder.path / name).write_text("replaced")
    assert set(folder.stale()) == {"train"}


def test_a_source_that_would_never_end_is_not_read(tmp_path):
    folder = RunFolder(tmp_path / "run")
    chain(folder, tmp_path / "given")
    file = folder.path / "train.stage.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps(manifest | {"sources": {"given": "/dev/zero", "subgoals": "/"}}))
    assert folder.stale() == {}


def test_notes_are_kept_each_once(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.stage("train", Config()) as stage:
        stage.note("one", "two")
        stage.note("one")
        stage.finish({})
    assert folder.need("train", "train").notes == ("one", "two")


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    left = tmp_path / "students" / f".student.json.{dead}.tmp"
    others = [tmp_path / f".page.html.{os.getpid()}.tmp", tmp_path / ".own.tmp"]
    left.parent.mkdir()
    for file in (left, *others):
        file.write_text("half")
    with RunFolder(tmp_path).stage("collect", Config()):
        assert not left.exists()
        assert all(file.exists() for file in others)
