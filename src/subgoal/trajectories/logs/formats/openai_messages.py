"""OpenAI's messages: what most agents send to a model, and what fine-tuning files hold.

A record is an object with `messages` (and `tools`), a bare array of messages, or a logged request
with its response (`request.messages`, `response.choices`). Source: the API reference of OpenAI's
chat completions, and its guide to fine-tuning (`weight`).
"""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import (
    LogFormat,
    SkipKind,
    Unreadable,
    call,
    identity,
    parsed,
    rest,
    rows,
    table,
    tools,
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
_REQUEST = ("request", "response", "choices")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


class OpenAIMessages(LogFormat):
    """OpenAI's messages."""

    name = "messages"

    @override
    def fits(self, record: Any) -> bool:
        messages = _messages(record)
        return bool(messages) and all("role" in table(one) for one in messages)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        request = table(whole.get("request")) or whole
        yield LoggedConversation(
            id=identity(whole.get("id")),
            messages=tuple(map(message, _messages(record))),
            tools=tools(request.get("tools") or request.get("functions")),
            fields=rest(whole, "id", "messages", "tools", "functions", *_REQUEST),
        )


def _messages(record: Any) -> list[Any]:
    if isinstance(record, list):
        return list(rows(record))
    whole = table(record)
    request = table(whole.get("request")) or whole
    response = table(whole.get("response")) or whole
    answers = [table(one).get("message") for one in rows(response.get("choices"))[:1]]
    return [*rows(request.get("messages")), *answers]


def message(record: Any) -> Message:
    """Read one message.

    Args:
        record: With `role`, and what that role has: `content`, `tool_calls`, `tool_call_id`.

    Raises:
        Unreadable: It is none.
    """
    held = table(record)
    author = AUTHORS.get(str(held.get("role")))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the role {held.get('role')!r}")
    called = [_call(one) for one in rows(held.get("tool_calls"))]
    old = table(held.get("function_call"))
    if old:
        called.append(call(old.get("name"), old.get("arguments")))
    thoughts = (content(held.get(name)) for name in _THOUGHTS)
    return Message(
        author=author,
        text=content(held.get("content")) or content(held.get("refusal")),
        thought=next(filter(None, thoughts), ""),
        calls=tuple(called),
        answers=identity(held.get("tool_call_id")),
        name=identity(held.get("name")),
        learned=held.get("weight") != 0,
    )


def _call(record: Any) -> Call:
    held = table(parsed(record))  # some data sets keep each call as a text
    what = table(held.get("function")) or held
    return call(what.get("name"), what.get("arguments"), held.get("id"))


def content(value: Any) -> str:
    """Return a content as text: a string, nothing, or parts of which some are text.

    Args:
        value: The content; a part that is no text is said in brackets, such as `[image_url]`.

    Raises:
        Unreadable: It is none of these.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise Unreadable(SkipKind.MESSAGE, f"the content {str(value)[:60]!r}")
    return "".join(map(_part, rows(value)))


def _part(value: Any) -> str:
    if isinstance(value, str):
        return value
    held = table(value)
    text = held.get("text") or held.get("refusal")
    if isinstance(text, str):
        return text
    return "" if "text" in held else f"[{held.get('type', 'part')}]"
