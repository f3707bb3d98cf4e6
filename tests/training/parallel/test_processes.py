"""Two processes train as one does with twice the accumulation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from subgoal.errors import TrainingFailed
from subgoal.training.checkpoint import checkpoints
from subgoal.training.config import OptimizerName, Select, TrainingConfig, TrainingPrecision
from subgoal.training.log import log
from subgoal.training.optimizers.schedule import share_used
from subgoal.training.parallel.processes import Processes, joined_processes
from subgoal.training.run import Outcome

CONFIG = TrainingConfig(
    tokens=2_400,
    batch_tokens=150,
    learning_rate=3e-3,
    optimizer=OptimizerName.ADAMW,
    checkpoint_tokens=700,
    validations=3,
    precision=TrainingPrecision.FLOAT32,
)
SCRIPT = Path(__file__).with_name("joint_run.py")


def launch(work, processes, config=CONFIG, model="causal", sharded=False, die=0):
    """Train in processes of their own; return the exit code and what they said."""
    words = [str(work), config.model_dump_json(), model, str(die)]
    starter = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    environment["PYTHONPATH"] = os.pathsep.join([*filter(None, sys.path), str(SCRIPT.parent)])
    if sharded:
        environment.update(ACCELERATE_USE_FSDP="true", FSDP_VERSION="2")
    return subprocess.run(
        [sys.executable, *(starter if processes > 1 else ()), str(SCRIPT), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def trained(work, *given, **named):
    done = launch(work, *given, **named)
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = Outcome.model_validate_json((work / "outcome0.json").read_text())
    return outcome, list(log(work / "log.jsonl")), load_file(work / "weights0.safetensors")


def assert_alike(one, other):
    assert [line.step for line in one[1]] == [line.step for line in other[1]]
    for a, b in zip(one[1], other[1], strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-3)
        assert a.tokens == b.tokens
        assert (a.dev_loss is None) == (b.dev_loss is None)
        if a.dev_loss is not None:
            assert a.dev_loss == pytest.approx(b.dev_loss, rel=1e-3)
        assert a.score == b.score
    assert one[2].keys() == other[2].keys()
    for name, weight in one[2].items():
        assert (weight - other[2][name]).norm() <= 0.02 * weight.norm(), name


def assert_one_logs_and_all_end_alike(work, outcome):
    ends = [load_file(work / f"weights{rank}.safetensors") for rank in range(2)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    second = Outcome.model_validate_json((work / "outcome1.json").read_text())
    assert second.at == outcome.at
    assert len(list(log(work / "log.jsonl"))) == len({a.step for a in log(work / "log.jsonl")})
    for place in checkpoints(work / "checkpoints"):
        assert {file.suffix for file in place.iterdir()} == {".json", ".safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_two_processes_are_one_with_twice_the_accumulation(sharded, tmp_path):
    twice = CONFIG.model_copy(update={"accumulation": 2})
    one = trained(tmp_path / "one", 1, twice)
    two = trained(tmp_path / "two", 2, sharded=sharded)
    assert (one[0].setup.processes, two[0].setup.processes) == (1, 2)
    assert two[0].setup.sharded == sharded
    assert_alike(one, two)
    assert_one_logs_and_all_end_alike(tmp_path / "two", two[0])


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_two_processes_make_muons_directions_as_one_does(sharded, tmp_path):
    muon = CONFIG.model_copy(update={"optimizer": OptimizerName.MUON})
    one = trained(tmp_path / "one", 1, muon.model_copy(update={"accumulation": 2}))
    two = trained(tmp_path / "two", 2, muon, sharded=sharded)
    assert_alike(one, two)
    assert_one_logs_and_all_end_alike(tmp_path / "two", two[0])


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("model", ["t5", "lora"])
def test_every_kind_of_model_is_shared(model, sharded, tmp_path):
    config = CONFIG.model_copy(update={"accumulation": 2, "gradient_checkpointing": True})
    two = trained(tmp_path, 2, config, model, sharded)
    assert two[1][-1].loss < two[1][0].loss
    assert_one_logs_and_all_end_alike(tmp_path, two[0])


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_a_killed_run_goes_on_in_as_many_processes_and_in_one(sharded, tmp_path):
    whole = trained(tmp_path / "whole", 2, sharded=sharded)
    for processes in (2, 1):
        work = tmp_path / str(processes)
        killed = launch(work, 2, sharded=sharded, die=whole[0].at.step - 1)
        assert killed.returncode != 0
        accumulation = {"accumulation": 3 - processes}
        config = CONFIG.model_copy(update=accumulation)
        again = trained(work, processes, config, sharded=sharded and processes > 1)
        assert again[0].at.tokens == whole[0].at.tokens
        for name, weight in whole[2].items():
            if processes == 2:
                assert torch.equal(weight, again[2][name])
            else:
                assert (weight - again[2][name]).norm() <= 0.02 * weight.norm(), name


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_a_time_budget_ends_all_processes_at_one_step(sharded, tmp_path):
    config = CONFIG.model_copy(update={"tokens": 0, "minutes": 0.02, "select": Select.SCORE})
    outcome, lines, _ = trained(tmp_path, 2, config, sharded=sharded)
    assert share_used(config, outcome.at) == 1
    assert outcome.step == [line.step for line in lines if line.score is not None][-1]
    assert_one_logs_and_all_end_alike(tmp_path, outcome)


def test_alone_no_launcher_is_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.delitem(sys.modules, "subgoal.training.parallel.joint", raising=False)
    for name in [*os.environ]:
        if name.startswith("ACCELERATE_") or name == "WORLD_SIZE":
            monkeypatch.delenv(name)
    assert type(joined_processes()) is Processes
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingFailed, match=r"subgoal\[distributed\]"):
        joined_processes()
