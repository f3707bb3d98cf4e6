"""Whoever asks an LLM for the next message asks the student, and notices nothing."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import subgoal
from trips import SYSTEM, TOOLS, Running, asks, called, result, running, whole

CITIES = {"Rome": 12, "Oslo": 7}


def test_the_loop_of_a_client_ends_as_the_log_does(served: Running) -> None:
    client = served.client()
    (model,) = client.models.list().data
    messages, ids = asks("Rome"), []
    for name, arguments, answer, goal in (
        ("find", {"city": "Rome"}, "room 12", "search()"),
        ("book", {"room": 12}, "booked", "book()"),
    ):
        said = client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS)
        (choice,) = said.choices
        (call,) = choice.message.tool_calls
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert (call.function.name, json.loads(call.function.arguments)) == (name, arguments)
        assert (said.subgoal, said.answered_by, said.model) == (goal, model.id, model.id)
        assert 0 < said.certainty <= 1
        ids.append(call.id)
        messages += [choice.message, result(call.id, answer)]
    assert len(set(ids)) == 2
    said = client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS)
    assert said.choices[0].finish_reason == "stop"
    assert said.choices[0].message.content == "Your room in Rome is booked."
    assert said.choices[0].message.tool_calls is None


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_history_is_answered_as_a_session_goes_on(
    served: Running, trips: Path, turns: int
) -> None:
    """The second turn has a message with calls and null content; what was kept does not matter."""
    with subgoal.load_agent(trips) as agent, agent.session("You book rooms.") as session:
        told = ["A room in Oslo, please.", "room 7", "booked"][: turns + 1]
        step = [session.act(text) for text in told][-1]
    history = whole("Oslo", 7)[: 2 + 2 * turns]
    served.service._decider.store.clear()
    for _ in range(2):  # at first from the beginning, then from what was kept
        said = served.client().chat.completions.create(model="x", messages=history)
        assert said.choices[0].message.content == step.action  # without tools a call is text
        assert said.subgoal == step.subgoal
        assert said.certainty == pytest.approx(step.certainty, rel=1e-3)
        used = said.usage
        assert used.prompt_tokens > used.completion_tokens > 2
        assert used.total_tokens == used.prompt_tokens + used.completion_tokens


def test_what_was_computed_is_kept(trips: Path) -> None:
    with running(trips) as server:
        client, history = server.client(), whole("Rome", 12)
        first = client.chat.completions.create(model="x", messages=history[:4], tools=TOOLS)
        then = client.chat.completions.create(model="x", messages=history[:6], tools=TOOLS)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    assert then.usage.prompt_tokens_details.cached_tokens > 0


def test_somebody_elses_turn_is_gone_on_from(served: Running) -> None:
    history = [*asks("Rome"), called("z", "find", city="Oslo"), result("z", "room 7")]
    said = served.client().chat.completions.create(model="x", messages=history, tools=TOOLS)
    assert json.loads(said.choices[0].message.tool_calls[0].function.arguments) == {"room": 7}


@pytest.mark.parametrize("city", CITIES)
def test_a_streamed_call_comes_as_openai_sends_it(served: Running, city: str) -> None:
    stream = served.client().chat.completions.create(
        model="x",
        messages=asks(city),
        tools=TOOLS,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert (last.choices, last.usage.completion_tokens > 0) == ([], True)
    assert [one.choices[0].finish_reason for one in chunks] == [
        *[None] * (len(chunks) - 1),
        "tool_calls",
    ]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    parts = [call for delta in deltas for call in delta.tool_calls or ()]
    assert (parts[0].id.startswith("call_"), parts[0].function.name) == (True, "find")
    assert [part.id for part in parts[1:]] == [None] * (len(parts) - 1)
    assert len(parts) > 2
    arguments = "".join(part.function.arguments for part in parts)
    assert json.loads(arguments) == {"city": city}


def test_a_streamed_text_is_the_whole_one_and_ends_with_done(served: Running) -> None:
    history = whole("Rome", 12)[:-1]
    client = served.client()
    told = client.chat.completions.create(model="x", messages=history, tools=TOOLS)
    with client.chat.completions.with_streaming_response.create(
        model="x", messages=history, tools=TOOLS, stream=True
    ) as reply:
        *events, done = [line for line in reply.iter_lines() if line]
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    text = "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks)
    assert text == told.choices[0].message.content
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_turn_ends_at_the_tokens_and_words_that_a_client_allows(served: Running) -> None:
    client, history = served.client(), whole("Rome", 12)[:-1]
    short = client.chat.completions.create(model="x", messages=history, max_tokens=3)
    assert short.choices[0].finish_reason == "length"
    assert 0 < len(short.choices[0].message.content) < len("Your room in Rome is booked.")
    cut = client.chat.completions.create(model="x", messages=history, stop=[" in Rome"])
    assert cut.choices[0].message.content == "Your room"
    stopped = client.chat.completions.create(
        model="x", messages=history, max_tokens=20, stop=["oom", "Your"]
    )
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("", "stop")
    call = client.chat.completions.create(
        model="x", messages=asks("Rome"), tools=TOOLS, max_completion_tokens=2
    )
    assert call.choices[0].finish_reason == "length"
    assert call.choices[0].message.tool_calls is None


def test_no_tool_is_called_where_none_may_be(served: Running) -> None:
    said = served.client().chat.completions.create(
        model="x", messages=asks("Rome"), tools=TOOLS, tool_choice="none"
    )
    assert said.choices[0].finish_reason == "stop"
    assert said.choices[0].message.content == '-> find(city="Rome")'


def test_many_clients_at_once_get_the_answers_of_one(served: Running) -> None:
    client = served.client()

    def play(number: int) -> list[str]:
        city = "Rome" if number % 2 else "Oslo"
        answers, messages = list[str](), asks(city)
        for back in (f"room {CITIES[city]}", "booked", None):
            said = client.chat.completions.create(model="x", messages=messages, tools=TOOLS)
            message = said.choices[0].message
            answers.append(message.content or message.tool_calls[0].function.arguments)
            if back is not None:
                messages += [message, result(message.tool_calls[0].id, back)]
        return answers

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(play, range(32)))
    for number, answers in enumerate(found):
        city = "Rome" if number % 2 else "Oslo"
        assert [json.loads(one) for one in answers[:2]] == [{"city": city}, {"room": CITIES[city]}]
        assert answers[2] == f"Your room in {city} is booked."
    assert len(served.service._decider.store) <= served.service._decider.store._most


def test_a_client_that_leaves_stops_its_work(trips: Path) -> None:
    with running(trips) as server:
        engine = server.service._player.engines[0]
        computed, forwarded = [], engine._forwarded

        def slow(*given):
            computed.append(1)
            time.sleep(0.02)
            return forwarded(*given)

        engine._forwarded = slow
        body = json.dumps({"messages": asks("Rome")}).encode()
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as left:
            left.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            while not computed:
                time.sleep(0.001)
        while server.service.workers.busy:
            time.sleep(0.01)
        so_far = len(computed)
        assert not len(server.service._decider.store)
        said = server.client().chat.completions.create(model="x", messages=asks("Rome"))
        assert said.choices[0].message.content == '-> find(city="Rome")'
        assert so_far < len(computed) - so_far  # the whole answer takes more passes


def test_the_first_message_is_the_task_where_no_system_message_is(released: Path) -> None:
    task, seen = "Bring the lamp to the hall.", "You are in the hall. You see a lamp."
    with subgoal.load_agent(released) as agent, agent.session(task) as session:
        action = session.act(seen).action
    tool = {"type": "object", "properties": {"command": {"type": "string"}}}
    offered = {"type": "function", "function": {"name": "act", "parameters": tool}}
    with running(released) as server:
        client = server.client()
        for setup in ("system", "user"):
            messages = [{"role": setup, "content": task}, {"role": "user", "content": seen}]
            said = client.chat.completions.create(model="x", messages=messages)
            assert said.choices[0].message.content == action
        said = client.chat.completions.create(model="x", messages=messages, tools=[offered])
        (call,) = said.choices[0].message.tool_calls
        assert json.loads(call.function.arguments) == {"command": action}


def test_an_empty_system_message_is_one(served: Running) -> None:
    messages = [{**SYSTEM, "content": ""}, *asks("Rome")[1:]]
    said = served.client().chat.completions.create(model="x", messages=messages)
    assert said.choices[0].message.content == '-> find(city="Rome")'
