"""Tokens and money are counted, or estimated by name."""

import pytest

from subgoal.annotation.teachers.llm.cost import TokenCounter, estimate, expect, money
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from subgoal.annotation.teachers.recorded import recorded_annotations

ANNOTATED = recorded_annotations("scienceworld")


def test_money_is_that_of_the_longest_known_name():
    prices = {"gpt": (2.0, 8.0), "gpt-mini": (1.0, 4.0)}
    assert money(prices, "gpt-mini-2025", 1_000_000, 500_000) == pytest.approx(3.0)
    assert money(prices, "gpt-big", 1_000_000, 0) == pytest.approx(2.0)
    assert money(prices, "other", 1, 1) is None


def test_an_unknown_model_is_estimated_by_name():
    counter = TokenCounter.of("a-model-of-my-own")
    assert not counter.exact
    assert counter.name == "estimate"


def test_the_expected_output_is_that_of_the_recorded_replies():
    counter, prompt = TokenCounter.of("m"), Prompt()
    expected = real = 0
    for one in ANNOTATED:
        whole = (1, len(one.trajectory.steps))
        expected += expect(prompt.ask(one.trajectory), whole, counter, {}, "m").output_tokens
        real += estimate(render_pairs(one.spans))
    assert 0.85 < expected / real < 1.25
