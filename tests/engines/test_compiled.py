"""A compiled model answers as the one that is not."""

import pytest

import tiny_models
from subgoal.engines.base import Generation
from subgoal.engines.transformers import make_engine


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
