"""Messages as OpenAI and Anthropic have them: what most agents send, and what fine-tuning needs.

A record is an object with `messages` (and `tools`), a bare array of messages, or a logged request
with its response (`request.messages`, `response.choices`; `response.content` of Anthropic, whose
messages hold calls and results as blocks, and whose `system` stands beside them). Sources: the API
references of OpenAI's chat completions and of Anthropic's messages, and OpenAI's guide to
fine-tuning (`weight`).
"""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import (
    LogFormat,
    SkipKind,
    Unreadable,
    call,
    identity,
    rest,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.message_parts import (
    called,
    content,
    parts_of,
)

AUTHORS = {
    "system": Author.SYSTEM,
    "developer": Author.SYSTEM,
    "user": Author.USER,
    "assistant": Author.ASSISTANT,
    "tool": Author.TOOL,
    "function": Author.TOOL,  # the form before tools
}
"""Who has which role."""
_REQUEST = ("id", "messages", "tools", "functions", "request", "response", "choices")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


class OpenAIMessages(LogFormat):
    """OpenAI's messages."""

    name = "messages"

    @override
    def fits(self, record: Any) -> bool:
        messages = _messages(record)
        empty = table(record).get("messages") == []  # named as such, wherever it stands
        return (bool(messages) or empty) and all("role" in table(one) for one in messages)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        request = table(whole.get("request")) or whole
        read = [message for one in _messages(record) for message in messages(one)]
        told = request.get("system")
        apart = isinstance(told, str | list) and Author.SYSTEM not in {one.author for one in read}
        system = [Message(author=Author.SYSTEM, text=content(told))] if apart else []
        taken = (*_REQUEST, "system") if apart else _REQUEST
        yield LoggedConversation(
            id=identity(whole.get("id")),
            messages=(*system, *read),
            tools=tools(request.get("tools") or request.get("functions")),
            fields=rest(whole, *taken),
        )


def _messages(record: Any) -> list[Any]:
    if isinstance(record, list):
        return list(rows(record))
    whole = table(record)
    request = table(whole.get("request")) or whole
    response = table(whole.get("response")) or whole
    answers = [table(one).get("message") for one in rows(response.get("choices"))[:1]]
    if "role" in response and "content" in response:
        answers = [response]
    return [*rows(request.get("messages")), *answers]


def messages(record: Any) -> Iterator[Message]:
    """Read one message, of which those of Anthropic's users may hold results of calls as well.

    Args:
        record: With `role`, and what that role has: `content`, `tool_calls`, `tool_call_id`.

    Raises:
        Unreadable: It is none.
    """
    read, results = _read(record)
    yield from results
    if read.text or not results:
        yield read


def message(record: Any) -> Message:
    """Read one message of OpenAI's.

    Args:
        record: As `messages` takes it.

    Raises:
        Unreadable: It is none.
    """
    return _read(record)[0]


def _read(record: Any) -> tuple[Message, list[Message]]:
    held = table(record)
    author = AUTHORS.get(str(held.get("role")))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the role {held.get('role')!r}")
    calls = [called(one) for one in rows(held.get("tool_calls"))]
    old = table(held.get("function_call"))
    if old:
        calls.append(call(old.get("name"), old.get("arguments")))
    parts, refused = parts_of(rows(held.get("content"))), content(held.get("refusal"))
    thoughts = (content(held.get(name)) for name in _THOUGHTS)
    read = Message(
        author=author,
        text=parts.text if any(parts) else content(held.get("content")) or refused,
        thought=next(filter(None, (*thoughts, parts.thought)), ""),
        calls=(*parts.calls, *calls),
        answers=identity(held.get("tool_call_id")),
        name=identity(held.get("name")),
        learned=held.get("weight") != 0,
    )
    return read, parts.results
