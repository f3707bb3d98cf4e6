import itertools
import json
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.errors import TrainingFailed
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.training import run as run_module
from subgoal.training.batch import PaddedBatch
from subgoal.training.batches import Batches, Layout
from subgoal.training.checkpoint import Position, checkpoints, last_position
from subgoal.training.config import OptimizerName, TrainingConfig, TrainingPrecision
from subgoal.training.log import log
from subgoal.training.loop import finetune
from subgoal.training.loss import LearnedLoss
from subgoal.training.optimizers.optimizer import chosen_optimizer, make_optimizers
from subgoal.training.optimizers.schedule import learning_rate, share_used
from subgoal.training.parallel.processes import Processes
from subgoal.training.validation import mean_loss

CONFIG = TrainingConfig(tokens=6_000, batch_tokens=512, checkpoint_tokens=1_000, validations=3)
EXPLICIT = [OptimizerName.MUON, OptimizerName.ADAMW]


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return MarkTokenizer.train(corpus(annotated), 500)


@pytest.fixture(scope="module")
def examples(annotated, tokenizer):
    return build(annotated, Role.BOTH, DatasetConfig(context=512), tokenizer)


def fresh(tokenizer, more=0):
    """A student of the same architecture, smaller than the smallest size."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.size + more,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=1,
            num_key_value_heads=1,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.mark(Mark.PAD),
        )
    )


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


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


@pytest.mark.parametrize("optimizer", EXPLICIT)
@pytest.mark.parametrize("attempts", [(2,), (7,), (4, 3)])
def test_a_killed_run_goes_on_to_the_same_bits(
    attempts, optimizer, examples, tokenizer, tmp_path, monkeypatch
):
    config = CONFIG.model_copy(update={"optimizer": optimizer, "full_loss_share": 0.4})
    whole = fresh(tokenizer)
    expected = finetune(whole, examples[3:], examples[:3], config, tmp_path / "whole", "whole")
    for step in attempts:
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            model = fresh(tokenizer)
            with pytest.raises(Killed):
                finetune(model, examples[3:], examples[:3], config, tmp_path / "cut", "cut")
    again = fresh(tokenizer)
    outcome = finetune(again, examples[3:], examples[:3], config, tmp_path / "cut", "again")
    assert torch.equal(weights(whole), weights(again))
    assert (outcome.at.step, outcome.at.tokens) == (expected.at.step, expected.at.tokens)
    assert (outcome.loss, outcome.dev_loss) == (expected.loss, expected.dev_loss)
    steps = [line.step for line in log(tmp_path / "cut" / "log.jsonl")]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("begun", [TrainingPrecision.FLOAT32, TrainingPrecision.BFLOAT16])
def test_a_run_goes_on_in_the_precision_that_its_checkpoint_names(
    begun, examples, tokenizer, tmp_path, monkeypatch, capsys
):
    """Whatever a measurement says the second time; a slow one alone gives bfloat16 up, aloud."""
    config = CONFIG.model_copy(update={"tokens": 2_500, "checkpoint_tokens": 500})
    low = begun is TrainingPrecision.BFLOAT16
    monkeypatch.setattr("subgoal.training.loss.fast_bfloat16", lambda _: low)
    whole, cut = fresh(tokenizer), fresh(tokenizer)
    finetune(whole, examples, [], config, tmp_path / "whole", "x")
    with monkeypatch.context() as patch:
        kill_at(patch, 4)
        with pytest.raises(Killed):
            finetune(fresh(tokenizer), examples, [], config, tmp_path / "cut", "x")
    assert last_position(tmp_path / "cut" / "checkpoints").precision is begun
    assert "float" not in capsys.readouterr().err
    monkeypatch.setattr("subgoal.training.loss.fast_bfloat16", lambda _: not low)
    outcome = finetune(cut, examples, [], config, tmp_path / "cut", "x")
    assert outcome.setup.precision == "float32"
    assert torch.equal(weights(cut), weights(whole)) != low
    assert ("bfloat16" in capsys.readouterr().err) == low


def test_training_lowers_the_loss_and_logs_it(examples, tokenizer, tmp_path):
    looked = []

    def look(_, line):
        looked.append(line)

    model, dev = fresh(tokenizer), examples[:3]
    finetune(model, examples[3:], dev, CONFIG, tmp_path, "x", look)
    lines = list(log(tmp_path / "log.jsonl"))
    assert lines[-1].loss < 0.95 * lines[0].loss
    assert [line for line in lines if line.dev_loss is not None] == looked
    assert len(looked) == CONFIG.validations
    texts = Batches(dev, Layout.PADDED, CONFIG.batch_tokens)
    assert lines[-1].dev_loss == mean_loss(LearnedLoss(model), texts, Processes())
    assert lines[0].setup is not None
    assert lines[0].setup.optimizer == chosen_optimizer(OptimizerName.AUTO, True, 1)
    assert [line.setup for line in lines[1:]] == [None] * (len(lines) - 1)


def test_checkpoints_are_few_whole_and_without_pickle(examples, tokenizer, tmp_path):
    finetune(fresh(tokenizer), examples, [], CONFIG, tmp_path, "x")
    kept = checkpoints(tmp_path / "checkpoints")
    assert len(kept) == 2
    for place in kept:
        files = {"model.safetensors", "optimizer.safetensors", "digests.json", "position.json"}
        assert {file.name for file in place.iterdir()} == files
        assert json.loads((place / "position.json").read_text())["step"] == int(place.name)
        with safe_open(place / "optimizer.safetensors", "pt") as file:
            assert file.get_tensor("0.0.momentum_buffer").abs().sum() > 0
            assert file.get_tensor("1.0.exp_avg_sq").sum() > 0
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "position.json"])
def test_a_damaged_checkpoint_is_named(file, examples, tokenizer, tmp_path):
    finetune(fresh(tokenizer), examples, [], CONFIG, tmp_path, "x")
    last = checkpoints(tmp_path / "checkpoints")[-1]
    (last / file).write_bytes((last / file).read_bytes()[:-9])
    with pytest.raises(TrainingFailed, match=f"{last.name} is damaged .* delete it"):
        finetune(fresh(tokenizer), examples, [], CONFIG, tmp_path, "x")


def test_a_checkpoint_of_another_model_is_refused(examples, tokenizer, tmp_path):
    finetune(fresh(tokenizer), examples, [], CONFIG, tmp_path, "x")
    other = fresh(tokenizer, more=1)
    with pytest.raises(TrainingFailed, match="cannot be used"):
        finetune(other, examples, [], CONFIG, tmp_path, "x")


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    examples, tokenizer, tmp_path
):
    model = fresh(tokenizer)

    def spoil(*_):
        with torch.no_grad():
            model.lm_head.weight.fill_(torch.nan)

    config = CONFIG.model_copy(update={"checkpoint_tokens": 1_500})
    message = r"loss is nan at step .* lower training\.learning_rate .* last good checkpoint is"
    with pytest.raises(TrainingFailed, match=message):
        finetune(model, examples, examples[:1], config, tmp_path, "nan", spoil)
    last = load_file(checkpoints(tmp_path / "checkpoints")[-1] / "model.safetensors")
    assert all(weight.isfinite().all() for weight in last.values())
    assert not weights(model).isfinite().all()
    again = fresh(tokenizer)
    finetune(again, examples, [], CONFIG, tmp_path, "again")
    assert weights(again).isfinite().all()


def test_a_time_budget_ends_in_time_and_counts_over_attempts(
    examples, tokenizer, tmp_path, monkeypatch
):
    config = CONFIG.model_copy(
        update={"tokens": 0, "minutes": 1, "checkpoint_tokens": 500, "validations": 0}
    )
    clock = itertools.count(0, 10)  # a step takes ten seconds
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with monkeypatch.context() as patch:
        kill_at(patch, 4)
        with pytest.raises(Killed):
            finetune(fresh(tokenizer), examples, [], config, tmp_path, "x")
    before = Position.model_validate_json(
        (checkpoints(tmp_path / "checkpoints")[-1] / "position.json").read_text()
    )
    assert 0 < before.seconds == 10 * before.step < 40
    outcome = finetune(fresh(tokenizer), examples, [], config, tmp_path, "x")
    assert (outcome.at.seconds, outcome.at.step) == (60, 6)


def test_the_rate_rises_falls_and_follows_the_budget():
    config = TrainingConfig(tokens=100, minutes=1, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(config, used / 100) for used in range(101)]
    assert max(rates) == pytest.approx(rates[10]) == 1.0
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.02)
    assert share_used(config, Position(tokens=25)) == 0.25
    assert share_used(config, Position(tokens=25, seconds=45)) == 0.75
    assert share_used(config, Position(tokens=300)) == 1


@pytest.mark.parametrize("name", EXPLICIT)
def test_every_weight_has_one_optimizer(name, tokenizer):
    model = fresh(tokenizer)
    groups = [
        group
        for one in make_optimizers(name, model, 1e-3, 0.1, torch.float32)
        for group in one.param_groups
    ]
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.parameters())
    for group in groups:
        if group["weight_decay"]:
            assert all(weight.dim() == 2 for weight in group["params"])


def test_reading_learns_every_token_at_first_and_no_padding(examples, tokenizer, tmp_path):
    counts = []

    class Seen(LearnedLoss):
        def forward(self, ids, learned, count=None):
            counts.append((int(learned.sum()), int((ids != 0).sum())))
            return super().forward(ids, learned, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subgoal.training.run.LearnedLoss", Seen)
        config = CONFIG.model_copy(update={"full_loss_share": 0.5})
        finetune(fresh(tokenizer), examples, [], config, tmp_path, "x")
    half = len(counts) // 2
    assert all(learned == real for learned, real in counts[: half - 1])
    assert all(learned < real for learned, real in counts[half + 1 :])


def test_padding_changes_no_loss(examples, tokenizer):
    loss = LearnedLoss(fresh(tokenizer).eval(), TrainingPrecision.FLOAT32)
    short, long = sorted(examples, key=lambda e: len(e.ids))[:: len(examples) - 1]
    batches = [PaddedBatch(texts, 0) for texts in ([short], [long], [short, long])]
    first, second, both = (loss(one.ids, one.learned).item() for one in batches)
    counts = [int(one.learned[1:].sum()) for one in (short, long)]
    mean = (first * counts[0] + second * counts[1]) / sum(counts)
    assert both == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"tokens": 0}, "no budget"), ({"tokens": -1, "minutes": -1.0}, "no budget")],
)
def test_no_budget_is_said(change, message, examples, tokenizer, tmp_path):
    config = CONFIG.model_copy(update=change)
    with pytest.raises(TrainingFailed, match=message):
        finetune(fresh(tokenizer), examples, [], config, tmp_path, "x")


def test_nothing_to_learn_from_is_said(tokenizer, tmp_path):
    with pytest.raises(TrainingFailed, match="no examples"):
        finetune(fresh(tokenizer), [], [], CONFIG, tmp_path, "none")


def test_kept_weights_can_be_the_mean_of_before_and_after(examples, tokenizer, tmp_path):
    before, plain, mean = (fresh(tokenizer) for _ in range(3))
    finetune(plain, examples, [], CONFIG, tmp_path / "plain", "x", fresh=False)
    config = CONFIG.model_copy(update={"keep_base": 0.25})
    dev = examples[:3]
    outcome = finetune(mean, examples, dev, config, tmp_path / "mean", "x", fresh=False)
    torch.testing.assert_close(weights(mean), 0.75 * weights(plain) + 0.25 * weights(before))
    batches = Batches(dev, Layout.PADDED, 512, 0, 0)
    loss = mean_loss(LearnedLoss(mean), batches, Processes())
    assert outcome.dev_loss == pytest.approx(loss, rel=1e-3)
    with pytest.raises(TrainingFailed, match="keep_base is for a student that is trained further"):
        finetune(fresh(tokenizer), examples, [], config, tmp_path / "fresh", "x")
