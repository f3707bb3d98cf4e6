"""OpenAI's Responses: items, of which those of one answer are one turn.

A record is a request with its response (`request.input`, `response.output`, or both side by side),
an object with `input` alone, or a bare array of items, as the Agents SDK keeps a session. Items
are messages, `reasoning`, `function_call` and `function_call_output`. A request that names a
`previous_response_id` has no history: its results are named as being without their calls. Source:
the API reference of OpenAI's responses.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import LogFormat, identity, rest, rows, table, tools
from subgoal.trajectories.logs.formats.message_parts import content, joined, parts_of
from subgoal.trajectories.logs.formats.openai_messages import message

_TAKEN = ("id", "input", "output", "instructions", "tools", "request", "response")


class Responses(LogFormat):
    """OpenAI's Responses."""

    name = "responses"

    @override
    def fits(self, record: Any) -> bool:
        items = _items(record)
        kinds = {"role", "type"}
        return bool(items) and all(kinds & table(one).keys() for one in items)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        request = table(whole.get("request")) or whole
        told = content(request.get("instructions"))
        system = [Message(author=Author.SYSTEM, text=told)] if told else []
        said = [one for item in _items(record) for one in _item(table(item))]
        yield LoggedConversation(
            id=identity(whole.get("id")),
            messages=(*system, *joined(said)),
            tools=tools(request.get("tools")),
            fields=rest(whole, *_TAKEN),
        )


def _items(record: Any) -> Sequence[Any]:
    if isinstance(record, list):
        return rows(record)
    whole = table(record)
    request = table(whole.get("request")) or whole
    response = table(whole.get("response")) or whole
    asked = request.get("input")
    if isinstance(asked, str):
        asked = [{"role": "user", "content": asked}] if rows(response.get("output")) else []
    answered = response.get("output")
    return [*rows(asked), *(rows(answered) or filter(None, [table(answered)]))]


def _item(item: dict[str, Any]) -> Iterator[Message]:
    if "role" in item:
        yield message(item)
        return
    parts = parts_of([item])
    yield from parts.results
    if not parts.results:
        calls = tuple(parts.calls)
        yield Message(
            author=Author.ASSISTANT,
            text=parts.text,
            thought=parts.thought,
            calls=calls,
            unsaid=parts.unsaid,
        )
