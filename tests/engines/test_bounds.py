"""What is asked of an engine is checked where it enters: no kernel reads past a table."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration

import tiny_models
from subgoal.engines.base import Generation
from subgoal.engines.constraint import OneOf
from subgoal.engines.ctranslate2 import ConvertedModel, CTranslate2Engine
from subgoal.engines.transformers import make_engine
from subgoal.errors import EngineFailed, RequestInvalid, TextTooLong, TokenUnknown
from subgoal.students.build import make_t5
from subgoal.students.config import StudentConfig
from subgoal.students.export.ctranslate2 import write_ctranslate2
from subgoal.students.export.quantization import Quantization
from subgoal.text.tokenizers.words import WordTokenizer

CONTEXT = 32
STOP = frozenset({2})


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """One of each kind, by name."""
    made: dict[str, Any] = {
        "fused": make_engine(tiny_models.causal().eval(), CONTEXT),
        "bfloat16": make_engine(tiny_models.causal().bfloat16().eval(), CONTEXT),
        "module": make_engine(tiny_models.causal("qwen3").eval(), CONTEXT),
        "t5": make_engine(tiny_models.t5().eval(), CONTEXT),
    }
    words = WordTokenizer.train(["a b"], 280)
    folder = tmp_path_factory.mktemp("student")
    make_t5(StudentConfig(), words).save_pretrained(folder)
    words.save(folder)
    write_ctranslate2(folder, folder / "converted", Quantization.FLOAT32)
    made["ctranslate2"] = CTranslate2Engine(ConvertedModel(folder / "converted"), CONTEXT)
    return made


KINDS = ["fused", "bfloat16", "module", "t5", "ctranslate2"]
every = pytest.mark.parametrize("name", KINDS)


def asked(engine, **options):
    stream = engine.open()
    stream.extend([7, 3, 11])
    settings: dict[str, Any] = {"stop": STOP, "limit": 3} | options
    return Generation(stream, **settings)


@every
def test_a_model_knows_how_far_its_tables_go(name, engines):
    engine = engines[name]
    assert engine.vocabulary == len(engine.logits(asked(engine).stream))
    (answer,) = engine.generate([asked(engine, limit=1, first=(engine.vocabulary - 1,))])
    assert answer.ids == (engine.vocabulary - 1,)


@every
@pytest.mark.parametrize("wrong", [-1, 0, 1, 2**40, 2**63, 2**70, 3.0, True, "3", None])
def test_no_id_past_the_vocabulary_enters(name, wrong, engines):
    engine = engines[name]
    number = engine.vocabulary + wrong if type(wrong) is int and wrong >= 0 else wrong
    request = asked(engine)
    before = list(request.stream.ids)
    for enter in (
        lambda: request.stream.extend([5, number]),
        lambda: request.stream.replace([number]),
        lambda: engine.generate([replace(request, stop=frozenset({number}))]),
        lambda: engine.generate([replace(request, first=(3, number))]),
    ):
        with pytest.raises(TokenUnknown) as caught:
            enter()
        assert caught.value.number is number
        assert caught.value.vocabulary == engine.vocabulary
    assert list(request.stream.ids) == before


@pytest.mark.parametrize("name", ["fused", "bfloat16", "module"])
@pytest.mark.parametrize("number", [-1, tiny_models.VOCABULARY, 2**40])
def test_a_constraint_lets_no_id_past_the_vocabulary_in(name, number, engines):
    engine = engines[name]
    for answers in ([[number, 2]], [[5, number], [6, 2]], [[5, 2], [5, number]]):
        with pytest.raises(TokenUnknown) as caught:
            engine.generate([asked(engine, constraint=OneOf(answers))])
        assert caught.value.number == number


@every
@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0}, {"limit": -3}, {"limit": 2.0}, {"limit": True}, {"seed": 2**64},
        {"seed": 1.5}, {"beams": 0}, {"beams": 10**9}, {"temperature": float("nan")},
        {"temperature": -1.0}, {"temperature": float("inf")}, {"beams": 2, "temperature": 1.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_number_that_means_nothing_is_named(name, wrong, engines):
    engine = engines[name]
    with pytest.raises(RequestInvalid, match=next(iter(wrong))):
        engine.generate([asked(engine, **wrong)])


@every
def test_numbers_of_numpy_are_numbers(name, engines):
    engine = engines[name]
    stream = engine.open()
    stream.extend(np.array([7, 3, 11]))
    assert all(type(number) is int for number in stream.ids)
    one, two = engine.generate([asked(engine), Generation(stream, STOP, 3)])
    assert one.ids == two.ids


@every
def test_a_text_without_room_is_said_to_be_full(name, engines):
    engine = engines[name]
    room = CONTEXT - 3 if engine.grows else CONTEXT
    fits, full = asked(engine, limit=10**12), asked(engine)
    full.stream.replace([5] * (CONTEXT if engine.grows else CONTEXT + 1))
    one, two, three = engine.generate([asked(engine), full, fits])
    assert not one.full
    assert (two.full, two.ids) == (True, ())
    assert 1 <= len(three.ids) <= room
    far = asked(engine)
    far.stream.replace([5] * 10_000)
    assert engine.generate([far])[0].full
    with pytest.raises(TextTooLong) as caught:
        engine.logits(far.stream)
    assert (caught.value.tokens, caught.value.context) == (10_000, CONTEXT)


@every
def test_an_empty_text_and_anothers_text_are_refused(name, engines):
    engine = engines[name]
    with pytest.raises(RequestInvalid, match="empty"):
        engine.generate([Generation(engine.open(), STOP, 3)])
    other = engines["module" if name != "module" else "fused"]
    with pytest.raises(TypeError, match="another engine"):
        engine.generate([asked(other)])


def test_no_text_goes_past_the_places_that_a_model_has():
    """A table of learned places is as dangerous as one of tokens."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": 64, "d_model": 32, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
        "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "max_position_embeddings": 16,
    }  # fmt: skip
    engine = make_engine(BartForConditionalGeneration(BartConfig(**shape)).eval(), 1000)
    assert engine.context == 16
    stream = engine.open()
    stream.extend([5] * 16)
    (answer,) = engine.generate([Generation(stream, frozenset({3}), 500)])
    assert 1 <= len(answer.ids) <= 16
    assert make_engine(tiny_models.causal().eval(), 10**9).context == 128


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_weights_that_give_no_number_are_said(temperature):
    model = tiny_models.causal().eval()
    with torch.no_grad():
        model.lm_head.weight[3] = torch.nan
    engine = make_engine(model, CONTEXT)
    with pytest.raises(EngineFailed, match="nan"):
        engine.generate([asked(engine, temperature=temperature)])


@pytest.mark.parametrize("temperature", [1e-30, 1e-300, 5e-324])
def test_a_tiny_temperature_is_greedy(engines, temperature):
    engine = engines["fused"]
    one, two = engine.generate([asked(engine), asked(engine, temperature=temperature)])
    assert one.ids == two.ids
