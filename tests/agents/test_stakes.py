"""Which actions answer a task for good, and when they are worth it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.agents.stakes import Stakes

CHOICE = (
    "Your task is to determine if paper clip is electrically conductive. The paper clip is located "
    "around the kitchen. First, focus on the paper clip. If it is electrically conductive, place it"
    " in the red box. If it is electrically nonconductive, place it in the green box."
)
MELTING = (
    "Your task is to measure the melting point of Tin. If the melting point of Tin is above 150.0 "
    "degrees celsius, focus on the yellow box. If the melting point of Tin is below 150.0 degrees "
    "celsius, focus on the purple box."
)
ERRAND = "Your task is to find a(n) plant. First, focus on the thing. Then, move it to the red box."


@pytest.mark.parametrize(
    ("description", "action", "answers"),
    [
        (CHOICE, "focus on paper clip", False),
        (CHOICE, "move paper clip to red box", True),
        (CHOICE, "move paper clip in inventory to green box", True),
        (CHOICE, "move paper clip to blue box", False),
        (CHOICE, "move paper clip to box", False),  # it could be either
        (CHOICE, "look around", False),
        (MELTING, "focus on yellow box", True),
        (MELTING, "focus on tin", False),
        (ERRAND, "move flower pot 1 to red box", False),
        (ERRAND, "focus on flower pot 1", False),
    ],
)
def test_an_answer_does_what_one_condition_of_the_task_leads_to(
    description: str, action: str, answers: bool
) -> None:
    assert Stakes(description).answers(action) is answers


def test_a_number_is_what_it_stands_for_until_the_world_says_something_else() -> None:
    stakes = Stakes(MELTING)
    stakes.hear(
        "Ambiguous request: Please enter the number for the action you intended (or blank to "
        "cancel):\n0:\tfocus on yellow box (in kitchen)\n1:\tlook at yellow ball (in kitchen)\n"
    )
    assert stakes.answers("0")
    assert not stakes.answers("1")
    stakes.hear("You focus on the box.")
    assert not stakes.answers("0")


@given(certainty=st.floats(0, 1), score=st.integers(0, 100))
def test_an_answer_is_worth_it_where_it_is_expected_to_leave_no_less(
    certainty: float, score: int
) -> None:
    stakes = Stakes(CHOICE)
    assert stakes.too_high("move clip to red box", certainty, score) is (100 * certainty < score)
    assert not stakes.too_high("look around", certainty, score)
