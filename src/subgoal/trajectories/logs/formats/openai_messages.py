"""Messages as OpenAI and Anthropic have them: what most agents send, and what fine-tuning needs.

A record is an object with `messages` (and `tools`), a bare array of messages, or a logged request
with its response (`request.messages`, `response.choices`; `response.content` of Anthropic, whose
messages hold calls and results as blocks, and whose `system` stands beside them). Either may have a
`body`, as batches have, or be a text, as in LiteLLM's table of what was spent. Sources: the API
references of OpenAI's chat completions, stored completions and batches, and of Anthropic's
messages; OpenAI's guide to fine-tuning (`weight`); StandardLoggingPayload of BerriAI/litellm.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
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
from subgoal.trajectories.logs.formats.message_parts import (
    called,
    content,
    parts_of,
    thought_apart,
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
_REQUESTS = ("request", "body", "proxy_server_request")
"""Where a logged request stands in a record: a proxy's, a batch's."""
_TAKEN = ("id", "messages", "tools", "functions", "response", "choices", *_REQUESTS)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thinking_blocks", "reasoning_details")


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
        request = _request(whole)
        asked, answered = _asked(record), _answered(whole)
        if answered and not asked:
            raise Unreadable(SkipKind.MESSAGE, "a response without its request")
        read = [message for one in [*asked, *answered] for message in messages(one)]
        told = request.get("system")
        apart = isinstance(told, str | list) and Author.SYSTEM not in {one.author for one in read}
        system = [Message(author=Author.SYSTEM, text=content(told))] if apart else []
        taken = (*_TAKEN, "system") if apart else _TAKEN
        settings = table(whole.get("model_parameters"))  # LiteLLM's loggers
        yield LoggedConversation(
            id=identity(whole.get("id")),
            messages=(*system, *read),
            tools=tools(request.get("tools") or request.get("functions") or settings.get("tools")),
            fields=rest(whole, *taken),
        )


def _messages(record: Any) -> list[Any]:
    return [*_asked(record), *_answered(table(record))]


def _asked(record: Any) -> list[Any]:
    if isinstance(record, list):
        return list(rows(record))
    return list(rows(parsed(_request(table(record)).get("messages"))))


def _request(whole: dict[str, Any]) -> dict[str, Any]:
    """Return what holds the messages of a request: a part of the record, or all of it."""
    parts = (table(parsed(whole.get(name))) for name in _REQUESTS)
    bodies = (table(one.get("body")) or one for one in parts)
    return next((one for one in bodies if one.get("messages")), whole)


def _answered(whole: dict[str, Any]) -> list[Any]:
    held = table(parsed(whole.get("response")))
    response = table(held.get("body")) or held or whole
    if "role" in response and "content" in response:
        return [response]
    return [table(one).get("message") for one in rows(response.get("choices"))[:1]]


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
    calls = [called(one) for one in _calls(held.get("tool_calls"))]
    old = table(held.get("function_call"))
    if old:
        calls.append(call(old.get("name"), old.get("arguments")))
    parts = parts_of(rows(held.get("content")))
    text = parts.text if any(parts) else content(held.get("content"))
    text = (
        text or content(held.get("refusal")) or content(table(held.get("audio")).get("transcript"))
    )
    thoughts = [_thought(held.get(name)) for name in _THOUGHTS]
    if author is Author.ASSISTANT:
        inline, text = thought_apart(text)
        thoughts.append(inline)
    read = Message(
        author=author,
        text=text,
        thought=next(filter(None, (parts.thought, *thoughts)), ""),
        calls=(*parts.calls, *calls),
        answers=identity(held.get("tool_call_id")),
        name=identity(held.get("name")),
        unsaid=parts.unsaid,
        learned=held.get("weight") != 0,
    )
    return read, parts.results


def _calls(value: Any) -> Sequence[Any]:
    """Return the calls of a message, which some data sets keep as a text."""
    listed = parsed(value)
    if listed and not isinstance(listed, list):
        raise Unreadable(SkipKind.MESSAGE, f"the calls {str(value)[:60]!r}")
    return rows(listed)


def _thought(value: Any) -> str:
    return parts_of(rows(value)).thought or content(value)
