"""docs/format.md shows what the code writes, token by token."""

import re
from pathlib import Path
from typing import Any

import pytest

from subgoal.agents.released import released_agent
from subgoal.environments.base import StepResult
from subgoal.text.format import ANSWER_LIMIT, FOLDED_LIMIT, SAME, TURN_LIMIT, Role, Seen, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.text.transcript import Transcript

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()


def block(language: str, number: int = 0) -> str:
    """Return a block of the page."""
    return re.findall(rf"^```{language}\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)[number]


@pytest.fixture(scope="module")
def tokenizer() -> MarkTokenizer:
    return MarkTokenizer.load(released_agent("scienceworld").folder / "both")


@pytest.fixture(scope="module")
def context(tokenizer) -> Transcript:
    """The page's episode."""
    says: dict[str, Any] = {}
    exec(block("python"), says)
    first, second = (StepResult(observation=answer, score=0, moves=1) for answer in says["answers"])
    before, after = (Seen(says[room], says["inventory"]) for room in ("greenhouse", "outside"))
    form = TextFormat()
    context = Transcript(tokenizer, form, Role.BOTH)
    context.open(says["description"], before)
    context.goal("navigate_to(outside)")
    context.act("teleport to outside")
    context.observe(first.model_copy(update={"entered": True}), after)
    context.done(after)
    context.goal("focus_on(crocodile egg)")
    context.act("focus on crocodile")
    context.observe(second, after)
    context.complete()
    return context


@pytest.mark.parametrize("number", [0, 1])
def test_the_texts_are_those_of_the_code(number, context, tokenizer):
    shown = block("text", number).replace("\n", "")
    ids = list(context.finished[number].ids)
    assert tokenizer.text(ids) == shown
    # Whoever reads marks as control tokens has the same ids of the whole text.
    plain = released_agent("scienceworld").folder / "both" / "tokenizer.json"
    assert type(tokenizer._tokenizer).from_file(str(plain)).encode(shown).ids == ids


def test_the_tokens_are_those_of_the_code(context, tokenizer):
    pairs = [
        f"{tokenizer._tokenizer.id_to_token(one).replace('Ġ', '·')} {one}"
        for one in context.finished[0].ids
    ]
    for line in block("tokens").splitlines():
        turn = line.split("   ")
        start = pairs.index(turn[0])
        assert pairs[start : start + len(turn)] == turn
    (alone,) = [one for one in tokenizer.encode("(outside)") if one not in {18, 19}]
    assert f"is another token, {alone}" in PAGE.replace("\n", " ")


def test_every_mark_and_limit_is_on_the_page():
    for mark in Mark:
        assert f"`{mark}`" in PAGE.replace("\\|", "|")
    for value in (SAME, f"{ANSWER_LIMIT:,} characters", str(FOLDED_LIMIT), str(TURN_LIMIT)):
        assert value in PAGE


def test_nothing_to_say_leaves_the_mark_alone(tokenizer):
    form = TextFormat()
    context = Transcript(tokenizer, form, Role.BOTH)
    context.open("Go.", Seen("", ""))
    assert tokenizer.text(context.ids) == "<|task|>Go.<|inventory|><|room|>"
