"""Tokens and money are counted, or estimated by name."""

import pytest

from subgoal.annotation.teachers.llm.cost import TokenCounter, estimate, expect, money
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.errors import ConfigInvalid

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


def test_a_tokenizer_file_is_exact(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"go": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    counter = TokenCounter.of("m", str(tmp_path / "tokenizer.json"))
    assert counter.exact
    assert counter.count("go to kitchen") == 3


@pytest.mark.parametrize("tokenizer", ["missing.json", "no-such-encoding"])
def test_a_tokenizer_that_cannot_be_loaded_is_named(tokenizer: str):
    with pytest.raises(ConfigInvalid, match=tokenizer):
        TokenCounter.of("m", tokenizer)


def test_the_expected_output_is_that_of_the_recorded_replies():
    counter, prompt = TokenCounter.of("m"), Prompt()
    expected = real = 0
    for one in ANNOTATED:
        whole = (1, len(one.trajectory.steps))
        expected += expect(prompt.ask(one.trajectory), whole, counter, {}, "m").output_tokens
        real += estimate(render_pairs(one.spans))
    assert 0.85 < expected / real < 1.25
