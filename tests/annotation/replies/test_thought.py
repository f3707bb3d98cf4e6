"""What a model thought aloud is never taken for its answer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subgoal.annotation.replies.thought import without_thought

PAIRS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<THINK >", "</ think>"),
    ('<think effort="high">', "</think>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<|think|>", "<|/think|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<start_of_thinking>", "<end_of_thinking>"),
    ("<thought_process>", "</thought_process>"),
    ("<antThinking>", "</antThinking>"),
    ("<chain_of_thought>", "</chain_of_thought>"),
    ("<inner_monologue>", "</inner_monologue>"),
    ("<draft>", "</draft>"),
    ("<plan>", "</plan>"),
    ('<notes kind="mine">', "</notes>"),
    ("<|begin_of_plan|>", "<|end_of_plan|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
    ("\\u003cthink\\u003e", "\\u003c/think\\u003e"),
    ("**Thinking**\n", "\n**Answer**\n"),
    ("*Thinking*\n", "\n***Answer***:\n"),
    ("# Thinking\n", "\n## Final answer\n"),
    ("### My thoughts:\n", "\n**Sub-goals:**\n"),
    ("```thinking\n", "\n```\n"),
    ("```plan\n", "\n```\n"),
]
CUT = [pair for pair in PAIRS if pair[0][0] not in "`*#"]
words = st.text('ab[]{}",.1 \n`', max_size=20)


@pytest.mark.parametrize(("begin", "end"), PAIRS, ids=[begin for begin, _ in PAIRS])
def test_the_answer_is_what_follows_the_thought(begin, end):
    assert without_thought(f"{begin}a draft{end}an answer").strip() == "an answer"
    assert without_thought(f"{begin}{end}an answer").strip() == "an answer"
    assert without_thought(f"{begin}a draft, cut off") == ""


@pytest.mark.parametrize(("begin", "end"), CUT, ids=[begin for begin, _ in CUT])
def test_a_thought_without_its_beginning_is_all_before_its_end(begin, end):
    assert without_thought(f"a draft{end}an answer") == "an answer"
    assert without_thought(f"a draft{end}") == ""
    assert without_thought(f"{begin}one{end}a draft{end}an answer") == "an answer"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("an answer", "an answer"),
        ("an answer<think>about it</think>", "an answer"),
        ("<think>a<think>b</think>a draft</think>an answer", "an answer"),
        ("<think>a<think>b</think>a draft, cut off", ""),
        ("<think>a</think>an answer<thinking>and a draft", "an answer"),
        ("<think>a</thinking>an answer", "an answer"),
        ("a draft</thinking>b</think>an answer", "an answer"),
        ("I think that a<b, and [think] and thinking> are words", None),
        ("<subgoal>thinking</subgoal>", None),
        ('["think(it)", 3]', None),
        ("<answer>a</answer>", None),
        ("<final_answer>a</final_answer>", None),
        ("<output><json>a</json></output>", None),
        ("<SubGoals>a</SubGoals><br><b>b</b></s>", None),
        ("<|start_header_id|>assistant<|end_header_id|>a<|im_end|><end_of_turn>", None),
        ("**Answer**\na\n# Remarks\nb", None),
        ("# Plan of the kitchen\nan answer", None),
        ("pick_up(<object>) and a <b and c> d <hr />", None),
        ("<think>the <kitchen> and <b>this</b></think>an answer", "an answer"),
        ("<think>**Answer**\na draft</think>an answer", "an answer"),
        ("<plan>a<think>b</think>a draft</plan>an answer", "an answer"),
        ("# Thinking\n## Step 1\na draft, cut off", ""),
        ("# Thinking\na</think>an answer", "an answer"),
    ],
)
def test_thoughts_in_each_other_and_no_thoughts(reply, answer):
    assert without_thought(reply) == (reply if answer is None else answer)


@given(st.lists(st.sampled_from([*"abc", *(mark for pair in PAIRS[:3] for mark in pair)])))
@example(["<think>", "a", "<think>", "b", "</think>", "c"])
def test_what_is_left_was_never_inside_a_thought(pieces):
    """Whatever the order of marks: each character left has no open thought, nor an end after it."""
    left = without_thought("".join(f"{piece}{i};" * (len(piece) < 2) or piece
                                   for i, piece in enumerate(pieces)))  # fmt: skip
    depth, inside = 0, set()
    for i, piece in enumerate(pieces):
        if piece in "abc":
            inside |= {i} if depth else set()
        elif "/" not in piece:
            depth += 1
        elif depth:
            depth -= 1
        else:
            inside |= set(range(i))
    expected = "".join(
        f"{piece}{i};" for i, piece in enumerate(pieces) if piece in "abc" and i not in inside
    )
    assert left == expected


def test_thoughts_that_are_nested_without_end_are_read_in_time():
    assert without_thought("<notes>" * 25_000 + "</other>" * 25_000 + "a draft") == ""
    deep = "<notes>" * 50 + "a draft" + "</notes>" * 50
    assert without_thought(f"{deep}an answer") == "an answer"


@given(words, words)
def test_text_without_marks_stays(before, after):
    assert without_thought(before) == before
    assert without_thought(f"<think>{before}</think>{after}") == after
