"""Any causal model of transformers plays as its own module computes."""

import numpy as np
import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from subgoal.engines.base import Generation
from subgoal.engines.module_forward import ModuleForward
from subgoal.engines.transformers import fastest_forward, make_engine

SHAPE = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
MAKE = {
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SHAPE, sliding_window=8)),
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, sliding_window=8)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "biased llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, attention_bias=True)),
    "mamba": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=90, hidden_size=16, state_size=4, num_hidden_layers=2)
    ),
}


@pytest.fixture(scope="module", params=list(MAKE))
def model(request):
    torch.manual_seed(0)
    made = MAKE[request.param]().eval()
    for weight in made.parameters():  # fresh weights are so small that nothing would stand out
        weight.data.mul_(4 if weight.dim() > 1 else 1)
    return made


def whole_text(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([list(ids)])).logits[0, -1].numpy()


def test_the_fastest_pass_that_fits_is_chosen(model):
    plain = type(model) is LlamaForCausalLM and not model.config.attention_bias
    assert isinstance(fastest_forward(model, 64), ModuleForward) is not plain
    positions = getattr(model.config, "max_position_embeddings", 999)
    assert make_engine(model, 999).context == min(999, positions)


def test_logits_are_those_of_the_whole_text_whatever_came_before(model):
    engine = make_engine(model, 128)
    chance = np.random.default_rng(0)
    streams = [engine.open() for _ in range(4)]
    for number, stream in enumerate(streams):
        stream.extend(chance.integers(1, 90, 5 + 7 * number).tolist())
    engine.generate([Generation(stream, frozenset({5}), 6) for stream in streams])
    for keep, stream in zip((0, 9, 12, 30), streams, strict=True):
        stream.truncate(keep)
        stream.extend(chance.integers(1, 90, 3).tolist())
    engine.generate([Generation(stream, frozenset(), 3) for stream in streams])
    for stream in streams:
        expected = whole_text(model, stream.ids)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(engine.logits(stream), expected, atol=1e-4, rtol=1e-4)


def test_a_batch_answers_as_one_at_a_time(model):
    texts = [[7, 3, 11] * (1 + 3 * number) for number in range(4)]
    engine = make_engine(model, 128)

    def asked(chosen):
        streams = [engine.open() for _ in chosen]
        for stream, text in zip(streams, chosen, strict=True):
            stream.extend(text)
        return [a.ids for a in engine.generate([Generation(s, frozenset({3}), 9) for s in streams])]

    assert asked(texts) == [ids for text in texts for ids in asked([text])]


def test_only_new_tokens_are_computed(model):
    engine = make_engine(model, 128)
    stream = engine.open()
    stream.extend(range(1, 31))
    engine.generate([Generation(stream, frozenset(), 1)])
    stream.replace([*range(1, 31), 9, 9])
    (answer,) = engine.generate([Generation(stream, frozenset(), 1)])
    remembers = not isinstance(model, MambaForCausalLM)
    assert answer.computed == (2 if remembers else 32)


def test_first_ids_and_the_limit_hold(model):
    engine = make_engine(model, 16)
    stream = engine.open()
    stream.extend([4, 8, 15])
    (answer,) = engine.generate([Generation(stream, frozenset(), 5, first=(17, 23))])
    assert answer.ids[0] in {17, 23}
    assert len(answer.ids) == 5
    assert list(stream.ids) == [4, 8, 15, *answer.ids]
    logprob = 0.0
    for place, number in enumerate(answer.ids):
        row = torch.tensor(whole_text(model, [4, 8, 15, *answer.ids[:place]]))
        if place == 0:
            row = torch.where(torch.isin(torch.arange(90), torch.tensor([17, 23])), row, -1e9)
        logprob += float(row.log_softmax(0)[number])
    assert answer.logprob == pytest.approx(logprob, abs=1e-3)
