"""A trained student grows without losing anything."""

import pytest
import torch

from subgoal.errors import ConfigInvalid
from subgoal.students.growth import grow
from tiny_models import VOCABULARY, causal, t5


def _logits(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.randint(0, VOCABULARY, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(ids).logits


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("layers", [2, 3, 4, 7])
def test_new_layers_change_nothing_before_they_learn(name: str, layers: int) -> None:
    model = causal(name).eval()
    before = _logits(model)
    old = [id(layer) for layer in model.model.layers]
    grow(model, layers)
    assert torch.equal(before, _logits(model))
    assert [layer.self_attn.layer_idx for layer in model.model.layers] == list(range(layers))
    assert model.config.num_hidden_layers == layers
    kept = [id(layer) for layer in model.model.layers if id(layer) in old]
    assert kept == old  # in their order, each once


def test_every_new_layer_learns() -> None:
    model = causal("llama")
    grow(model, 4)
    ids = torch.randint(0, VOCABULARY, (2, 20))
    model(ids, labels=ids).loss.backward()
    silent = [
        layer.mlp.down_proj.weight
        for layer in model.model.layers
        if not layer.mlp.down_proj.weight.any()
    ]
    assert len(silent) == 2
    assert all(weight.grad is not None and weight.grad.any() for weight in silent)


def test_a_cache_holds_all_layers() -> None:
    model = causal("llama").eval()
    ids = torch.randint(0, VOCABULARY, (1, 8))
    before = model.generate(ids, max_new_tokens=6, do_sample=False)
    grow(model, 5)
    assert torch.equal(before, model.generate(ids, max_new_tokens=6, do_sample=False))


@pytest.mark.parametrize(
    ("model", "layers", "said"),
    [
        (lambda: causal("llama"), 1, "fewer than the 2 layers"),
        (t5, 4, "T5ForConditionalGeneration"),
        (lambda: causal("gemma2"), 4, "Gemma2ForCausalLM"),
    ],
)
def test_what_cannot_grow_is_refused(model, layers: int, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        grow(model(), layers)
