"""What may take the place of an action that the world does not know."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.agents.grounding import replaceable, same_action, words
from subgoal.environments.language import NO_WORDS, WorldLanguage

WORD = st.text(string.ascii_letters + string.digits + "-_.+é", min_size=1, max_size=6)
ACTION = st.lists(WORD, min_size=1, max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("written", "valid"),
    [
        ("move west", "move east"),
        ("turn off stove", "turn on stove"),
        ("delete file_13", "delete file_12"),
        ("delete file 1 3", "delete file 13"),
        ("delete README", "delete readme"),
        ("delete my-file", "delete my_file"),
        ("set heat to -5", "set heat to 5"),
        ("set heat to 1.5", "set heat to 15"),
        ("set heat to 5.", "set heat to 5"),
        ("unlock door", "lock door"),
        ("do not open door", "do open door"),
        ("put cup in box", "put cup on box"),
        ("move red box to blue box", "move blue box to red box"),
        ("move a to b", "move to b"),
        ("take vitamin a", "take vitamin"),
        ("pick up cat", "pick up car"),
        ("focus on iceam", "focus on ice cream"),
        ("go left", "go  left side"),
        ("increase volume", "decrease volume"),
        ("cd ..", "cd"),
        ("enter 5!", "enter 5"),
        ("press A", "press a"),
        ("A", "a"),
        ("delete file²", "delete file2"),
    ],
)
def test_what_differs_in_a_word_or_a_number_takes_no_place(written, valid):
    assert same_action(written, [valid]) is None
    assert same_action(valid, [written]) is None


@pytest.mark.parametrize(
    "written",
    [
        "pick up the red ball",
        "Pick up the red ball.",
        "  pick  up red ball\n",
        '"pick up red ball"',
        "`Pick up red ball.`",
    ],
)
def test_the_same_words_in_another_dress_are_repaired(written):
    assert same_action(written, ["look around", "pick up red ball"]) == "pick up red ball"


def test_of_several_that_say_the_same_none_is_taken():
    assert same_action("The End", ["the End", "the  End"]) is None
    assert same_action("anything", []) is None


def content(action):
    """Return the words without articles and full stops: what the repair may not change."""
    return [word for word in action.strip("'\"` ").split() if word.lower() != "the"]


@given(ACTION, st.lists(ACTION, max_size=6))
def test_a_repair_keeps_every_word_and_number_in_its_order(written, others):
    dressed = f" the {written[0].upper()}{written[1:]}"
    for said in (written, dressed):
        found = same_action(said, [written, *others])
        if found is None:
            continue
        was, now = content(said), content(found)
        assert len(was) == len(now)
        for place, (one, other) in enumerate(zip(was, now, strict=True)):
            last = place == len(was) - 1
            assert re.findall(r"\d", one) == re.findall(r"\d", other)
            assert (
                one == other
                or one.rstrip(".") == other.rstrip(".") == ""
                or (
                    (place == 0 and one.lower() == other.lower())
                    or (last and one.removesuffix(".").lower() == other.removesuffix(".").lower())
                )
            )


@given(ACTION)
def test_an_action_says_what_it_says(action):
    assert words(action) == words(f"  {action} ".replace(" ", "   "))
    assert len(words(action)) <= len(action.split())


@pytest.mark.parametrize("written", ["focus on ball", "Focus  on the ball.", "focus", '"focus it"'])
def test_a_verb_that_the_world_names_is_never_replaced(written):
    assert not replaceable(written, WorldLanguage(never_replaced=("wait", "focus")))
    assert replaceable(written, WorldLanguage(never_replaced=("focu", "ball")))
    assert replaceable(written, NO_WORDS)
    deleting = WorldLanguage(never_replaced=("delete all",))
    assert not replaceable("delete all files", deleting)
    assert replaceable("delete file", deleting)
