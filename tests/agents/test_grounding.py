"""What may take the place of an action that the world does not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.agents.grounding import candidates, ground

THINGS = st.sampled_from(["ice cream", "kitchen", "icecream", "iceam", "red ball", "door"])
ACTIONS = st.builds("{} {}".format, st.sampled_from(["focus on", "pick up", "open"]), THINGS)


@pytest.mark.parametrize(
    ("predicted", "valid", "kept"),
    [
        ("focus on iceam", ["focus on kitchen"], []),
        ("focus on iceam", ["focus on ice cream"], ["focus on ice cream"]),
        ("focus on iceam", ["focus on kitchen", "open door"], ["open door"]),
        ("focus ice cream", ["focus on ice cream"], []),
        ("pick up ice cream", ["focus on ice cream"], []),
        ("pick up ice cream", ["pick up orange", "look around"], ["pick up orange", "look around"]),
    ],
)
def test_a_decisive_action_takes_no_place_but_that_of_one_about_a_near_object(
    predicted, valid, kept
):
    assert candidates(predicted, valid) == kept


def test_the_decisive_action_about_the_near_object_is_the_one_that_is_taken():
    valid = ["focus on kitchen", "focus on ice cream"]
    assert ground("focus on iceam", valid) == "focus on ice cream"
    assert ground("focus on iceam", ["focus on kitchen"]) is None
    assert ground("focus on a thing", ["focus on kitchen"]) is None


@given(ACTIONS, st.lists(ACTIONS))
def test_what_is_taken_is_a_candidate_and_all_that_decides_nothing_is_one(predicted, valid):
    kept = candidates(predicted, valid)
    assert [action for action in valid if action in kept] == kept
    assert all(action.startswith("focus on") for action in valid if action not in kept)
    assert ground(predicted, valid) in {None, *kept}
    if predicted in valid:
        assert ground(predicted, valid) == predicted
