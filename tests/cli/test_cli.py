"""The command on the tiny world, as a user would call it."""

import json
import re
import shlex
import shutil
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from subgoal.cli.command_line import table_of
from subgoal.cli.main import VERBS, main, module_of
from subgoal.config import changed, load_config
from subgoal.doctor.machine import CHECKS
from subgoal.errors import ConfigInvalid
from subgoal.release.reproducible import reproducible
from subgoal.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]

SMALL = """
[world]
environment = "errand"
[collect]
per_type = 4
[annotate]
teacher = "scripted"
[train.dataset]
context = 512
vocabulary = 500
[train.student]
layers = 1
[train.training]
tokens = 2000
batch_tokens = 1024
[evaluate]
protocol = "test"
per_type = 1
agents = ["hierarchical", "flat", "random_subgoals", "semi_random_subgoals", "oracle"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("cli")
    (place / "small.toml").write_text(SMALL)
    main(["run", "--config", str(place / "small.toml"), "--run", str(place / "run")])
    return place


def refused(words, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    said = capfd.readouterr().err.strip()
    assert "Traceback" not in said
    return said


def test_the_main_job_writes_everything(folder):
    run = folder / "run"
    for name in ("trajectories.jsonl.zst", "annotations.jsonl.zst", "report.html", "config.toml"):
        assert (run / name).stat().st_size > 0
    assert (run / "students/both/model.safetensors").exists()
    assert len(list((run / "evaluation/test").glob("*.zst"))) == 5


def test_a_second_run_does_nothing_again(folder, capfd):
    before = {p: p.stat().st_mtime_ns for p in (folder / "run").rglob("*.zst")}
    main(["run", "--config", str(folder / "small.toml"), "--run", str(folder / "run")])
    assert {p: p.stat().st_mtime_ns for p in (folder / "run").rglob("*.zst")} == before
    last = capfd.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("the report lies in")


@pytest.mark.slow
def test_a_run_in_minutes_keeps_what_it_chose_and_says_it(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("subgoal.time_plan.rehearsal._SECONDS", 0.1)
    (tmp_path / "timed.toml").write_text(
        SMALL.replace("per_type = 4", "per_type = { fetch = 3, default = 4 }", 1)
        + "[plan]\nminutes = 0.001\nleast_tokens = 2000\n"
    )
    run = tmp_path / "run"
    words = ["run", "--config", str(tmp_path / "timed.toml"), "--run", str(run)]
    main(words)
    said = capfd.readouterr().out
    assert "1 of 3 task types (without fetch, visit-and-focus)" in said
    told = json.loads((run / "report.json").read_text())
    assert told["plan"]["tokens"] == 2000
    assert "1 of 3 task types" in told["cautions"][0]
    page = (run / "report.html").read_text()
    assert page.index("1 of 3 task types") < page.index("<table>")
    kept = tomllib.loads((run / "config.toml").read_text())
    assert kept["plan"]["minutes"] == 0
    assert kept["train"]["training"]["tokens"] == 2000
    assert kept["evaluate"]["types"] == ["deliver-two"]
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")}
    main(words)
    main(["run", "--run", str(run)])
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")} == before


@pytest.mark.parametrize("verb", ["collect", "annotate", "train", "evaluate", "report"])
def test_each_verb_works_alone_on_the_folder(folder, verb, capfd):
    main([verb, "--run", str(folder / "run")])
    assert capfd.readouterr().out


def test_verbs_one_by_one_go_on_from_what_the_folder_keeps(tmp_path, capfd):
    (tmp_path / "small.toml").write_text(SMALL)
    run = ["--run", str(tmp_path / "run")]
    main(["collect", "--config", str(tmp_path / "small.toml"), *run])
    main(["annotate", *run])
    main(["train", *run, "--train.training.tokens", "3000"])
    kept = load_config(tmp_path / "run" / "config.toml")
    asked = load_config(tmp_path / "small.toml")
    assert kept == changed(asked, "train", {"tokens": 3000}, "x")
    main(["play", *run])
    main(["evaluate", *run, "--evaluate.per-type", "1"])
    assert (tmp_path / "run" / "evaluation" / asked.evaluate.protocol).is_dir()


def test_what_one_evaluation_is_asked_for_counts_for_that_call(tmp_path, capfd):
    (tmp_path / "small.toml").write_text(SMALL)
    place = tmp_path / "run"
    run = ["--run", str(place)]
    main(["collect", "--config", str(tmp_path / "small.toml"), *run])
    one = ["--evaluate.agents", "oracle", "--evaluate.per-type", "1"]
    main(["evaluate", *run, *one, "--evaluate.protocol", "dev", "--decoding.choose", "true"])
    assert load_config(place / "config.toml") == load_config(tmp_path / "small.toml")
    assert reproducible(RunFolder(place)).config["evaluate"]["protocol"] == "dev"
    main(["evaluate", *run, *one])
    assert {file.name for file in (place / "evaluation").iterdir()} == {"test", "dev"}


def test_another_configuration_is_refused_with_the_difference(folder, capfd):
    said = refused(["collect", "--run", str(folder / "run"), "--collect.per-type", "5"], capfd)
    assert "per_type: 4 -> 5" in said
    assert "--restart" in said


def test_a_damaged_student_is_named(folder, tmp_path, capfd):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    weights = run / "students/both/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    said = refused(["play", "--run", str(run), "--task", "fetch"], capfd)
    assert str(weights.parent) in said
    weights.unlink()
    said = refused(["evaluate", "--run", str(run)], capfd)
    assert f"{weights}, which is missing" in said or str(weights.parent) in said


def test_play_shows_subgoals_and_the_end(folder, capfd):
    main(["play", "--run", str(folder / "run"), "--task", "fetch", "--agent", "flat"])
    main(["play", "--run", str(folder / "run"), "--task", "fetch"])
    said = capfd.readouterr().out
    assert "> " in said
    assert "score" in said


def test_runs_are_listed_and_removed(folder, capfd):
    copy = folder / "runs" / "other"
    main(["collect", "--run", str(copy), "--config", str(folder / "small.toml")])
    main(["runs", "--folder", str(folder / "runs")])
    assert "collect" in capfd.readouterr().out
    main(["runs", "--remove", str(copy)])
    assert not copy.exists()
    assert "no run folder" in refused(["runs", "--remove", str(folder)], capfd)


@pytest.mark.parametrize("verb", list(VERBS))
def test_help_teaches(verb, capfd):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    assert f"usage: subgoal {verb}" in capfd.readouterr().out


@pytest.mark.parametrize("verb", list(VERBS))
def test_the_example_of_the_help_is_understood(verb):
    shown = re.findall(r"Example: subgoal (.+)", module_of(verb).OPTIONS.__doc__ or "")
    for words in map(shlex.split, shown):
        assert words[0] == verb
        assert table_of(module_of(verb).OPTIONS, words[1:])


def test_a_verb_that_does_not_exist_names_the_nearest(capfd):
    assert "did you mean 'collect'" in refused(["colect"], capfd)


def test_a_verb_that_is_like_none_is_answered_with_no_guess(capfd):
    for word in ("install", "quickstart", "list"):
        assert "did you mean" not in refused([word], capfd)


def test_a_word_where_an_option_belongs_is_answered_with_the_example(capfd):
    assert "--agent scienceworld" in refused(["play", "scienceworld"], capfd)


def test_who_has_trained_nothing_is_told_of_an_agent_that_is_ready(tmp_path, capfd):
    assert "--agent scienceworld" in refused(["play", "--run", str(tmp_path)], capfd)


def test_a_typo_in_a_configuration_names_the_nearest(tmp_path, capfd):
    (tmp_path / "bad.toml").write_text("[train.training]\ntoken = 5\n")
    said = refused(["run", "--config", str(tmp_path / "bad.toml"), "--run", "x"], capfd)
    assert "unknown key 'train.training.token', did you mean 'tokens'?" in said


def test_a_wrong_value_is_named(tmp_path):
    (tmp_path / "bad.toml").write_text('[collect]\nper_type = "many"\n')
    with pytest.raises(ConfigInvalid, match=r"'collect\.per_type' = 'many' is wrong"):
        load_config(tmp_path / "bad.toml")
    with pytest.raises(ConfigInvalid, match="there is no file"):
        load_config(tmp_path / "none.toml")


def test_a_type_that_does_not_exist_names_the_nearest(tmp_path, capfd):
    words = ["collect", "--run", str(tmp_path), "--world.environment", "errand"]
    assert "did you mean 'fetch'" in refused([*words, "--world.types", "fetsh"], capfd)


def test_a_stage_without_the_one_before_names_the_verb(tmp_path, capfd):
    said = refused(["annotate", "--run", str(tmp_path / "empty")], capfd)
    assert "first run `subgoal collect" in said


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_configurations_are_valid(path):
    assert tomllib.loads(path.read_text())
    load_config(path)


def test_the_doctor_looks_at_everything(capfd):
    with suppress(SystemExit):  # a busy machine may be short of memory
        main(["doctor"])
    said = capfd.readouterr().out
    for name in ("Java", "torch", "threads", "memory", "GPU", "teacher"):
        assert name in said


@pytest.mark.parametrize("options", ["-XX:+NoSuchOption", "-Dany=thing"])
def test_the_doctor_asks_java_as_worlds_do(monkeypatch, options):
    plain = CHECKS["Java"]()
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"):
        monkeypatch.setenv(name, options)
    assert CHECKS["Java"]() == plain
    assert plain.fine


def test_a_student_is_exported(folder, tmp_path, capfd):
    run = str(folder / "run")
    main(["export", "--run", run, "--role", "flat", "--out", str(tmp_path / "flat")])
    assert (tmp_path / "flat" / "model.safetensors").exists()
    student = str(tmp_path / "flat")
    main(["export", "--student", student, "--to", "gguf", "--out", f"{student}.gguf"])
    assert (tmp_path / "flat.gguf").exists()
    said = refused(["export", "--student", student, "--to", "hub", "--out", "me/flat"], capfd)
    assert "`subgoal share`" in said


def test_the_texts_are_exported(folder, tmp_path, capfd):
    words = ["--to", "parquet", "--role", "flat", "--out", str(tmp_path / "data")]
    main(["export", "--run", str(folder / "run"), *words])
    assert "flat/turns/train.parquet" in capfd.readouterr().out
    assert (tmp_path / "data" / "flat" / "messages" / "train.parquet").exists()


def test_an_export_that_is_not_clear_says_what_is_missing(folder, tmp_path, capfd):
    run = str(folder / "run")
    assert "with --out" in refused(["export", "--run", run], capfd)
    out = ["--out", str(tmp_path / "new")]
    said = refused(["export", "--run", run, *out], capfd)
    assert "choose one with --role: both, flat" in said
    assert "train one first" in refused(["export", "--run", str(tmp_path), *out], capfd)
    said = refused(["export", "--run", run, "--role", "planner", *out], capfd)
    assert "students/planner" in said
