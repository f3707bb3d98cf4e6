"""Every way to train: each learns, and goes on to the same bits after a kill."""

import pytest
import torch
from safetensors.torch import load_file

from subgoal.errors import TrainingFailed
from subgoal.training.checkpoint import checkpoints
from subgoal.training.config import TrainingConfig, TrainingPrecision
from subgoal.training.log import log
from subgoal.training.loop import finetune
from subgoal.training.parallel.processes import Processes
from tiny_models import CAUSAL, causal, lora, t5, texts, weights

CONFIG = TrainingConfig(
    tokens=2_400,
    batch_tokens=200,
    learning_rate=1e-2,
    checkpoint_tokens=500,
    validations=3,
    precision=TrainingPrecision.FLOAT32,
)


def module():
    """A model that has no faster pass."""
    return causal("qwen2")


MODES = {
    "accumulation": (module, {"accumulation": 3}),
    "by texts": (module, {"batch_texts": 8, "accumulation": 2}),
    "epochs": (module, {"tokens": 0, "epochs": 2.5}),
    "checkpointing": (lambda: causal("qwen3"), {"gradient_checkpointing": True}),
    "pairs": (t5, {"batch_texts": 8}),
    "pairs, accumulation": (
        t5,
        {"accumulation": 2, "gradient_checkpointing": True},
    ),
    "lora": (lora, {"accumulation": 2}),
}


class Killed(Exception):
    pass


def kill_at(monkeypatch, step):
    """Let training die in its optimizer step number `step` of this attempt."""
    plain, count = torch.optim.AdamW.step, 0

    def step_or_die(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count == step:
            raise Killed
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", step_or_die)


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_run_goes_on_to_the_same_bits(mode, tmp_path, monkeypatch):
    make, changes = MODES[mode]
    config = CONFIG.model_copy(update=changes)
    whole, cut, again = make(), make(), make()
    expected = finetune(whole, texts(), texts(5, 1), config, tmp_path / "whole", "x")
    with monkeypatch.context() as patch:
        kill_at(patch, expected.at.step - 1)
        with pytest.raises(Killed):
            finetune(cut, texts(), texts(5, 1), config, tmp_path / "cut", "x")
    outcome = finetune(again, texts(), texts(5, 1), config, tmp_path / "cut", "x")
    assert torch.equal(weights(whole), weights(again))
    assert not torch.equal(weights(make()), weights(again))
    assert (outcome.loss, outcome.dev_loss) == (expected.loss, expected.dev_loss)
    assert outcome.at.model_copy(update={"seconds": 0}) == expected.at.model_copy(
        update={"seconds": 0}
    )
    first = next(iter(log(tmp_path / "cut" / "log.jsonl")))
    assert expected.loss < first.loss


@pytest.mark.parametrize("name", CAUSAL)
def test_every_causal_architecture_learns(name, tmp_path):
    config = CONFIG.model_copy(update={"tokens": 8_000, "batch_tokens": 400})
    outcome = finetune(causal(name), texts(), texts(5, 1), config, tmp_path, "x")
    lines = list(log(tmp_path / "log.jsonl"))
    assert outcome.dev_loss is not None
    assert outcome.dev_loss < 0.8 * lines[0].loss


def test_accumulation_takes_the_mean_over_the_whole_step(tmp_path, monkeypatch):
    """One batch of all texts or eight: the same loss and gradient, within 1e-5."""
    plain, found = Processes.clip, []

    def clip(self, student, most):
        found.append(torch.cat([weight.grad.flatten() for weight in student.parameters()]))
        return plain(self, student, most)

    monkeypatch.setattr(Processes, "clip", clip)
    losses = []
    for number, parts in ((40, 1), (5, 8)):
        config = CONFIG.model_copy(
            update={"batch_texts": number, "accumulation": parts, "epochs": 1.0, "tokens": 0}
        )
        outcome = finetune(causal(), texts(), [], config, tmp_path / str(parts), "x")
        assert outcome.at.step == 1
        losses.append(outcome.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert (found[0] - found[1]).norm() < 1e-5 * found[0].norm()


def test_only_adapters_are_trained_and_kept(tmp_path):
    model = lora()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    outcome = finetune(model, texts(), [], CONFIG, tmp_path, "x")
    assert outcome.setup.optimizer == "adamw"
    kept = load_file(checkpoints(tmp_path / "checkpoints")[-1] / "model.safetensors")
    assert kept
    assert all("lora_" in name for name in kept)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == ("lora_" not in name)


def test_epochs_end_the_training_after_their_texts(tmp_path):
    config = CONFIG.model_copy(
        update={"tokens": 0, "epochs": 2.5, "batch_texts": 10, "validations": 0}
    )
    outcome = finetune(causal(), texts(), [], config, tmp_path, "x")
    assert (outcome.at.texts, outcome.at.step) == (100, 10)


def test_what_auto_means_follows_the_model(tmp_path):
    auto = CONFIG.model_copy(update={"tokens": 200, "validations": 0})
    fresh = finetune(causal(), texts(), [], auto, tmp_path / "a", "x").setup
    tuned = finetune(causal(), texts(), [], auto, tmp_path / "b", "x", fresh=False).setup
    assert (fresh.optimizer, tuned.optimizer) == ("muon", "adamw")
    assert (fresh.device, fresh.processes, fresh.sharded) == ("cpu", 1, False)


def test_a_text_longer_than_the_positions_is_named(tmp_path):
    long = [*texts(3), *texts(1, longest=400, seed=3)]
    message = r"text 0 has \d+ tokens but the model's positions end at 128; lower train\.dataset"
    with pytest.raises(TrainingFailed, match=message):
        finetune(causal(), long, [], CONFIG, tmp_path, "x")
    finetune(t5(), long, [], CONFIG, tmp_path, "x")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_names_the_settings(error, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("subgoal.training.run.LearnedLoss.forward", fail)
    message = (
        r"out of memory in step 1, with a batch of \d+ x \d+ tokens; lower training\.batch_tokens "
        r"\(200\) and raise training\.accumulation .* training\.gradient_checkpointing = true"
    )
    with pytest.raises(TrainingFailed, match=message):
        finetune(causal(), texts(), [], CONFIG, tmp_path / "a", "x")
    config = CONFIG.model_copy(update={"batch_texts": 4, "gradient_checkpointing": True})
    with pytest.raises(TrainingFailed, match=r"lower training\.batch_texts \(4\) and .* as much$"):
        finetune(causal(), texts(), [], config, tmp_path / "b", "x")


def test_another_error_stays_what_it_is(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("subgoal.training.run.LearnedLoss.forward", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        finetune(causal(), texts(), [], CONFIG, tmp_path, "x")


@pytest.mark.slow
def test_a_compiled_model_learns_the_same(tmp_path):
    losses = []
    for flag in (False, True):
        config = CONFIG.model_copy(update={"compile": flag, "tokens": 1_000})
        losses.append(finetune(causal(), texts(), [], config, tmp_path / str(flag), "x").loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
