import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from subgoal.errors import TrainingFailed
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig
from subgoal.training import llama_pass
from subgoal.training.batch import PaddedBatch, PairBatch
from subgoal.training.batches import Batches, Layout
from subgoal.training.config import TrainingPrecision
from subgoal.training.loss import LearnedLoss, PairLoss
from subgoal.training.memory import checkpoint_layers
from tiny_models import CAUSAL, causal, t5, texts

CPU = torch.device("cpu")


def reference(model, examples):
    """The mean loss as transformers computes it, text by text."""
    total, count = torch.zeros(()), 0
    for text in examples:
        ids, learned = torch.from_numpy(text.ids).long()[None], torch.from_numpy(text.learned)
        logits = model(ids).logits[0, :-1][learned[1:]]
        total = total + cross_entropy(logits, ids[0, 1:][learned[1:]], reduction="sum")
        count += int(learned[1:].sum())
    return total / count


def assert_same_gradients(model, twin):
    for (name, one), (_, other) in zip(
        model.named_parameters(), twin.named_parameters(), strict=True
    ):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            assert (one.grad - other.grad).norm() <= 1e-5 * other.grad.norm() + 1e-7, name


def nano():
    return make_student(StudentConfig(), vocabulary=64, pad=0, context=128).train()


WAYS = [
    *((name, "eager") for name in CAUSAL),
    *((name, "sdpa") for name in CAUSAL if name != "gemma2"),  # it has none of its own
    ("nano", "fast pass"),
]


@pytest.mark.parametrize(("name", "attention"), WAYS)
def test_padded_loss_and_gradients_are_those_of_texts_apart(name, attention):
    """Within 1e-6 of the loss and 1e-5 of each gradient's norm, in float32."""
    examples = texts(6)
    fast = name == "nano"
    model = nano() if fast else causal(name, attention).train()
    assert llama_pass.supports(model) or not fast
    twin = copy.deepcopy(model)
    batch = PaddedBatch(examples, pad=0)
    loss = LearnedLoss(model, TrainingPrecision.FLOAT32, fast)(**batch.inputs(CPU))
    loss.backward()
    expected = reference(twin, examples)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert_same_gradients(model, twin)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_checkpointing_changes_no_gradient(name):
    examples = texts(4)
    model = causal(name).train()
    twin = copy.deepcopy(model)
    checkpoint_layers(twin)
    assert any(getattr(module, "gradient_checkpointing", False) for module in twin.modules())
    batch = PaddedBatch(examples, pad=0)
    for one in (model, twin):
        LearnedLoss(one, TrainingPrecision.FLOAT32)(**batch.inputs(CPU)).backward()
    assert_same_gradients(model, twin)


def test_reading_learns_all_but_the_first_token_of_each_text():
    examples = texts(4)
    batch = PaddedBatch(examples, pad=0)
    read = batch.inputs(CPU, reading=True)["learned"][:, 1:]
    assert read.sum() == sum(len(text.ids) - 1 for text in examples)
    batches = Batches(examples, Layout.PADDED, 100)
    assert batches.learned(range(4), reading=True) == read.sum()
    assert batches.learned(range(4)) == batch.learned[:, 1:].sum()


def test_pairs_are_padded_apart_and_only_their_targets_learned():
    examples = texts(5)
    model = t5().eval()
    batch = PairBatch(examples, pad=0)
    loss = PairLoss(model, TrainingPrecision.FLOAT32)(**batch.inputs(CPU))
    total, count = 0.0, 0
    for text in examples:
        at = int(text.learned.argmax())
        labels = torch.from_numpy(np.where(text.learned[at:], text.ids[at:], -100)).long()[None]
        source = torch.from_numpy(text.ids[:at]).long()[None]
        total += model(input_ids=source, labels=labels).loss.item() * int(text.learned.sum())
        count += int(text.learned.sum())
    assert loss.item() == pytest.approx(total / count, rel=1e-5)
    assert Batches(examples, Layout.PAIRS, 200).learned(range(5)) == count


def test_pairs_of_like_size_share_a_batch_within_the_limit():
    examples = texts(200)
    batches = Batches(examples, Layout.PAIRS, 300)
    made = [batches.make(rows) for rows in batches.plan(0)]
    pairs = [batch for batch in made if isinstance(batch, PairBatch)]
    assert len(pairs) == len(made)
    cells = [batch.source.numel() + batch.labels.numel() for batch in pairs]
    assert max(cells) <= 300
    tokens = sum(len(text.ids) for text in examples)
    assert tokens / sum(cells) > 0.85


def test_batches_of_a_fixed_number_of_texts():
    examples = texts(70)
    for layout in (Layout.PADDED, Layout.PAIRS):
        plan = Batches(examples, layout, 100, 32).plan(0)
        counts = sorted(map(len, plan))
        assert counts == [6, 32, 32]


def test_a_pair_without_a_source_is_named():
    from dataclasses import replace

    text = texts(1)[0]
    text = replace(text, learned=np.ones_like(text.learned))
    with pytest.raises(TrainingFailed, match="text 0 has no source"):
        Batches([text], Layout.PAIRS, 100)
