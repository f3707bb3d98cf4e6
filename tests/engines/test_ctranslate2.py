"""Students in CTranslate2's form play as transformers computes them."""

from typing import Any

import pytest
import torch
from transformers import set_seed

from subgoal.engines.base import Generation
from subgoal.engines.ctranslate2 import ConvertedModel, CTranslate2Engine
from subgoal.engines.transformers import make_engine
from subgoal.errors import EngineFailed
from subgoal.students.build import make_t5
from subgoal.students.config import StudentConfig
from subgoal.students.export.ctranslate2 import write_ctranslate2
from subgoal.students.export.quantization import Quantization
from subgoal.text.tokenizers.words import WordTokenizer

WORDS = ["pick up the apple and go to the kitchen now"] * 3
TEXTS = ["pick up the apple", "go", "the kitchen and the apple"]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """The reference, the same converted, texts, and ids that end an answer."""
    tokenizer = WordTokenizer.train(WORDS, 300)
    set_seed(1)
    model = make_t5(StudentConfig(), tokenizer)
    with torch.no_grad():
        for weight in model.parameters():  # fresh weights are so small that nothing stands out
            if weight.dim() > 1:
                weight.mul_(3)
    folder = tmp_path_factory.mktemp("student")
    model.save_pretrained(folder / "plain")
    tokenizer.save(folder / "plain")
    write_ctranslate2(folder / "plain", folder / "converted", Quantization.FLOAT32)
    other = CTranslate2Engine(ConvertedModel(folder / "converted"), 64)
    texts = [tokenizer.words(text) for text in TEXTS]
    return make_engine(model.eval(), 64), other, texts, tokenizer.stops


def asked(engine, ids, stop, **options):
    stream = engine.open()
    stream.extend(ids)
    settings: dict[str, Any] = {"limit": 9} | options
    return Generation(stream, stop, **settings)


@pytest.mark.parametrize(
    "options",
    [{}, {"limit": 3}, {"first": (40,)}, {"first": (40, 41, 60)}],
    ids=["free", "limit", "one first", "some first"],
)
def test_a_batch_answers_as_transformers(engines, options):
    reference, other, texts, stop = engines
    expected = reference.generate([asked(reference, ids, stop, **options) for ids in texts])
    asks = [asked(other, ids, stop, **options) for ids in texts]
    found = other.generate(asks)
    for one, two in zip(expected, found, strict=True):
        assert one.ids == two.ids
        assert one.stopped == two.stopped
        assert two.logprob == pytest.approx(one.logprob, abs=1e-3)
    assert len({answer.ids for answer in found}) > 1
    assert [list(ask.stream.ids) for ask in asks] == texts
    for ids, answer in zip(texts, found, strict=True):
        assert answer.computed == len(ids) + len(answer.ids)


def test_an_answer_ends_with_the_stop_that_came(engines):
    reference, other, texts, _ = engines
    never = other.vocabulary - 1
    (free,) = reference.generate([asked(reference, texts[0], frozenset({never}))])
    stop = frozenset({free.ids[2], never})
    (answer,) = other.generate([asked(other, texts[0], stop)])
    assert answer.ids == free.ids[: free.ids.index(answer.ids[-1]) + 1]
    assert answer.stopped
    (chosen,) = other.generate([asked(other, texts[0], stop, first=(free.ids[2],))])
    assert (chosen.ids, chosen.stopped) == ((free.ids[2],), True)


def test_beams_find_what_transformers_finds(engines):
    reference, other, texts, stop = engines
    expected, found = (
        engine.generate([asked(engine, ids, stop, limit=5, beams=4) for ids in texts])
        for engine in (reference, other)
    )
    for one, two in zip(expected, found, strict=True):
        assert one.ids == two.ids
        assert two.logprob == pytest.approx(one.logprob, abs=1e-3)


def test_logits_are_those_of_transformers(engines):
    reference, other, texts, stop = engines
    one, two = (asked(engine, texts[2], stop).stream for engine in (reference, other))
    assert abs(reference.logits(one) - other.logits(two)).max() < 1e-3


def test_it_does_not_sample(engines):
    _, other, texts, stop = engines
    with pytest.raises(EngineFailed, match=r"does not sample.*temperature = 0"):
        other.generate([asked(other, texts[0], stop, temperature=1.0)])


def test_a_damaged_folder_is_one_sentence(tmp_path):
    (tmp_path / "shared_vocabulary.json").write_text("[]")
    with pytest.raises(EngineFailed, match=r"cannot open .* delete it"):
        CTranslate2Engine(ConvertedModel(tmp_path), 64)
