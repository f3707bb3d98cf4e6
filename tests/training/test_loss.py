import copy

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig
from subgoal.training import llama_pass
from subgoal.training.config import TrainingPrecision
from subgoal.training.loss import LearnedLoss, fast_bfloat16, settled_precision

LENGTHS = (300, 257, 40, 3)
VOCABULARY = 60


def batch(seed=0):
    chance = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, VOCABULARY, (len(LENGTHS), max(LENGTHS)), generator=chance)
    learned = torch.rand(ids.shape, generator=chance) < 0.2
    for row, length in enumerate(LENGTHS):
        ids[row, length:] = 0
        learned[row, length:] = False
        learned[row, 1] = True
    return ids, learned


def reference(model, ids, learned):
    """The loss as transformers computes it, text by text without padding."""
    total, count = torch.zeros(()), 0
    for row, length in enumerate(LENGTHS):
        logits = model(ids[row : row + 1, :length]).logits[0, :-1]
        chosen = learned[row, 1:length]
        targets = ids[row, 1:length][chosen]
        total = total + cross_entropy(logits[chosen], targets, reduction="sum")
        count += len(targets)
    return total / count


def student():
    model = make_student(StudentConfig(), VOCABULARY, 0, 512)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 1 + 0.1 * torch.randn(weight.shape) if "norm" in name else 3.0
            weight.mul_(scale)
    return model


def gradients(model):
    return {n: w.grad for n, w in model.named_parameters() if w.grad is not None}


@pytest.mark.parametrize(
    ("precision", "loss_error", "gradient_error"),
    [(TrainingPrecision.FLOAT32, 1e-5, 1e-4), (TrainingPrecision.BFLOAT16, 5e-3, 5e-2)],
)
def test_loss_and_gradients_are_those_of_transformers(precision, loss_error, gradient_error):
    model, (ids, learned) = student(), batch()
    twin = copy.deepcopy(model)
    assert llama_pass.supports(model)
    expected = reference(twin, ids, learned)
    expected.backward()
    loss = LearnedLoss(model, precision)(ids, learned)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=loss_error)
    wanted = gradients(twin)
    assert gradients(model).keys() == wanted.keys()
    for name, grad in gradients(model).items():
        error = (grad - wanted[name]).norm() / wanted[name].norm()
        assert error < gradient_error, name


def test_other_architectures_go_through_their_own_pass():
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model, (ids, learned) = LlamaForCausalLM(config), batch()
    assert not llama_pass.supports(model)
    loss = LearnedLoss(model, TrainingPrecision.FLOAT32)(ids, learned)
    assert loss.item() == pytest.approx(reference(model, ids, learned).item(), rel=1e-5)


def test_a_batch_without_learned_tokens_has_no_loss():
    ids, learned = batch()
    assert LearnedLoss(student())(ids, torch.zeros_like(learned)).item() == 0


def test_the_precision_is_the_one_asked_for():
    model = student()
    assert LearnedLoss(model, TrainingPrecision.FLOAT32).dtype is torch.float32
    assert LearnedLoss(model, TrainingPrecision.BFLOAT16).dtype is torch.bfloat16
    fast = fast_bfloat16(torch.device("cpu"))
    assert LearnedLoss(model).dtype is (torch.bfloat16 if fast else torch.float32)
    assert not fast_bfloat16(torch.device("meta"))


@pytest.mark.parametrize(
    ("asked", "begun", "fast", "settled"),
    [
        ("auto", "auto", True, "bfloat16"),
        ("auto", "auto", False, "float32"),
        ("auto", "float32", True, "float32"),  # goes on with the same bits
        ("auto", "bfloat16", True, "bfloat16"),
        ("auto", "bfloat16", False, "float32"),  # on another processor
        ("bfloat16", "float32", False, "bfloat16"),
        ("float32", "bfloat16", True, "float32"),
    ],
)
def test_what_auto_began_in_it_goes_on_in(asked, begun, fast, settled, monkeypatch):
    monkeypatch.setattr("subgoal.training.loss.fast_bfloat16", lambda _: fast)
    found = settled_precision(
        TrainingPrecision(asked), TrainingPrecision(begun), torch.device("cpu")
    )
    assert found is TrainingPrecision(settled)
