"""Spans of OpenTelemetry: its GenAI conventions, OpenInference, and OpenLLMetry's older names.

A record is a line of OTLP in JSON (`resourceSpans`, or `resourceLogs` with events), or one span as
SDKs print it (`context.trace_id`, `attributes`), or one event. Events of a span may stand in many
records; its last is `gen_ai.choice`. A span that calls a model has the whole history:

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

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import (
    LogFormat,
    SkipKind,
    Skipped,
    Unreadable,
    identity,
    parsed,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.message_parts import (
    as_text,
    called,
    content,
    joined,
    parts_of,
)
from subgoal.trajectories.logs.formats.openai_messages import AUTHORS
from subgoal.trajectories.logs.formats.span_attributes import (
    attributes,
    found,
    listed,
    merge,
    plain,
    tree,
)
from subgoal.trajectories.logs.json_records import Located

_SMOLAGENTS_CALL = "tool-call"
_ALIASES = {
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    _SMOLAGENTS_CALL: "assistant",
    "human": "user",
    "tool-response": "user",  # of all calls together
}
_CALLS_OF_MODELS = {"", "chat", "generate_content", "text_completion", "LLM"}
_ANSWER = "gen_ai.choice"
_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    _ANSWER: "assistant",
}
_EVENT = {"body", "event_name"}
_WAITING = 1000
"""So many spans may wait for their answer at most; some failed and have none."""
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
        for _, whole in _gathered([Located(0, record)]):
            for span in _spans(whole):
                try:
                    yield _conversation(span)
                except Unreadable as why:
                    yield why

    @override
    def conversations(
        self, records: Iterable[Located], file: str
    ) -> Iterator[LoggedConversation | Skipped]:
        return super().conversations(_gathered(records), file)


def _gathered(records: Iterable[Located]) -> Iterator[Located]:
    """Yield records, with the events of a span gathered until its answer has come."""
    waiting = dict[tuple[str, str], tuple[int, list[dict[str, Any]]]]()
    for line, value in records:
        whole = table(value)
        if "resourceSpans" in whole or not ("resourceLogs" in whole or _EVENT & whole.keys()):
            yield Located(line, whole)
        for event in _events(whole):
            number = _id(event, "trace"), _id(event, "span")
            first, told = waiting.pop(number, (line, list[dict[str, Any]]()))
            told.append(event)
            name = _name(event)
            if name in _EVENTS and name != _ANSWER:
                waiting[number] = first, told
            else:
                yield _told(first, told)
            if len(waiting) > _WAITING:
                yield _told(*waiting.pop(next(iter(waiting))))
    for first, told in waiting.values():
        yield _told(first, told)


def _told(line: int, events: list[dict[str, Any]]) -> Located:
    number = {f"{of}Id": _id(events[0], of) for of in ("trace", "span")}
    return Located(line, {**number, "attributes": [], "events": events})


def _events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if _EVENT & whole.keys():  # as an SDK prints it
        yield whole
    for resource in rows(whole.get("resourceLogs")):
        for scope in rows(table(resource).get("scopeLogs")):
            yield from map(table, rows(table(scope).get("logRecords")))


def _name(event: dict[str, Any]) -> str:
    """Return what an event is called, by today's names and by older ones."""
    held = event.get("attributes")
    pairs = (table(one) for one in rows(held))
    named = {identity(one.get("key")): table(one.get("value")).get("stringValue") for one in pairs}
    older = {**named, **table(held)}.get("event.name")
    newer = event.get("eventName") or event.get("event_name") or event.get("name")
    return identity(newer or older)


def _spans(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "resourceSpans" not in whole:
        yield tree(whole)
    for resource in rows(whole.get("resourceSpans")):
        for scope in rows(table(resource).get("scopeSpans")):
            yield from map(table, rows(table(scope).get("spans")))


def _id(span: dict[str, Any], of: str) -> str:
    value = span.get(f"{of}Id") or span.get(f"{of}_id") or found(span, f"context.{of}_id")
    return identity(value)


def _conversation(span: dict[str, Any]) -> LoggedConversation:
    held, told = _held(span)
    kind = found(held, "gen_ai.operation.name") or found(held, "openinference.span.kind")
    name = identity(span.get("name") or kind)
    if identity(kind) not in _CALLS_OF_MODELS:
        raise Unreadable(SkipKind.SPAN, name)
    asked, answered = _first(held, _INPUTS), _answered(held)
    if not (asked or answered):
        asked = told
    messages = joined(message for one in [*asked, *answered] for message in _messages(one))
    if not messages:
        raise Unreadable(SkipKind.SPAN, name)
    system = parts_of(listed(found(held, "gen_ai.system_instructions"))).text
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
    events = rows(parsed(span.get("events")))
    older = [{"attributes": one} for one in rows(parsed(held.pop("events", None)))]  # Pydantic AI
    for event in map(table, [*events, *older]):
        more, name = attributes(event.get("attributes")), _name(event)
        body = table(plain(event.get("body"))) or table(parsed(found(more, "gen_ai.event.content")))
        if name in _EVENTS:
            told.append({"role": _EVENTS[name], **more, **tree(body)})
        else:
            merge(held, {"gen_ai": table(more.get("gen_ai"))})
    return held, told


def _answered(held: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answer: of several choices one, of the items of a response all."""
    answers = _first(held, _OUTPUTS)
    asked = table(parsed(found(held, "llm.invocation_parameters")))
    items = found(held, "llm.output_messages") and asked.get("n", 1) == 1
    return answers if items else answers[:1]


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


def _messages(record: dict[str, Any]) -> Iterator[Message]:
    """Yield the messages of one record: results of calls may stand together, or in a user's."""
    held = {**record, **table(record.get("message"))}
    role = held.get("role")
    author = AUTHORS.get(_ALIASES.get(str(role), str(role)))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the role {role!r}")
    said = held.get("content")
    parts = parts_of(listed(held.get("parts")) or listed(held.get("contents")) or _in_parts(said))
    text = parts.text if any(parts) else as_text(said)
    yield from parts.results
    if author is Author.TOOL and not parts.results:
        number = identity(held.get("tool_call_id") or held.get("id"))
        yield Message(
            author=author,
            text=text,
            answers=number,
            name=identity(held.get("name")),
            unsaid=parts.unsaid,
        )
    elif author is not Author.TOOL and (text or parts.calls or not parts.results):
        calls = [*parts.calls, *map(called, listed(held.get("tool_calls")))]
        if role == _SMOLAGENTS_CALL and not calls:
            text, calls = "", [*map(called, _spelled(text))]
        thought = parts.thought or content(held.get("reasoning_content"))
        yield Message(
            author=author, text=text, thought=thought, calls=tuple(calls), unsaid=parts.unsaid
        )


def _in_parts(said: Any) -> list[dict[str, Any]]:
    """Return the parts of a content; a text may be the JSON of parts."""
    parts = listed(said)
    return parts if all(isinstance(one.get("type"), str) for one in parts) else []


def _spelled(text: str) -> list[Any]:
    """Return calls as smolagents repeats them to the model, as a Python list in a text."""
    try:
        return list(rows(ast.literal_eval(text.partition("\n")[2])))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Unreadable(SkipKind.ARGUMENTS, f"those of {text[:60]!r}") from None
