"""Each kind of bad input through the command: one sentence, exit code 2, nothing half written."""

import gzip
import json
import shutil

import pytest
from filelock import FileLock

from subgoal.cli.main import main
from subgoal.cli.output import out
from subgoal.config import load_config
from subgoal.errors import ConfigInvalid
from subgoal.report.runs import run_folders
from subgoal.storage.journal import Journal
from subgoal.trajectories import collect

ERRAND = ("--world.environment", "errand", "--collect.per-type", "2")
SCRIPTED = ("--annotate.teacher", "scripted", "--samples", "0")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    run = tmp_path_factory.mktemp("bad") / "run"
    main(["collect", "--run", str(run), *ERRAND])
    main(["annotate", "--run", str(run), *SCRIPTED])
    return run


@pytest.fixture
def run(collected, tmp_path):
    return shutil.copytree(collected, tmp_path / "run")


@pytest.fixture
def said(capfd):
    """Run the command; return its exit code and what it said on standard error, as one line."""

    def call(*words):
        capfd.readouterr()
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as stopped:
            code = stopped.code
        text = " ".join(capfd.readouterr().err.split())
        assert "Traceback" not in text
        return code, text

    return call


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[colect]\nper_type = 1", "unknown key 'colect', did you mean 'collect'?"),
        ("[collect]\nper_typ = 1", "unknown key 'collect.per_typ', did you mean 'per_type'?"),
        ("[collect]\nper_type = -", "cannot be read as TOML"),
        ("[collect]\nper_type = 'many'", "'collect.per_type' = 'many' is wrong"),
        ("[annotate]\nteacher = 'nobody'", "'annotate.teacher' = 'nobody' is wrong"),
    ],
)
def test_a_wrong_configuration_file(tmp_path, said, text, message):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    for verb in ("run", "collect"):
        code, words = said(verb, "--run", tmp_path / "run", "--config", file)
        assert code == 2
        assert message in words
        assert str(file) in words
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--config", "none.toml"), "there is no file none.toml"),
        (("--collect.paths", "none.jsonl"), "the list of paths none.jsonl cannot be read: "),
        (("--world.types", "fetsh"), "has no task type 'fetsh', did you mean 'fetch'?"),
        (("--collect.split", "tran"), "has no split 'tran', did you mean 'train'?"),
        (("--world.simplifications", "eazy"), "has no simplification 'eazy'"),
        (("--world.environment", "erand"), "there is no world 'erand', did you mean 'errand'?"),
        (("--collect.per-typ", "3"), "--collect.per-type"),
        (("--collect.per-type", "many"), "--collect.per-type = 'many' is wrong"),
    ],
)
def test_a_wrong_option(tmp_path, said, words, message):
    code, text = said("collect", "--run", tmp_path / "run", *ERRAND, *words)
    assert code == 2
    assert message in text
    assert not (tmp_path / "run").exists()


def test_a_type_of_scienceworld_that_does_not_exist(tmp_path, said):
    for words in (
        ("collect", "--run", tmp_path / "run", "--world.types", "bole"),
        ("play", "--run", tmp_path / "run", "--task", "bole", "--agent", "oracle"),
    ):
        code, text = said(*words)
        assert code == 2
        assert "no task type 'bole'" in text
        assert "did you mean 'boil'?" in text


def test_own_paths_with_a_damaged_line(tmp_path, said):
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"task": "fetch", "variation": 0, "actions": []}) + "\n{\n")
    code, text = said("collect", "--run", tmp_path / "run", *ERRAND, "--collect.paths", own)
    assert code == 2
    assert f"{own} holds no path" in text
    assert "line 2: no path with task, variation and actions" in text


def test_a_damaged_file_is_named(run, said):
    sealed = run / "trajectories.jsonl.zst"
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    sealed.write_bytes(content)
    code, text = said("annotate", "--run", run, *SCRIPTED, "--restart")
    assert code == 2
    assert f"{sealed} is damaged" in text
    assert "delete it and run the stage that writes it again" in text


def test_a_damaged_line_of_an_unfinished_file_is_named(tmp_path, monkeypatch, said):
    run = tmp_path / "run"
    interrupt(monkeypatch, said, run, after=3)
    plain = run / "trajectories.jsonl"
    lines = plain.read_bytes().splitlines(keepends=True)
    plain.write_bytes(b"".join([*lines[:2], b"{}\n", *lines[3:]]))
    code, text = said("collect", "--run", run, *ERRAND)
    assert code == 2
    assert f"{plain} line 3 is damaged (task: Field required)" in text
    assert "delete the line to lose only that record" in text


def test_a_file_that_was_deleted_is_written_again(run, said):
    sealed = run / "trajectories.jsonl.zst"
    content = sealed.read_bytes()
    sealed.unlink()
    code, text = said("annotate", "--run", run, *SCRIPTED)
    assert code == 2
    assert (
        f"the stage 'collect' has lost {sealed.name}; first run `subgoal collect --run {run}`"
        in text
    )
    code, text = said("collect", "--run", run, *ERRAND)
    assert code == 0
    assert f"collect: {sealed.name} is missing and is written again" in text
    assert sealed.read_bytes() == content
    assert said("collect", "--run", run, *ERRAND) == (0, "")


def test_another_configuration_is_refused_with_the_difference(run, said):
    before = {file: file.read_bytes() for file in run.glob("*.zst")}
    code, text = said("collect", "--run", run, *ERRAND, "--world.types", "fetch")
    assert code == 2
    assert "(types: [] -> ['fetch'])" in text
    assert "Choose another folder with --run, or give `subgoal collect` the" in text
    assert "option --restart to delete what this stage wrote and run it again" in text
    assert {file: file.read_bytes() for file in run.glob("*.zst")} == before


def test_an_interrupted_stage_says_so_and_goes_on(tmp_path, monkeypatch, said):
    run = tmp_path / "run"
    code, text = interrupt(monkeypatch, said, run, 3, "collect", *ERRAND, "--restart")
    assert code == 130
    assert text == (
        "interrupted; what was finished is kept, this goes on where it stopped: "
        f"subgoal collect --run {run} {' '.join(ERRAND)}"
    )
    code, text = said("annotate", "--run", run, *SCRIPTED)
    assert code == 2
    assert "the stage 'collect' was interrupted; first run `subgoal collect" in text
    code, text = said("collect", "--run", run, *ERRAND)
    assert code == 0
    assert "6/6 paths" in text
    assert len(collect.journal(collect.RunFolder(run)).by_key()) == 6


@pytest.mark.parametrize("verb", ["collect", "annotate"])
def test_a_restart_keeps_nothing_of_the_old_configuration(run, monkeypatch, said, verb):
    options = {"collect": ERRAND, "annotate": SCRIPTED}
    others = {
        "collect": (*ERRAND, "--world.types", "fetch"),
        "annotate": (*SCRIPTED, "--annotate.select.count", "1"),
    }
    file = {"collect": "trajectories.jsonl.zst", "annotate": "annotations.jsonl.zst"}[verb]
    interrupt(monkeypatch, said, run, 3, verb, *options[verb], "--restart")
    assert (run / file).with_suffix("").exists()
    assert said(verb, "--run", run, *others[verb])[0] == 2
    assert said(verb, "--run", run, *others[verb], "--restart")[0] == 0
    fresh = run.with_name("fresh")
    if verb == "annotate":
        main(["collect", "--run", str(fresh), *ERRAND])
    said(verb, "--run", fresh, *others[verb])
    assert (run / file).read_bytes() == (fresh / file).read_bytes()


def interrupt(monkeypatch, said, run, after, verb="collect", *options):
    """Press Ctrl-C when a stage has stored `after` records; return its code and last words."""
    append, stored = Journal.append, []

    def counted(self, record):
        append(self, record)
        stored.append(record)
        if len(stored) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", counted)
        code, text = said(verb, "--run", run, *(options or ERRAND))
    return code, text[text.find("interrupted") :]


def test_runs_are_listed_with_state_and_size_and_removed(run, said, monkeypatch, capfd):
    place = run.parent
    interrupt(monkeypatch, said, place / "half", after=2)
    lost = shutil.copytree(run, place / "lost")
    (lost / "annotations.jsonl.zst").unlink()
    damaged = shutil.copytree(run, place / "damaged")
    (damaged / "collect.stage.json").write_text("{")
    stale = shutil.copytree(run, place / "stale")
    shutil.copy(place / "half" / "trajectories.jsonl", stale / "trajectories.jsonl.zst")
    (place / "other").mkdir()
    found = {one.path.name: one for one in run_folders(place).found}
    assert found.keys() == {"run", "half", "lost", "damaged", "stale"}
    assert all(one.size > 0 for one in found.values())
    assert found["run"].complete == ("collect", "annotate")
    half = found["half"]
    assert (half.complete, half.running, half.to_do) == ((), (), ("collect (interrupted)",))
    with FileLock(place / "half" / ".collect.lock"):
        half = next(one for one in run_folders(place).found if one.path.name == "half")
    assert (half.complete, half.running, half.to_do) == ((), ("collect",), ())
    assert "annotate (stale)" in found["stale"].to_do
    assert "annotate (lost a file)" in found["lost"].to_do
    assert found["damaged"].damage
    monkeypatch.setattr(out, "width", 400)
    main(["runs", "--folder", str(place)])
    shown = capfd.readouterr().out
    assert all(str(place / name) in shown for name in found)

    assert said("runs", "--remove", place / "half", damaged)[0] == 0
    assert sorted(path.name for path in place.iterdir()) == ["lost", "other", "run", "stale"]
    code, text = said("runs", "--remove", place / "other")
    assert code == 2
    assert f"{place / 'other'} is no run folder; nothing was deleted" in text
    assert (place / "other").exists()


def test_a_run_folder_that_is_a_file(tmp_path, said):
    file = tmp_path / "run"
    file.write_text("mine")
    code, text = said("collect", "--run", file, *ERRAND)
    assert code == 2
    assert "cannot be written" in text
    assert file.read_text() == "mine"


def test_a_damaged_list_of_paths_in_gzip(tmp_path, said):
    file = tmp_path / "mine.jsonl.gz"
    packed = bytearray(gzip.compress(b"{}" * 1000))
    packed[12] ^= 255
    file.write_bytes(bytes(packed))
    code, text = said("collect", "--run", tmp_path / "run", *ERRAND, "--collect.paths", file)
    assert code == 2
    assert str(file) in text


def test_augment_shortens_unless_told_otherwise(run, capfd):
    main(["augment", "--run", str(run)])
    assert '"shorten": true' in (run / "augment.stage.json").read_text()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.student.seed", -1),
        ("train.student.seed", 2**32),
        ("train.dataset.vocabulary", -1),
        ("train.dataset.vocabulary", 2**31),
        ("train.dataset.dev_share", -1),
        ("train.training.learning_rate", -1),
        ("train.training.learning_rate", 1e300),
        ("train.training.threads", -1),
        ("train.per_role.both.learning_rate", -1),
    ],
)
def test_a_number_that_a_stage_could_not_use_is_named(tmp_path, key, value):
    section, _, name = key.rpartition(".")
    (tmp_path / "c.toml").write_text(f"[{section}]\n{name} = {value!r}\n")
    with pytest.raises(ConfigInvalid, match=key):
        load_config(tmp_path / "c.toml")


HALF = "\udcff"
"""What a byte of a command line that is no UTF-8 is read as."""


@pytest.mark.parametrize(
    "words",
    [
        ("annotate", "--annotate.teacher", HALF),
        ("annotate", "--annotate.teacher", f"{HALF}:x"),
        ("annotate", "--annotate.teacher", "openai", "--annotate.openai.model", "m",
         "--annotate.openai.endpoint.base-url", f"http://127.0.0.1:9/{HALF}"),
        ("run", *ERRAND, *SCRIPTED[:2], "--train.dataset.kept", HALF),
    ],
    ids=["teacher", "module", "address", "kept"],
)  # fmt: skip
def test_a_setting_that_is_no_utf_8_is_one_sentence(run, said, words):
    code, text = said(*words, "--run", run)
    assert code == 2
    assert text


def test_a_run_folder_may_have_any_name_where_nothing_is_trained(tmp_path, said):
    run = tmp_path / f"run{HALF}"
    playing = ("--world.environment", "errand", "--evaluate.protocol", "test")
    assert said("collect", "--run", run, *ERRAND)[0] == 0
    assert said("annotate", "--run", run, *SCRIPTED)[0] == 0
    assert said("evaluate", "--run", run, *playing, "--evaluate.agents", "oracle")[0] == 0
    assert said("report", "--run", run)[0] == 0
    assert said("report", "--run", run, "--annotations")[0] == 0
    assert said("export", "--run", run, "--to", "parquet", "--out", run / "data")[0] == 0
    code, text = said("train", "--run", run, "--train.training.tokens", "300")
    assert (code, "rename" in text) == (
        2,
        True,
    )  # before it is trained: weights cannot be read there
    assert not (run / "students").exists()
