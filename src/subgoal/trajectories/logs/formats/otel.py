"""Spans of OpenTelemetry: its GenAI conventions, OpenInference, and OpenLLMetry's older names.

A record is a line of OTLP in JSON (`resourceSpans`, or `resourceLogs` with events), or one span as
SDKs print it (`context.trace_id`, `attributes`). A span that calls a model has the whole history:

- `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions` (objects or
  JSON; on the span or on the event `gen_ai.client.inference.operation.details`);
- `llm.input_messages.0.message.role` ... (OpenInference);
- `gen_ai.prompt.0.role`, `gen_ai.completion.0.content` ... (OpenLLMetry);
- events `gen_ai.user.message` ... `gen_ai.choice` (conventions up to 1.36).

Spans of one conversation (`gen_ai.conversation.id`, `session.id`, else the trace) are a thread, so
that each turn is learned once. Sources: docs/gen-ai of open-telemetry/semantic-conventions (now
semantic-conventions-genai) with its JSON schemas and model/gen-ai/deprecated;
spec/{semantic_conventions,llm_spans,tool_calling}.md of Arize-ai/openinference.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import (
    LogFormat,
    SkipKind,
    Unreadable,
    call,
    identity,
    parsed,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.openai_messages import AUTHORS, content
from subgoal.trajectories.logs.formats.span_attributes import (
    attributes,
    found,
    listed,
    merge,
    plain,
    tree,
)

_ALIASES = {"model": "assistant", "ai": "assistant", "bot": "assistant", "human": "user"}
_CALLS_OF_MODELS = {"", "chat", "generate_content", "text_completion", "LLM"}
_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
_INPUTS = ("gen_ai.input.messages", "llm.input_messages", "gen_ai.prompt")
_OUTPUTS = ("gen_ai.output.messages", "llm.output_messages", "gen_ai.completion")
_TOOLS = ("gen_ai.tool.definitions", "llm.tools", "llm.request.functions")
_SAID_ELSEWHERE = (*_INPUTS, *_OUTPUTS, *_TOOLS, "gen_ai.system_instructions", "input", "output")


class OTel(LogFormat):
    """Spans of OpenTelemetry."""

    name = "otel"

    @override
    def fits(self, record: Any) -> bool:
        whole = table(record)
        if {"resourceSpans", "resourceLogs"} & whole.keys():
            return True
        span = tree(whole)
        return "attributes" in span and bool(_id(span, "trace"))

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation | Unreadable]:
        for span in _spans(table(record)):
            try:
                yield _conversation(span)
            except Unreadable as why:
                yield why


def _spans(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not {"resourceSpans", "resourceLogs"} & whole.keys():
        yield tree(whole)
    for resource in rows(whole.get("resourceSpans")):
        for scope in rows(table(resource).get("scopeSpans")):
            yield from map(table, rows(table(scope).get("spans")))
    called = defaultdict[str, list[dict[str, Any]]](list)
    for resource in rows(whole.get("resourceLogs")):
        for scope in rows(table(resource).get("scopeLogs")):
            for event in map(table, rows(table(scope).get("logRecords"))):
                called[_id(event, "span")].append(event)
    for events in called.values():
        yield {**events[0], "attributes": [], "events": events}


def _id(span: dict[str, Any], of: str) -> str:
    value = span.get(f"{of}Id") or span.get(f"{of}_id") or found(span, f"context.{of}_id")
    return identity(value)


def _conversation(span: dict[str, Any]) -> LoggedConversation:
    held, told = _held(span)
    kind = found(held, "gen_ai.operation.name") or found(held, "openinference.span.kind")
    name = identity(span.get("name") or kind)
    if identity(kind) not in _CALLS_OF_MODELS:
        raise Unreadable(SkipKind.SPAN, name)
    asked, answered = _first(held, _INPUTS), _first(held, _OUTPUTS)[:1]  # of several choices one
    if not (asked or answered):
        asked = told
    messages = [message for one in [*asked, *answered] for message in _messages(one)]
    if not messages:
        raise Unreadable(SkipKind.SPAN, name)
    system = _parts(listed(found(held, "gen_ai.system_instructions"))).text
    if system:
        messages.insert(0, Message(author=Author.SYSTEM, text=system))
    trace = _id(span, "trace")
    thread = found(held, "gen_ai.conversation.id") or found(held, "session.id") or trace
    return LoggedConversation(
        id=_id(span, "span"),
        messages=tuple(messages),
        tools=tools([found(one, "tool.json_schema") or one for one in _first(held, _TOOLS)]),
        fields={"name": name, "trace": trace, **_named(held), **_rest(held)},
        thread=identity(thread),
    )


def _held(span: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the attributes of a span and its events, and the messages that are events."""
    held, told = attributes(span.get("attributes")), list[dict[str, Any]]()
    for event in map(table, rows(parsed(span.get("events")))):
        more = attributes(event.get("attributes"))
        name = identity(event.get("eventName") or event.get("name") or found(more, "event.name"))
        body = table(plain(event.get("body"))) or table(parsed(found(more, "gen_ai.event.content")))
        if name in _EVENTS:
            told.append({"role": _EVENTS[name], **more, **tree(body)})
        else:
            merge(held, {"gen_ai": table(more.get("gen_ai"))})
    return held, told


def _first(held: dict[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the list under the first of several names that has one."""
    lists = (listed(found(held, name)) for name in names)
    return next((one for one in lists if one), list[dict[str, Any]]())


def _named(held: dict[str, Any]) -> dict[str, Any]:
    """Return what older and newer conventions call differently under one name."""
    names = {
        "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
        "model": ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
    }
    said = ((name, found(held, path)) for name, paths in names.items() for path in paths[::-1])
    return {name: value for name, value in said if value}  # the newer ones count


def _rest(held: dict[str, Any]) -> dict[str, Any]:
    rest = tree(held)
    for path in _SAID_ELSEWHERE:
        *above, last = path.split(".")
        table(found(rest, ".".join(above)) if above else rest).pop(last, None)
    return rest


class _Parts(NamedTuple):
    text: str
    thought: str
    calls: list[Call]
    results: list[Message]


def _messages(record: dict[str, Any]) -> Iterator[Message]:
    """Yield the messages of one record: results of calls may stand together, or in a user's."""
    held = {**record, **table(record.get("message"))}
    role = held.get("role")
    author = AUTHORS.get(_ALIASES.get(str(role), str(role)))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the role {role!r}")
    said = held.get("content")
    parts = _parts(listed(held.get("parts")) or listed(held.get("contents")) or _in_parts(said))
    text = parts.text if any(parts) else _text(said)
    yield from parts.results
    if author is Author.TOOL and not parts.results:
        number = identity(held.get("tool_call_id") or held.get("id"))
        yield Message(author=author, text=text, answers=number, name=identity(held.get("name")))
    elif author is not Author.TOOL and (text or parts.calls or not parts.results):
        calls = [*parts.calls, *map(_call, listed(held.get("tool_calls")))]
        thought = parts.thought or content(held.get("reasoning_content"))
        yield Message(author=author, text=text, thought=thought, calls=tuple(calls))


def _in_parts(said: Any) -> list[dict[str, Any]]:
    """Return the parts of a content; a text may be the JSON of parts."""
    parts = listed(said)
    return parts if all(isinstance(one.get("type"), str) for one in parts) else []


def _parts(parts: list[dict[str, Any]]) -> _Parts:
    texts, thoughts = list[str](), list[str]()
    calls, results = list[Call](), list[Message]()
    for part in parts:
        one = table(part.get("message_content")) or part
        said = next((one[key] for key in ("content", "text", "thinking") if key in one), None)
        match one.get("type"):
            case "text":
                texts.append(_text(said))
            case "reasoning" | "thinking":
                thoughts.append(_text(said))
            case "tool_call" | "tool_use":
                calls.append(_call(part if "tool_call" in part else one))
            case "tool_call_response" | "tool_result":
                results.append(_result(one))
            case other:
                texts.append(f"[{other}]")
    return _Parts("".join(texts), "\n".join(thoughts), calls, results)


def _call(record: dict[str, Any]) -> Call:
    held = table(record.get("tool_call")) or record
    what = table(held.get("function")) or held
    return call(what.get("name"), what.get("arguments", what.get("input")), held.get("id"))


def _result(part: dict[str, Any]) -> Message:
    answer = next((part[key] for key in ("response", "result", "content") if key in part), None)
    number = identity(part.get("id") or part.get("tool_use_id"))
    return Message(author=Author.TOOL, text=_text(answer), answers=number)


def _text(value: Any) -> str:
    """Return a text as it is, the text of parts, and any other value as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    parts = rows(value)
    if parts and all(table(one).get("type") == "text" for one in parts):
        return content(value)
    return json.dumps(value, ensure_ascii=False)
