"""int8 answers nearly as float32, whatever the model is."""

import pytest
import torch

import tiny_models
from subgoal.engines.base import Generation
from subgoal.engines.int8_linear import Int8Linear
from subgoal.engines.transformers import make_engine


def test_a_layer_is_near_to_its_float():
    torch.manual_seed(0)
    layer = torch.nn.Linear(40, 24)
    x = torch.randn(2, 3, 40) * torch.tensor([0.01, 1.0, 50.0])[:, None]
    exact, found = layer(x), Int8Linear(layer.weight, layer.bias)(x)
    assert found.shape == exact.shape
    errors = (found - exact).norm(dim=-1) / (exact - layer.bias).norm(dim=-1)
    assert errors.max() < 0.02  # each row has its own scale: small ones are not drowned
    assert torch.equal(Int8Linear(layer.weight)(torch.zeros(1, 40)), torch.zeros(1, 24))


@pytest.mark.parametrize("name", ["llama", "qwen2", "t5"])
def test_logits_are_near(name):
    make = tiny_models.t5 if name == "t5" else lambda: tiny_models.causal(name)
    exact, rounded = make_engine(make().eval(), 64), make_engine(make().eval(), 64, int8=True)
    logits = []
    for engine in (exact, rounded):
        stream = engine.open()
        stream.extend(range(3, 23))
        engine.generate([Generation(stream, frozenset(), 1)])
        stream.replace([*range(3, 20), 7])
        logits.append(torch.from_numpy(engine.logits(stream)))
    assert torch.nn.functional.cosine_similarity(*logits, dim=0) > 0.99
    assert not torch.equal(*logits)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "t5"])
def test_a_compiled_model_answers_the_same(name):
    make = tiny_models.t5 if name == "t5" else lambda: tiny_models.causal(name)
    answers = []
    for compiled in (False, True):
        engine = make_engine(make().eval(), 64, compiled=compiled)
        streams = [engine.open() for _ in range(3)]
        for number, stream in enumerate(streams):
            stream.extend(range(3, 9 + 5 * number))
        asks = [Generation(stream, frozenset({2}), 6) for stream in streams]
        answers.append([answer.ids for answer in engine.generate(asks)])
    assert answers[0] == answers[1]
