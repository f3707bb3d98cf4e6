"""What an agent thinks is no part of what it says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import subgoal
from trips import TOOLS, Running, running, thought_of, whole


@pytest.fixture(scope="module")
def thinks(thinking: Path) -> Iterator[Running]:
    with running(thinking) as server:
        yield server


@pytest.mark.parametrize("sent_back", [False, True])
def test_a_message_has_its_thought_apart(thinks: Running, sent_back: bool) -> None:
    history = whole("Rome", 12)
    before = thought_of(history) if sent_back else history
    create = thinks.client().chat.completions.create
    for turn in (2, 4, 6):
        (choice,) = create(model="x", messages=before[:turn], tools=TOOLS).choices
        assert choice.message.reasoning_content == "Hm."
        assert choice.message.content == history[turn]["content"]
        for call, wanted in zip(
            choice.message.tool_calls or (), history[turn].get("tool_calls", ()), strict=True
        ):
            assert json.loads(call.function.arguments) == json.loads(
                wanted["function"]["arguments"]
            )


def test_a_streamed_thought_comes_before_what_is_said(thinks: Running) -> None:
    create = thinks.client().chat.completions.create
    chunks = create(model="x", messages=whole("Rome", 12)[:6], tools=TOOLS, stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    thoughts = [getattr(one, "reasoning_content", None) or "" for one in deltas]
    words = [one.content or "" for one in deltas]
    assert "".join(thoughts) == "Hm."
    assert "".join(words) == "Your room in Rome is booked."


def test_an_answer_that_is_cut_within_a_thought_does_not_say_it(thinks: Running) -> None:
    create = thinks.client().chat.completions.create
    said = [
        create(model="x", messages=whole("Rome", 12)[:2], max_tokens=most).choices[0].message
        for most in range(1, 12)
    ]
    assert all("Hm" not in one.content for one in said)
    assert "" in [one.content for one in said]


def test_a_session_has_its_thought_apart_and_keeps_it_where_its_turn_was_taken(
    thinking: Path,
) -> None:
    with subgoal.load_agent(thinking) as agent, agent.session("You book rooms.") as session:
        step = session.act("A room in Rome, please.")
        assert (step.action, step.thought) == ('-> find(city="Rome")', "Hm.")
        then = session.act("room 12", did=step.action)
        assert (then.action, then.thought) == ("-> book(room=12)", "Hm.")
