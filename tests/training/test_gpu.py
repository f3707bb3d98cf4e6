"""What differs on a GPU: the fast pass without masks, bfloat16, compiled models."""

import copy
import math
from typing import Any

import pytest
import torch

from subgoal.engines.transformers import make_engine
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role
from subgoal.training import llama_pass
from subgoal.training.batch import PaddedBatch
from subgoal.training.config import TrainingPrecision
from subgoal.training.loss import LearnedLoss
from subgoal.training.train import train
from tiny_models import texts

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def nano() -> Any:
    return make_student(StudentConfig(), vocabulary=64, pad=0, context=128).train()


def test_the_fast_pass_computes_what_the_module_computes():
    model, batch = nano(), PaddedBatch(texts(6), pad=0)
    twin = copy.deepcopy(model).cuda()
    expected = LearnedLoss(model, TrainingPrecision.FLOAT32, fast=False)(
        **batch.inputs(torch.device("cpu"))
    )
    expected.backward()
    assert llama_pass.supports(twin)
    loss = LearnedLoss(twin, TrainingPrecision.FLOAT32)(**batch.inputs(torch.device("cuda")))
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    for one, other in zip(twin.parameters(), model.parameters(), strict=True):
        assert (one.grad.cpu() - other.grad).norm() <= 1e-3 * other.grad.norm() + 1e-6
    low = LearnedLoss(twin, TrainingPrecision.BFLOAT16)(**batch.inputs(torch.device("cuda")))
    assert low.item() == pytest.approx(expected.item(), rel=2e-2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"compile": True},
        {"gradient_checkpointing": True},
    ],
)
def test_every_way_of_training_ends_with_a_student(tiny, tmp_path, changes):
    training = tiny.training.model_copy(update=changes)
    summary = train(tiny.model_copy(update={"training": training}), RunFolder(tmp_path / "run"))
    card = summary.cards[Role.BOTH]
    assert math.isfinite(card.loss)
    assert card.tokens >= training.tokens


def test_an_engine_on_a_gpu_gives_the_logits_of_the_cpu():
    model = nano().eval()
    logits = []
    for device in ("cpu", "cuda"):
        engine = make_engine(copy.deepcopy(model).to(device), 128)
        stream = engine.open()
        stream.extend(list(range(1, 40)))
        logits.append(torch.from_numpy(engine.logits(stream)))
    assert torch.allclose(*logits, atol=1e-3)
