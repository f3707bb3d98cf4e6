import sys
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.engines.cpu_kernels import kernels
from subgoal.engines.cpu_kernels.forward import FusedForward
from subgoal.engines.llama_forward import LlamaForward
from subgoal.engines.transformers import fastest_forward

torch.manual_seed(0)
MODELS = [
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=90,
            hidden_size=48,
            intermediate_size=72,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=kv_heads,
            head_dim=width,
            max_position_embeddings=1024,
        )
    ).eval()
    for layers, kv_heads, width in ((3, 4, 12), (1, 2, 16), (2, 1, 12))
]
rows = st.lists(st.integers(0, 89), min_size=1, max_size=30)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.lists(st.lists(rows, min_size=2, max_size=2), min_size=1, max_size=5),
)
def test_it_computes_what_the_other_forward_pass_computes(model, texts):
    found = []
    for forward in (LlamaForward(model), FusedForward(model)):
        caches = [forward.cache() for _ in texts]
        with torch.inference_mode():
            found.append([forward(new, caches) for new in zip(*texts, strict=True)])
            assert [cache.length for cache in caches] == [sum(map(len, text)) for text in texts]
    for before, after in zip(*found, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(MODELS), st.lists(rows, min_size=1, max_size=4), st.data())
def test_logits_are_given_after_as_many_tokens_as_are_wanted(model, texts, data):
    wanted = [data.draw(st.integers(1, len(text))) for text in texts]
    for forward in (LlamaForward(model), FusedForward(model)):
        with torch.inference_mode():
            found = forward(texts, [forward.cache() for _ in texts], wanted)
            whole = [model(torch.tensor([text])).logits[0] for text in texts]
        expected = torch.cat([each[-last:] for each, last in zip(whole, wanted, strict=True)])
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_text_may_outgrow_its_cache_and_be_cut():
    text = [number * 7 % 90 for number in range(700)]
    forward = FusedForward(MODELS[0])
    cache = forward.cache()
    with torch.inference_mode():
        for place in range(0, 700, 100):
            forward([text[place : place + 100]], [cache])
        cache.length = 300
        (ahead,) = forward([text[300:400]], [cache])
        cache.length = 300
        (behind,) = forward([[5]], [cache])
        whole = MODELS[0](torch.tensor([text[:400]])).logits[0, -1]
        other = MODELS[0](torch.tensor([[*text[:300], 5]])).logits[0, -1]
    np.testing.assert_allclose(ahead, whole, atol=1e-5)
    np.testing.assert_allclose(behind, other, atol=1e-5)


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=4, max_size=4))
def test_the_gate_is_that_of_torch_however_large_the_numbers(numbers):
    gate_up = np.array([[*numbers, 1, 1, 1, 1]], np.float32)
    out = np.empty((1, 4), np.float32)
    kernels.gate(gate_up, np.empty(4, np.float32), np.empty(4, np.int32), out)
    expected = torch.nn.functional.silu(torch.tensor(numbers))
    np.testing.assert_allclose(out[0], expected, rtol=1e-5, atol=1e-5)


def test_half_precision_takes_the_other_pass_and_so_does_who_has_no_numba(monkeypatch):
    half: Any = LlamaForCausalLM(MODELS[0].config).eval()
    half.to(torch.bfloat16)
    assert type(fastest_forward(half, 64)) is LlamaForward
    assert type(fastest_forward(MODELS[0], 64)) is FusedForward
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [one for one in sys.modules if one.startswith("subgoal.engines.cpu_kernels")]:
        monkeypatch.delitem(sys.modules, name)
    assert type(fastest_forward(MODELS[0], 64)) is LlamaForward
