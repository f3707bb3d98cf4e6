"""What of a turn is right."""

import pytest

from subgoal.evaluation.offline.turn_match import SPOKEN, match, turn_parts

TRUE = '-> book(flights=[{"number": "HAT1", "price": 100}], bags=2)'


@pytest.mark.parametrize(
    ("truth", "written", "right"),
    [
        (TRUE, TRUE, (True, True, True, True)),
        (
            TRUE,
            '-> book(bags=2.0, flights=[{"price": 1e2, "number": "HAT1"}])',
            (True, True, True, True),
        ),
        (TRUE, TRUE.replace("HAT1", "HAT2"), (False, True, True, False)),
        (TRUE, TRUE.replace("bags=2", 'bags="2"'), (False, True, True, False)),
        (TRUE, TRUE.replace("bags=2", "bags=true"), (False, True, True, False)),
        (TRUE, f"One moment.\n{TRUE}", (False, True, True, True)),
        (TRUE, "-> cancel()", (False, True, False, False)),
        (TRUE, "I book it.", (False, False, False, False)),
        (TRUE, "-> book(", (False, False, False, False)),
        (TRUE, None, (False, False, False, False)),
        ("-> f(a=1)\n-> g()", "-> g()\n-> f(a=1)", (True, True, True, True)),
        ("-> f(a=1)\n-> g()", "-> f(a=1)", (False, True, False, False)),
        ("Hello.", "Hello. ", (True, True, None, None)),
        ("Hello.", "Hi.", (False, True, None, None)),
        ("Hello.", "-> hello()", (False, False, None, None)),
        ("Hello.", None, (False, False, None, None)),
    ],
)
def test_turns_of_logs_are_compared_as_json(truth, written, right):
    assert match(truth, written, "log:trips")[:4] == right


@pytest.mark.parametrize(
    ("truth", "written", "words"),
    [
        ("Hello.", "Hello. ", 1),
        ("abcd", "abce", 0.75),
        ("abcd", "xyz", 0),
        ("abcd", "abcd\n-> f()", 0),
        ("abcd", None, 0),
        ("abcd", "-> f(", 0),
        ("-> f()", "-> f()", None),
        ("abcd\n-> f()", "abcd", None),
    ],
)
def test_what_is_said_is_more_or_less_alike(truth, written, words):
    assert match(truth, written, "log:trips").words == words
    assert match(truth, written, "mine").words is None


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("put apple in box", (True, None, True, True)),
        ("put pear in box", (False, None, True, False)),
        ("open box", (False, None, False, False)),
        (None, (False, None, False, False)),
    ],
)
def test_actions_of_worlds_have_a_verb(written, right):
    assert match("put apple in box", written, "mine")[:4] == right


def test_the_kind_of_a_turn_is_what_it_calls():
    parts = [turn_parts(text, "log:x") for text in ("-> b()\n-> a()", "Hi.", "-> a(")]
    assert [one and one.kind for one in parts] == ["a, b", SPOKEN, None]


def test_a_thought_need_not_be_the_same():
    called = '-> find(city="Rome")'
    truth = f"<think>\nRome it is.\n</think>\n{called}"
    for other in (called, f"<think>\nHe said Rome.\n</think>\n{called}"):
        assert match(truth, other, "log:trips").exact
    unended = match(truth, f"<think>\n{called}", "log:trips")
    assert not unended.exact
    assert not unended.decision
