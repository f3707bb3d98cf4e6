"""Renamed copies of conversations: codes are others, all else is as it was."""

import re

from subgoal.datasets.renaming import copies_of, names, renamed_all
from subgoal.trajectories.logs.turn_text import read_turn
from tests.logged import logged

SAID = (
    "I am mia_li_3668, cancel HATHAT of 2024-05-20.",
    '{"cards": ["card_44", "card_45"], "plan": "basic_economy"}',
    "T4 to LAX, 4WQ150",
    "paid by card_44",
)
TURNS = (
    '-> get_user_details(user_id="mia_li_3668")',
    '-> find(code="HATHAT")',
    'Is it 4WQ150?\n-> book(at="2024-05-20", with=[{"id": "4WQ150"}], n=44)',
    '-> pay(card="card_44", plan="basic_economy", guess="XY99Z")',
)
PATH = logged("a", 1, zip(SAID, TURNS, strict=True), (("find_HATHAT", 2), ("book", 4)))


def copies(count):
    taken = copies_of([PATH], count, 0)
    return list(renamed_all(taken, names([PATH])))[1:]


def told(path):
    steps = path.trajectory.steps
    return "\n".join([steps[0].look, *(f"{one.action}\n{one.observation}" for one in steps)])


def test_codes_that_calls_copy_are_others_of_the_same_shape():
    first, second = copies(2)
    assert told(first) != told(second)
    for one in (first, second):
        for code, shape in (
            ("mia_li_3668", r"mia_li_\d{4}"),
            ("HATHAT", "[A-Z]{6}"),
            ("4WQ150", r"\d[A-Z]{2}\d{3}"),
            ("card_44", r"card_\d\d"),
        ):
            assert code not in told(one)
            assert re.search(shape, told(one))


def test_a_call_has_what_was_said_before():
    (one,) = copies(1)
    said = ""
    for step in one.trajectory.steps:
        said += step.look
        for call in read_turn(step.action).calls:
            value = next(iter(call.arguments.values()))
            assert str(value) in said
        said += step.observation


def test_words_dates_numbers_tools_and_what_nobody_said_stay():
    (one,) = copies(1)
    for kept in (
        "2024-05-20",
        "get_user_details(user_id=",
        "basic_economy",
        "LAX",
        "n=44",
        "XY99Z",
    ):
        assert kept in told(one)
    assert "card_45" in told(one)
    assert [
        call.name for step in one.trajectory.steps for call in read_turn(step.action).calls
    ] == [*("get_user_details", "find", "book", "pay")]


def test_a_code_of_which_all_others_are_taken_stays():
    said = " ".join(f"id_{number}" for number in range(10))
    calls = "\n".join(f'-> f(a="id_{number}")' for number in range(10))
    path = logged("b", 1, [(said, calls)], (("do", 1),))
    assert list(renamed_all([(path, 1)], set())) == [path]
