import pytest
import torch

from subgoal.datasets.examples import DatasetConfig, build, corpus
from subgoal.datasets.rendering import RenderingName, Role
from subgoal.datasets.tokenizer import Mark, StudentTokenizer
from subgoal.errors import StudentInvalid, TrainingFailed
from subgoal.training.batching import Batch, batches
from subgoal.training.checkpoint import Student, StudentCard, load_student, save_student
from subgoal.training.finetune import TrainingConfig, batch_loss, finetune, log
from subgoal.training.student import StudentConfig, make_student

CONFIG = TrainingConfig(tokens=12_000, batch_tokens=1024, checkpoint_tokens=1)


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return StudentTokenizer.train(corpus(annotated), 500)


@pytest.fixture(scope="module")
def examples(annotated, tokenizer):
    return build(annotated, Role.BOTH, DatasetConfig(context=512), tokenizer)


def fresh(tokenizer):
    return make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_to_the_same_weights(examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("subgoal.training.finetune._LOG_STEPS", 2)
    whole = fresh(tokenizer)
    finetune(whole, examples, [], CONFIG, tmp_path / "whole", "whole")
    count = 0

    def fails_late(model, batch):
        nonlocal count
        count += 1
        if count == 6:
            raise Killed
        return batch_loss(model, batch)

    halved = fresh(tokenizer)
    with monkeypatch.context() as patch:
        patch.setattr("subgoal.training.finetune.batch_loss", fails_late)
        with pytest.raises(Killed):
            finetune(halved, examples, [], CONFIG, tmp_path / "halved", "halved")
    again = fresh(tokenizer)
    outcome = finetune(again, examples, examples[:3], CONFIG, tmp_path / "halved", "again")
    assert torch.equal(weights(whole), weights(again))
    assert outcome.at.tokens >= CONFIG.tokens
    lines = list(log(tmp_path / "whole" / "log.jsonl"))
    assert lines[-1].loss < lines[0].loss


def test_padding_changes_no_loss(examples, tokenizer):
    model = fresh(tokenizer).eval()
    short, long = sorted(examples, key=lambda e: len(e.ids))[:: len(examples) - 1]
    alone = [batch_loss(model, Batch([one], 0)).item() for one in (short, long)]
    counts = [int(one.learned[1:].sum()) for one in (short, long)]
    together = batch_loss(model, Batch([short, long], 0)).item()
    mean = sum(a * n for a, n in zip(alone, counts, strict=True)) / sum(counts)
    assert together == pytest.approx(mean, rel=1e-5)


def test_an_epoch_holds_every_example_once_in_an_order_of_its_own(examples):
    def order(epoch):
        return [row.tolist() for b in batches(examples, 1024, 0, 0, epoch) for row in b.ids]

    assert order(0) == order(0) != order(1)
    assert len(order(0)) == len(examples)
    assert all(b.ids.numel() <= 1024 for b in batches(examples, 1024, 0, 0, 0))


def test_a_loss_that_is_not_finite_stops(examples, tokenizer, tmp_path):
    model = fresh(tokenizer)
    with torch.no_grad():
        model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(TrainingFailed, match="lower the learning rate"):
        finetune(model, examples, [], CONFIG, tmp_path, "nan")


def test_nothing_to_learn_from_is_said(tokenizer, tmp_path):
    with pytest.raises(TrainingFailed, match="no examples"):
        finetune(fresh(tokenizer), [], [], CONFIG, tmp_path, "none")


def card():
    return StudentCard(
        role=Role.BOTH,
        rendering=RenderingName.FOLDED,
        context=512,
        data="",
        parameters=1,
        tokens=1,
        loss=1.0,
        dev_loss=None,
        seconds=1.0,
        seed=0,
        trained_on=(),
    )


def test_a_student_survives_the_disk_and_damage_is_named(tokenizer, tmp_path):
    model = fresh(tokenizer)
    place = tmp_path / "student"
    save_student(place, Student(model, tokenizer, card()))
    again = load_student(place)
    assert torch.equal(weights(model), weights(again.model))
    assert again.card == card()
    assert not list(place.glob("*.bin"))
    StudentTokenizer.train(["a"], 270).save(place / "tokenizer.json")
    with pytest.raises(StudentInvalid, match="different students"):
        load_student(place)
    (place / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(StudentInvalid, match="is damaged"):
        load_student(place)
    (place / "student.json").unlink()
    with pytest.raises(StudentInvalid, match=r"student\.json is missing"):
        load_student(place)
