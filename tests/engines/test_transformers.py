import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.engines.base import Generation
from subgoal.engines.constraint import OneOf
from subgoal.engines.transformers import TransformersEngine, cpu_threads
from subgoal.errors import RequestInvalid
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig

MODEL = make_student(StudentConfig(), 300, 0, 256).eval()
ids = st.lists(st.integers(1, 299), min_size=1, max_size=12)


def whole_text(stream):
    with torch.inference_mode():
        return MODEL(torch.tensor([list(stream.ids)])).logits[0, -1].numpy()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ids, st.integers(0, 20), ids), min_size=1, max_size=4))
def test_logits_are_those_of_the_whole_text_whatever_came_before(changes):
    engine = TransformersEngine(MODEL, 256)
    streams = [engine.open() for _ in changes]
    for stream, (first, _, _) in zip(streams, changes, strict=True):
        stream.extend(first)
    engine.generate([Generation(stream, frozenset({5}), 3) for stream in streams])
    for stream, (_, keep, more) in zip(streams, changes, strict=True):
        stream.truncate(keep)
        stream.extend(more)
    engine.generate([Generation(stream, frozenset(), 2) for stream in streams])
    for stream in streams:
        np.testing.assert_allclose(engine.logits(stream), whole_text(stream), atol=1e-4)


def test_a_batch_answers_as_one_at_a_time():
    texts = [[7] * (3 + 5 * number) for number in range(5)]
    engine = TransformersEngine(MODEL, 256)
    streams = [engine.open() for _ in texts]
    for stream, text in zip(streams, texts, strict=True):
        stream.extend(text)
    together = engine.generate([Generation(s, frozenset({3}), 20) for s in streams])
    for text, answer in zip(texts, together, strict=True):
        alone = engine.open()
        alone.extend(text)
        (single,) = engine.generate([Generation(alone, frozenset({3}), 20)])
        assert single.ids == answer.ids
        assert list(alone.ids) == [*text, *answer.ids]


def test_only_new_tokens_are_computed():
    engine = TransformersEngine(MODEL, 256)
    stream = engine.open()
    stream.extend(range(1, 101))
    (answer,) = engine.generate([Generation(stream, frozenset(), 1)])
    assert answer.computed == 100
    stream.replace([*range(1, 101), 9, 9])
    (answer,) = engine.generate([Generation(stream, frozenset(), 1)])
    assert answer.computed == 2


def test_first_stop_limit_and_context_hold():
    engine = TransformersEngine(MODEL, 40)
    stream = engine.open()
    stream.extend(range(1, 31))
    (answer,) = engine.generate([Generation(stream, frozenset(), 100, first=(17,))])
    assert answer.ids[0] == 17
    assert len(stream.ids) == 40
    assert not answer.stopped
    stop = engine.open()
    stop.extend([1, 2])
    (answer,) = engine.generate([Generation(stop, frozenset({17}), 9, first=(17,))])
    assert (answer.ids, answer.stopped) == ((17,), True)


def test_several_beams_are_refused():
    stream = TransformersEngine(MODEL, 64).open()
    stream.extend([4, 8, 15])
    with pytest.raises(RequestInvalid, match="beams"):
        stream.engine.generate([Generation(stream, frozenset(), 4, beams=3)])


def test_sampling_follows_its_seed():
    engine = TransformersEngine(MODEL, 64)

    def sample(seed):
        stream = engine.open()
        stream.extend([1])
        one = Generation(stream, frozenset(), 12, temperature=1.0, seed=seed)
        return engine.generate([one])[0].ids

    assert sample(1) == sample(1) != sample(2)


@pytest.mark.parametrize(
    ("parameters", "asked", "threads"), [(10**6, 0, 1), (10**8, 0, 4), (10**6, 3, 3), (10**6, 9, 4)]
)
def test_a_small_model_computes_with_few_threads(parameters, asked, threads, monkeypatch):
    now = [4]
    monkeypatch.setattr("subgoal.engines.transformers.cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: now.__setitem__(0, count))
    with cpu_threads(parameters, asked):
        assert now == [threads]
    assert now == [4]


def test_what_can_only_come_next_is_written_without_computing_it():
    engine = TransformersEngine(MODEL, 64)
    answers = [[7, 8, 9, 10, 2], [7, 8, 11, 12, 2]]
    found = []
    for constraint in (OneOf(answers), Undecided(answers)):
        stream = engine.open()
        stream.extend([4, 8, 15])
        one = Generation(stream, frozenset({2}), 20, first=(7,), constraint=constraint)
        (answer,) = engine.generate([one])
        assert answer.logprob is not None
        found.append((answer.ids, answer.stopped, round(answer.logprob, 4), answer.computed))
    # 3 read with 7 and 8, one choice; or 3 with 7 (`first`), and one by one all but the last
    assert [one[:3] for one in found[:1]] == [one[:3] for one in found[1:]]
    assert [one[3] for one in found] == [5, 7]
    assert list(found[0][0]) in answers


class Undecided(OneOf):
    def allowed(self, written):
        return 2 * super().allowed(written)
