"""Spans, after the examples of OpenTelemetry's conventions, of OpenInference and OpenLLMetry."""

import json
from typing import Any

import pytest

from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.conversation import Author, Call
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.base import SkipKind, Unreadable
from subgoal.trajectories.logs.formats.otel import OTel
from subgoal.trajectories.logs.formats.span_attributes import plain, tree
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.storage import journal


def typed(value):
    """Write a JSON value as OTLP does."""
    match value:
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [typed(one) for one in value]}}
        case dict():
            return {"kvlistValue": {"values": keyed(value)}}


def keyed(held):
    return [{"key": key, "value": typed(value)} for key, value in held.items()]


def span(attributes, number="s1", trace="t1", events=()):
    return {
        "traceId": trace,
        "spanId": number,
        "name": "chat gpt-4",
        "attributes": keyed(attributes),
        "events": [{"name": name, "attributes": keyed(held)} for name, held in events],
    }


def otlp(*spans):
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def read(record) -> list[Any]:
    assert OTel().fits(record)
    return list(OTel().read(record))


ARGUMENTS = {"location": "Paris", "a.b": [1]}
OLD_CALL = {"id": "c1", "type": "function"}
FUNCTION = {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)}
ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "Look."},
            {"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": ARGUMENTS},
        ],
    },
    {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy, 57°F"}],
    },
]
ANSWERED = [
    {"role": "assistant", "parts": [{"type": "text", "content": "Rainy."}], "finish_reason": "stop"}
]
NEW = {
    "gen_ai.provider.name": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.input.messages": json.dumps(ASKED),
    "gen_ai.output.messages": json.dumps(ANSWERED),
    "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "get_weather"}]),
}
OPEN_INFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Weather in Paris?",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.contents.0.message_content.type": "reasoning",
    "llm.input_messages.2.message.contents.0.message_content.text": "Look.",
    "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "get_weather",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": json.dumps(ARGUMENTS),
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.tool_call_id": "c1",
    "llm.input_messages.3.message.content": "rainy, 57°F",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Rainy.",
    "llm.tools.0.tool.json_schema": json.dumps({"function": {"name": "get_weather"}}),
    "input.value": "raw",
}
OPEN_LLMETRY = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": json.dumps([{"type": "text", "text": "Weather in Paris?"}]),
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.reasoning_content": "Look.",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "get_weather",
    "gen_ai.prompt.2.tool_calls.0.arguments": json.dumps(ARGUMENTS),
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.prompt.3.content": "rainy, 57°F",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Rainy.",
    "llm.request.functions.0.name": "get_weather",
}
EVENTS = [
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"content": "Weather in Paris?"}),
    (
        "gen_ai.assistant.message",
        {"tool_calls": [{**OLD_CALL, "function": FUNCTION}], "reasoning_content": "Look."},
    ),
    ("gen_ai.tool.message", {"content": "rainy, 57°F", "id": "c1"}),
    ("gen_ai.choice", {"index": 0, "message": {"content": "Rainy.", "role": "assistant"}}),
]
MODEL = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4"}
STRUCTURED = {**NEW, "gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}
APART = {
    **NEW,
    "gen_ai.system_instructions": ASKED[0]["parts"],
    "gen_ai.input.messages": json.dumps(ASKED[1:]),
}
LOGGED = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "traceId": "t1",
                            "spanId": "s1",
                            "eventName": name,
                            "attributes": keyed(MODEL),
                            "body": typed(held),
                        }
                        for name, held in EVENTS
                    ]
                }
            ]
        }
    ]
}
PRINTED = {
    "name": "chat gpt-4",
    "context": {"trace_id": "t1", "span_id": "s1"},
    "attributes": OPEN_INFERENCE,
}
COLUMNS = {
    "context.trace_id": "t1",
    "context.span_id": "s1",
    **{f"attributes.{key}": value for key, value in NEW.items()},
}
DETAILS = ("gen_ai.client.inference.operation.details", NEW)
CONTENT = [(name, {"gen_ai.event.content": json.dumps(held)}) for name, held in EVENTS]


@pytest.mark.parametrize(
    "record",
    [
        otlp(span(NEW)),
        otlp(span(STRUCTURED)),
        otlp(span(APART)),
        otlp(span({}, events=[DETAILS])),
        otlp(span(OPEN_INFERENCE)),
        otlp(span(OPEN_LLMETRY)),
        otlp(span({**OPEN_LLMETRY, **NEW})),
        otlp(span(MODEL, events=EVENTS)),
        otlp(span(MODEL, events=CONTENT)),
        LOGGED,
        PRINTED,
        COLUMNS,
    ],
)
def test_all_conventions_say_the_same(record):
    (one,) = read(record)
    assert [(message.author, message.text) for message in one.messages] == [
        (Author.SYSTEM, "Be brief."),
        (Author.USER, "Weather in Paris?"),
        (Author.ASSISTANT, ""),
        (Author.TOOL, "rainy, 57°F"),
        (Author.ASSISTANT, "Rainy."),
    ]
    calling, _ = one.turns
    assert calling.calls == (Call(name="get_weather", arguments=ARGUMENTS, id="c1"),)
    assert calling.thought == "Look."
    assert one.messages[3].answers == "c1"
    assert (one.id, one.thread) == ("s1", "t1")
    if record is not LOGGED and "gen_ai.system" not in str(record):
        assert one.tools[0]["function"]["name"] == "get_weather"


def test_what_is_said_of_a_call_can_be_chosen_by():
    (one,) = read(otlp(span({**NEW, "gen_ai.conversation.id": "k", "gen_ai.system": "old"})))
    assert one.thread == "k"
    assert (one.fields["provider"], one.fields["model"]) == ("openai", "gpt-4")
    assert one.fields["gen_ai"]["request"] == {"model": "gpt-4"}
    assert "messages" not in one.fields["gen_ai"]["input"]


def test_results_of_one_message_are_messages_of_their_own():
    parts = [
        {"type": "tool_call_response", "id": "c2", "response": {"n": 1}},
        {"type": "tool_call_response", "id": "c1", "response": "a"},
    ]
    calls = [{"type": "tool_call", "id": f"c{n}", "name": "f", "arguments": {}} for n in (1, 2)]
    asked = [{"role": "assistant", "parts": calls}, {"role": "tool", "parts": parts}]
    (one,) = read(otlp(span({**NEW, "gen_ai.input.messages": json.dumps(asked)})))
    path = trajectory(one, "log:test", "chat", 0, 100, True)
    assert path.steps[0].observation == 'f: a\nf: {"n": 1}'


def test_spans_that_call_no_model_are_named_and_the_others_are_read():
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f"}
    agent = {**NEW, "gen_ai.operation.name": "invoke_agent"}
    silent = {"gen_ai.operation.name": "chat"}
    odd = {**NEW, "gen_ai.output.messages": json.dumps([{"role": "alien"}])}
    found = read(otlp(span(tool), span(agent), span(silent), span(odd), span(NEW, "s5")))
    kinds = [one.kind for one in found if isinstance(one, Unreadable)]
    assert kinds == [SkipKind.SPAN, SkipKind.SPAN, SkipKind.SPAN, SkipKind.MESSAGE]
    assert found[-1].id == "s5"


def test_each_turn_of_a_trace_is_learned_once(tmp_path):
    first = {**NEW, "gen_ai.input.messages": json.dumps(ASKED[:2])}
    first["gen_ai.output.messages"] = json.dumps(ASKED[2:3])
    other = {**NEW, "gen_ai.output.messages": json.dumps(ASKED[2:3])}
    log = tmp_path / "spans.jsonl"
    lines = [otlp(span(first, "s1")), otlp(span(NEW, "s2"), span(other, "s3"))]
    log.write_text("\n".join(map(json.dumps, lines)))
    folder = RunFolder(tmp_path / "run")
    told = import_logs(LogsConfig(files=(log,)), folder)
    learned = {path.variant: [not step.injected for step in path.steps] for path in journal(folder)}
    assert learned == {"s2": [True, True], "s3": [False, True]}
    assert [one.kind for one in told.left_out] == [SkipKind.HISTORY]


def test_typed_values_and_dotted_keys():
    value = {"a": [1, "b", {"c": True}], "d": 1.5}
    assert plain(typed(value)) == value
    assert plain({"intValue": 3}) == 3
    assert tree({"a.b": 1, "a": {"c.d": 2}, "a.b.e": 3}) == {"a": {"b": {"": 1, "e": 3}, "c.d": 2}}
