"""What else a student might have written."""

import numpy as np
import pytest

from subgoal.agents.alternatives import likeliest
from subgoal.engines.transformers import make_engine
from subgoal.errors import EngineFailed
from tiny_models import VOCABULARY, causal, t5

PROMPT = [5, 9, 33, 2, 17]


def _chances(engine, ids, allowed=()):
    stream = engine.open()
    stream.extend(ids)
    logits = engine.logits(stream).astype(np.float64)
    ids = list(allowed) or list(range(VOCABULARY))
    weights = np.exp(logits[ids] - logits[ids].max())
    return dict(zip(ids, weights / weights.sum(), strict=True))


def test_the_answers_are_those_of_trying_all():
    engine = make_engine(causal().eval(), 64)
    stop = 7
    everything = {}
    for token, chance in _chances(engine, PROMPT, (3, 4, stop)).items():
        if token == stop:
            everything[(token,)] = chance
            continue
        for after, then in _chances(engine, [*PROMPT, token]).items():
            everything[token, after] = chance * then
    best = sorted(everything.items(), key=lambda one: -one[1])[:6]
    found = likeliest(engine, PROMPT, (3, 4, stop), frozenset({stop}), 2, 6)
    assert [ids for ids, _ in found] == [ids for ids, _ in best]
    assert [chance for _, chance in found] == pytest.approx([chance for _, chance in best], 1e-4)


def test_a_student_that_writes_another_text_tells_none():
    with pytest.raises(EngineFailed):
        likeliest(make_engine(t5().eval(), 64), PROMPT, (), frozenset({1}), 2, 3)
