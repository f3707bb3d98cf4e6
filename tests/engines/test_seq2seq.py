import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration, set_seed

from subgoal.engines.base import Generation
from subgoal.engines.seq2seq import Seq2SeqEngine
from subgoal.engines.transformers import make_engine

SOURCES = [[5, 6, 7, 8, 1], [9, 1], [11, 12, 13, 14, 15, 16, 17, 1]]
STOP = frozenset({1, 40})


@pytest.fixture(scope="module")
def model():
    set_seed(3)
    shape = {
        "vocab_size": 64,
        "d_model": 32,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 2,
        "d_kv": 16,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "initializer_factor": 4.0,
    }
    config = T5Config.from_dict(shape)
    return T5ForConditionalGeneration(config).eval()


@pytest.fixture
def engine(model):
    made = make_engine(model, 64)
    assert isinstance(made, Seq2SeqEngine)
    return made


def asked(engine, source, **options):
    stream = engine.open()
    stream.extend(source)
    return Generation(stream=stream, stop=STOP, limit=9, **options)


def alone(model, source, **options):
    """What the model's own `generate` says."""
    out = model.generate(
        torch.tensor([source]), max_new_tokens=9, eos_token_id=sorted(STOP), **options
    )
    return out[0, 1:].tolist()


@pytest.mark.parametrize("beams", [1, 3])
def test_a_batch_equals_the_model_one_at_a_time(engine, model, beams):
    answers = engine.generate([asked(engine, source, beams=beams) for source in SOURCES])
    for source, answer in zip(SOURCES, answers, strict=True):
        assert list(answer.ids) == alone(model, source, num_beams=beams, do_sample=False)
        assert answer.stopped == (answer.ids[-1] in STOP)
        assert answer.computed == len(source) + len(answer.ids)
    assert len({answer.ids for answer in answers}) > 1


@pytest.mark.parametrize("options", [{}, {"beams": 2}, {"temperature": 1.5, "seed": 4}])
@torch.inference_mode()
def test_log_probabilities_are_those_of_a_forward_pass(engine, model, options):
    for source in SOURCES:
        (answer,) = engine.generate([asked(engine, source, first=(20, 21), **options)])
        assert answer.ids[0] in {20, 21}
        written = torch.tensor([[0, *answer.ids[:-1]]])
        logits = model(torch.tensor([source]), decoder_input_ids=written).logits[0]
        chances = torch.log_softmax(logits, dim=-1)
        total = sum(float(chances[i, number]) for i, number in enumerate(answer.ids[1:], start=1))
        begin = torch.log_softmax(logits[0, [20, 21]], dim=-1)[answer.ids[0] - 20]
        assert answer.logprob == pytest.approx(total + float(begin), abs=1e-4)


def test_a_sample_has_its_seed_whoever_is_asked_beside_it(engine):
    def sampled(seed):
        return asked(engine, SOURCES[0], temperature=30.0, seed=seed)

    one, two = engine.generate([sampled(1), sampled(2)])
    before = torch.get_rng_state()
    assert engine.generate([sampled(2), asked(engine, SOURCES[1]), sampled(1)])[::2] == [two, one]
    assert torch.equal(before, torch.get_rng_state())
    assert one.ids != two.ids


def test_a_source_stays_what_it_was(engine):
    request = asked(engine, SOURCES[0])
    engine.generate([request])
    assert list(request.stream.ids) == SOURCES[0]
    request.stream.replace(SOURCES[1])
    assert list(request.stream.ids) == SOURCES[1]
    request.stream.close()
    assert not request.stream.ids


def test_logits_are_those_of_the_first_token(engine, model):
    request = asked(engine, SOURCES[2])
    logits = model(torch.tensor([SOURCES[2]]), decoder_input_ids=torch.tensor([[0]])).logits[0, -1]
    assert torch.allclose(torch.from_numpy(engine.logits(request.stream)), logits, atol=1e-3)
