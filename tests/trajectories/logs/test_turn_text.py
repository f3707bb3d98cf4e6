"""A turn is text that can be read back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.errors import DataCorrupt
from subgoal.trajectories.logs.conversation import Call
from subgoal.trajectories.logs.turn_text import Turn, read_call, read_turn, write_call, write_turn

lines = st.sampled_from(["<think>", "</think>", "\\<think>", "\\</think>", "-> f()", "a", ""])
texts = st.one_of(
    st.text(), st.text(alphabet='->\\ \n("=,)x'), st.lists(lines, max_size=5).map("\n".join)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
calls = st.builds(Call, name=texts, arguments=st.dictionaries(texts, values, max_size=3))


@given(text=texts, called=st.lists(calls, max_size=3).map(tuple), thought=texts)
def test_every_turn_is_read_as_it_was_written(text, called, thought):
    assert read_turn(write_turn(text, called, thought)) == Turn(text, called, thought)


def test_a_thought_without_an_end_is_no_turn():
    with pytest.raises(DataCorrupt, match="no end"):
        read_turn("<think>\nI will\n-> find()")


@given(call=calls)
def test_the_order_of_arguments_and_the_kind_of_numbers_are_kept(call):
    read = read_call(write_call(call))
    assert json.dumps(read.arguments) == json.dumps(call.arguments)


@given(written=texts)
def test_any_text_is_a_turn_or_a_named_error(written):
    try:
        turn = read_turn(written)
    except DataCorrupt:
        return
    assert read_turn(write_turn(*turn)) == turn


@pytest.mark.parametrize(
    "written",
    ["find", "find(", "find(a)", "find(a=)", "find(a=1", "find(a=1,b=2)", "find(a=1) x", "(a=1)",
     "find(a=1, a=2)", "3(a=1)", 'find(a="x)'],
)  # fmt: skip
def test_what_is_no_call_is_refused_by_name(written):
    with pytest.raises(DataCorrupt, match="no call of a tool"):
        read_call(written)
