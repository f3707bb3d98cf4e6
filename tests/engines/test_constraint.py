"""What a constraint lets through: its answers, token by token, and nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.engines.base import Generation
from subgoal.engines.constraint import OneOf
from subgoal.engines.module_forward import ModuleForward
from subgoal.engines.prefix import PrefixEngine
from subgoal.engines.transformers import fastest_forward

STOP = 9
IDS = st.integers(0, 4)
WORDS = st.lists(st.lists(IDS, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


@given(WORDS, st.lists(IDS, max_size=5).map(tuple))
def test_one_of_allows_its_answers_step_by_step_and_nothing_else(words, probe):
    answers = [(*word, STOP) for word in words]
    constraint = OneOf(answers)
    for answer in answers:
        for length in range(len(answer)):
            after = {a[length] for a in answers if a[:length] == answer[:length]}
            assert sorted(constraint.allowed(answer[:length])) == sorted(after)
    if not any(answer[: len(probe)] == probe for answer in answers):
        assert constraint.allowed(probe) == []


SIZE = 40
ANSWERS = [(3, 5, 6, 2), (3, 5, 7, 2), (3, 8, 2), (3, 8, 9, 10, 2), (3, 11, 2)]
TEXTS = [[4, 8, 15, 16], [23], [31, 17, 5, 5, 5, 20, 21]]


@pytest.fixture(scope="module", params=[lambda model: fastest_forward(model, 64), ModuleForward])
def engine(request):
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=SIZE,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
        )
    ).eval()
    for weight in model.parameters():
        weight.data.mul_(8 if weight.dim() > 1 else 1)
    return PrefixEngine(request.param(model), 64, SIZE)


def asked(engine, texts, **request):
    streams = [engine.open() for _ in texts]
    for stream, text in zip(streams, texts, strict=True):
        stream.extend(text)
    return engine.generate([Generation(stream=stream, **request) for stream in streams])


def greedy(engine, text, answers):
    """The answer that greedy search among answers comes to, from the logits alone."""
    written = ()
    while written not in answers:
        stream = engine.open()
        stream.extend([*text, *written])
        scores = engine.logits(stream)
        ways = {a[len(written)] for a in answers if a[: len(written)] == written}
        written = (*written, max(ways, key=lambda number: scores[number]))
    return written


def logprob(engine, text, answer, answers):
    """The log-probability of an answer where only answers can be given."""
    total = 0.0
    for length, number in enumerate(answer):
        stream = engine.open()
        stream.extend([*text, *answer[:length]])
        scores = torch.tensor(engine.logits(stream))
        ways = sorted({a[length] for a in answers if a[:length] == answer[:length]})
        total += float(scores[ways].log_softmax(0)[ways.index(number)])
    return total


ONE_OF = {"stop": frozenset({2}), "limit": 9, "first": (3,), "constraint": OneOf(ANSWERS)}


def test_under_one_of_the_greedy_path_among_the_answers_is_taken(engine):
    found = asked(engine, TEXTS, **ONE_OF)
    free = asked(engine, TEXTS, **{**ONE_OF, "constraint": None})
    for text, answer, unbound in zip(TEXTS, found, free, strict=True):
        assert answer.ids == greedy(engine, text, ANSWERS)
        assert answer.stopped
        expected = logprob(engine, text, answer.ids, ANSWERS)
        assert answer.logprob == pytest.approx(expected, abs=1e-3)
        assert unbound.ids not in ANSWERS  # the constraint is what made it one


@pytest.mark.parametrize("seed", range(5))
def test_sampling_stays_among_the_answers(engine, seed):
    found = asked(engine, TEXTS, **ONE_OF, temperature=3.0, seed=seed)
    assert {answer.ids for answer in found} <= set(ANSWERS)


def test_requests_of_one_batch_keep_to_their_own_constraints(engine):
    constraints = [OneOf(ANSWERS[:2]), None, OneOf(ANSWERS[2:])]
    streams = [engine.open() for _ in TEXTS]
    for stream, text in zip(streams, TEXTS, strict=True):
        stream.extend(text)
    found = engine.generate(
        [
            Generation(stream=stream, stop=frozenset({2}), limit=9, constraint=constraint)
            for stream, constraint in zip(streams, constraints, strict=True)
        ]
    )
    (free,) = asked(engine, TEXTS[1:2], stop=frozenset({2}), limit=9)
    assert found[0].ids == greedy(engine, TEXTS[0], ANSWERS[:2])
    assert found[1].ids == free.ids
    assert found[2].ids == greedy(engine, TEXTS[2], ANSWERS[2:])
