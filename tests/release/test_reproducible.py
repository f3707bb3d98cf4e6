"""A run is described by a file, made again from it, and compared."""

import json
from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.protocol import protocols
from subgoal.pipeline import Run
from subgoal.release.reproducible import (
    REPRODUCE,
    at_hand,
    compared,
    read_reproducible,
    reproducible,
)
from subgoal.storage.toml_file import merged

ANNOTATIONS = "annotations.jsonl.zst"
TABLES = {
    "world": {"environment": "errand"},
    "collect": {"per_type": 3},
    "annotate": {"teacher": "scripted"},
    "train": {
        "roles": ["both"],
        "dataset": {"vocabulary": 400, "context": 512},
        "student": {"layers": 1},
        "training": {"tokens": 1_600, "batch_tokens": 512, "checkpoint_tokens": 0, "threads": 1},
    },
    "evaluate": {"protocol": "test", "per_type": 2, "agents": ["hierarchical", "oracle"]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("first") / "run", TABLES)
    run.all(worlds=1)
    return run


@pytest.fixture(scope="module")
def again(run, tmp_path_factory):
    """The file, and the run that the command made of it."""
    place = tmp_path_factory.mktemp("again")
    (place / REPRODUCE).write_text(reproducible(run.folder).model_dump_json())
    main(["reproduce", str(place), "--run", str(place / "run")])
    return place


def changed(place: Path, change) -> None:
    table = json.loads((place / REPRODUCE).read_text())
    change(table)
    (place / REPRODUCE).write_text(json.dumps(table))


def test_a_run_is_made_again_from_its_file_bit_for_bit(run, again):
    found = compared(read_reproducible(again), Run(again / "run").folder)
    assert found.fine
    assert {"students/both", "trajectories.jsonl.zst", "evaluate/test/oracle"} <= set(found.results)
    assert all(found.results.values())
    assert {one.agent for one in found.scores} == {"hierarchical", "oracle"}
    assert not found.made_with


def test_the_file_says_what_it_was_made_of(run):
    found = reproducible(run.folder)
    assert {"subgoal", "torch", "processor"} <= set(found.made_with)
    assert found.config["collect"]["per_type"] == 3
    assert found.stages == ("collect", "annotate", "train", "evaluate")
    oracle = next(one for one in found.measures if one.agent == "oracle")
    assert (oracle.score.mean, oracle.what, len(oracle.scores)) == (100, "test", 6)


def test_scores_that_differ_beyond_the_interval_are_exit_code_1(again, tmp_path, capfd):
    def lower(table):
        table["made_with"]["torch"] = "0.1"
        table["results"]["students/both"] = "0" * 16
        for one in table["measures"]:
            one["scores"] = {key: score - 40 for key, score in one["scores"].items()}

    (tmp_path / REPRODUCE).write_bytes((again / REPRODUCE).read_bytes())
    changed(tmp_path, lower)
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", str(tmp_path / REPRODUCE), "--run", str(again / "run")])
    assert stopped.value.code == 1
    found = compared(read_reproducible(tmp_path), Run(again / "run").folder)
    assert found.made_with["torch"][0] == "0.1"
    assert [name for name, same in found.results.items() if not same] == ["students/both"]
    assert {one.change.difference.mean for one in found.differ} == {40}
    assert "not reproduced" in capfd.readouterr().out


def test_a_score_within_its_interval_reproduces(again):
    wanted = read_reproducible(again)
    one = wanted.measures[0]
    scores = {key: score + (-1) ** place for place, (key, score) in enumerate(one.scores.items())}
    other = one.model_copy(update={"scores": scores})
    found = compared(wanted.model_copy(update={"measures": (other,)}), Run(again / "run").folder)
    assert found.fine
    assert found.scores[0].change.ties == 0


def test_what_is_beyond_the_main_job_is_made_again_too(run, tmp_path, monkeypatch):
    rules = protocols("errand")  # an untrained student ends nothing: let its episodes be short
    brief = {name: one.model_copy(update={"step_limit": 8}) for name, one in rules.items()}
    monkeypatch.setattr("subgoal.evaluation.protocol.protocols", lambda _: brief)
    reinforced = {"rounds": 1, "variations": 1, "attempts": 2}
    short = {"dev_every": 1, "dev_per_type": 1, "students": str(run.folder / "students")}
    world = {"environment": "errand", "types": ["fetch"]}
    tables = {**TABLES, "world": world, "reinforce": {**reinforced, **short}}
    other = Run(tmp_path / "other", {**tables, "annotations": str(run.folder / ANNOTATIONS)})
    other.reinforce(worlds=1)
    other.evaluate(worlds=1)
    wanted = reproducible(other.folder)
    assert wanted.stages == ("reinforce", "evaluate")
    (tmp_path / REPRODUCE).write_text(wanted.model_dump_json())
    main(["reproduce", str(tmp_path), "--run", str(tmp_path / "again")])
    found = compared(wanted, Run(tmp_path / "again").folder)
    assert all(found.results.values())
    assert found.results.keys() == wanted.results.keys()
    assert not [note for note in found.notes if "not now" in note]


def test_only_a_stage_is_run_whatever_a_file_names(again, tmp_path, capfd):
    (tmp_path / REPRODUCE).write_bytes((again / REPRODUCE).read_bytes())
    changed(tmp_path, lambda table: table.update(stages=["once"]))
    with pytest.raises(ConfigInvalid, match="stages"):
        read_reproducible(tmp_path)


def test_files_from_elsewhere_are_looked_for_beside_it(run, tmp_path):
    source = tmp_path / "far" / "annotations.jsonl.zst"
    source.parent.mkdir()
    source.write_bytes((run.folder / "annotations.jsonl.zst").read_bytes())
    other = Run(tmp_path / "other", {**TABLES, "annotations": str(source)})
    other.train()
    wanted = reproducible(other.folder)
    assert list(wanted.files) == [str(source)]
    beside = tmp_path / "beside"
    source.parent.rename(beside)
    assert at_hand(wanted, beside)["annotations"] == str(beside / source.name)
    (beside / source.name).write_bytes(b"other")
    with pytest.raises(ConfigInvalid, match=source.name):
        at_hand(wanted, beside)


def test_no_model_is_paid_for_unless_that_is_meant(again, tmp_path, capfd):
    (tmp_path / REPRODUCE).write_bytes((again / REPRODUCE).read_bytes())
    changed(tmp_path, lambda table: table["config"]["annotate"].update(teacher="openai"))
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", str(tmp_path), "--run", str(tmp_path / "run")])
    assert stopped.value.code == 2
    assert "--paid" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"world": {"environment": "strangers:World"}}, "strangers:World"),
        ({"world": {"environment": "gymnasium:strangers/World-v0"}}, "strangers/World-v0"),
        ({"collect": {"source": "strangers:policy"}}, "strangers:policy"),
        ({"annotate": {"teacher": "strangers:Teacher"}}, "strangers:Teacher"),
        ({"engine": {"server": {"base_url": "http://strangers.example/v1"}}}, "strangers.example"),
        ({"annotate": {"openai": {"endpoint": {"key_variable": "HOME"}}}}, "$HOME"),
        ({"annotate": {"openai": {"endpoint": {"headers": {"X-Mine": "$HOME"}}}}}, "$HOME"),
    ],
)
def test_code_and_servers_of_a_stranger_are_reached_where_that_is_meant_only(
    again, tmp_path, monkeypatch, capfd, section, named
):
    """A file from elsewhere imports nothing, and sends no key anywhere, by itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers.py").write_text("open('was-imported', 'w')\n")
    (tmp_path / REPRODUCE).write_bytes((again / REPRODUCE).read_bytes())
    changed(tmp_path, lambda table: table.update(config=merged(table["config"], section)))
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", str(tmp_path), "--run", str(tmp_path / "run"), "--paid"])
    assert stopped.value.code == 2
    said = capfd.readouterr().err
    assert named in said
    assert "--trust" in said
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "was-imported").exists()


def test_a_file_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(ConfigInvalid):
        read_reproducible(tmp_path)
    (tmp_path / REPRODUCE).write_text("{}")
    with pytest.raises(ConfigInvalid):
        read_reproducible(tmp_path)
