"""Students trained in processes of their own: the same as one after another."""

import re
import subprocess
import sys

import pytest
import torch

from subgoal.errors import DataCorrupt, TrainingFailed
from subgoal.progress import Update
from subgoal.storage.run_folder import CONFIG, RunFolder
from subgoal.students.folder import load_student
from subgoal.text.format import Role
from subgoal.training.parallel import side_by_side
from subgoal.training.parallel.side_by_side import Failure, TrainingOrder, train_side_by_side
from subgoal.training.train import students_folder, train

ROLES = (Role.PLANNER, Role.EXECUTOR)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def weights(folder, role):
    model = load_student(students_folder(folder, role), role).model
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.slow
def test_the_students_are_those_of_one_after_another(tiny, two_cores, tmp_path, capfd):
    one = tiny.model_copy(update={"roles": ROLES, "side_by_side": False})
    apart = tiny.model_copy(update={"roles": ROLES})
    first, second = (RunFolder(tmp_path / name, config="seed = 1") for name in ("one", "apart"))
    train(one, first)
    capfd.readouterr()
    summary = train(apart, second)
    shown = capfd.readouterr().err
    for role in ROLES:
        assert re.search(rf"train {role}: [\d,]+/800 tokens", shown)
        assert summary.cards[role].tokens >= 800
        assert torch.equal(weights(first, role), weights(second, role))
    manifests = [first.manifest("train-planner"), second.manifest("train-planner")]
    assert manifests[0] is not None
    assert manifests[1] is not None
    assert manifests[0].config == manifests[1].config
    assert [(folder / CONFIG).read_text() for folder in (first, second)] == ["seed = 1"] * 2


def test_who_is_left_is_trained_as_beside_the_others(tiny, two_cores, tmp_path, monkeypatch):
    given = []

    def take(orders):
        given.extend(orders)
        raise TrainingFailed("stop")

    monkeypatch.setattr("subgoal.training.train.train_side_by_side", take)
    monkeypatch.setattr("subgoal.training.train.cores", lambda: 2)
    folder = RunFolder(tmp_path / "run")
    config = tiny.model_copy(update={"roles": (Role.BOTH, Role.FLAT)})
    train(tiny, folder)
    assert not given  # one alone needs no process of its own
    with pytest.raises(TrainingFailed, match="stop"):
        train(config, folder)
    (order,) = given
    assert (order.config["roles"], order.threads) == (["flat"], 1)


@pytest.mark.slow
def test_an_error_of_a_process_is_the_stage_s(tiny, two_cores, tmp_path):
    strict = tiny.dataset.model_copy(update={"min_confidence": 1.1})
    broken = tiny.model_copy(update={"roles": ROLES, "dataset": strict})
    with pytest.raises(TrainingFailed, match=r"no annotation of confidence 1\.1 or more"):
        train(broken, RunFolder(tmp_path / "run"))


@pytest.mark.parametrize(
    ("does", "kind", "said"),
    [
        ("os.abort()", TrainingFailed, "a training process ended with exit code -6"),
        (
            """print('{"error": "DataCorrupt", "message": "line 7"}'); sys.exit(1)""",
            DataCorrupt,
            "line 7",
        ),
    ],
)
def test_how_a_process_ended_is_the_stage_s_end(tiny, tmp_path, monkeypatch, does, kind, said):
    config = tiny.model_dump(mode="json", exclude={"roles"})
    order = TrainingOrder(config={**config, "roles": ["both"]}, folder=tmp_path / "run", threads=1)
    popen = subprocess.Popen
    child = [sys.executable, "-c", f"import os, sys; os.read(0, 9); {does}"]
    monkeypatch.setattr(side_by_side.subprocess, "Popen", lambda _, **kinds: popen(child, **kinds))
    with pytest.raises(kind, match=said):
        train_side_by_side([order])


WORKER = (sys.executable, "-m", "subgoal.training.parallel.worker")


def test_a_process_without_a_parent_ends_in_silence():
    child = subprocess.run(WORKER, input=b"", capture_output=True, check=False)
    assert (child.stdout, child.stderr) == (b"", b"")
    assert child.returncode == 1


@pytest.mark.slow
def test_a_training_ends_with_its_parent(tiny, tmp_path):
    long = tiny.training.model_copy(update={"tokens": 10**9})
    config = tiny.model_copy(update={"training": long}).model_dump(mode="json", exclude={"roles"})
    order = TrainingOrder(config={**config, "roles": ["both"]}, folder=tmp_path / "run", threads=1)
    pipe = subprocess.PIPE
    with subprocess.Popen(WORKER, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(order.model_dump_json().encode() + b"\n")
        child.stdin.flush()
        while Update.model_validate_json(child.stdout.readline()).unit != "tokens":
            pass  # texts that are made slowly are told first
        child.stdout.close()  # what it tells breaks, too
        assert b"Traceback" not in child.communicate(timeout=120)[1]
    assert child.returncode == 1


def test_lines_are_told_apart():
    update = Update(label="train both", total=10, unit="tokens", done=3)
    failure = Failure(error="TrainingFailed", message="the loss is nan")
    with pytest.raises(ValueError, match="label"):
        Update.model_validate_json(failure.model_dump_json())
    assert Update.model_validate_json(update.model_dump_json()) == update
