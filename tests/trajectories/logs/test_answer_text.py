"""What comes back after a turn is text, and can be told apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.trajectories.logs.answer_text import AnswerPart, read_answer, write_answer

texts = st.text(max_size=20) | st.text(alphabet="find: user\n\\", max_size=30)


@given(st.lists(st.sampled_from(["find", "find.all", "f\ni"]), max_size=3), st.data())
def test_parts_come_back(calls, data):
    results = [AnswerPart(tool, data.draw(texts)) for tool in calls]
    said = data.draw(st.none() | texts.filter(bool))
    parts = [*results, *([] if said is None else [AnswerPart(None, said)])]
    assert read_answer(calls, write_answer(calls, parts)) == parts


@pytest.mark.parametrize(
    ("calls", "parts", "written"),
    [
        (["find"], [("find", "a\nuser: b")], "a\nuser: b"),
        (["find"], [("find", "user: b")], "\\user: b"),
        (["find"], [(None, "Stop")], "user: Stop"),
        (["find", "tell"], [("find", "1\ntell: x"), ("tell", "2")], "find: 1\n\\tell: x\ntell: 2"),
        ([], [(None, "find: me")], "find: me"),
    ],
)
def test_only_what_could_be_misread_is_marked(calls, parts, written):
    told = [AnswerPart(*part) for part in parts]
    assert write_answer(calls, told) == written
    assert read_answer(calls, written) == told


def test_what_somebody_wrote_by_hand_is_one_result():
    assert read_answer(["find", "tell"], "3 hotels") == [AnswerPart("find", "3 hotels")]
