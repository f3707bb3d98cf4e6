"""LangChain's messages, as its own functions write them, and LangSmith's runs of a model.

A record is a list of messages, an object with `messages` (a state of LangGraph), or a run with
`inputs` and `outputs`. A message is what `messages_to_dict` (`type`, `data`), `model_dump` (`type`
beside the rest) or `dumpd` (`lc`, `id`, `kwargs`) makes of it. Source: langchain_core/messages and
langchain_core/load of langchain-ai/langchain.
"""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.formats.base import LogFormat, identity, rest, rows, table, tools
from subgoal.trajectories.logs.formats.openai_messages import messages

_ROLES = {
    "system": "system",
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "tool": "tool",
    "function": "function",
}
_CALLS = {"tool_use", "tool_call", "function_call"}


class LangChain(LogFormat):
    """LangChain's messages."""

    name = "langchain"

    @override
    def fits(self, record: Any) -> bool:
        held = _messages(record)
        return bool(held) and all(map(is_message, held))

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        extra = table(whole.get("extra"))
        yield LoggedConversation(
            id=identity(whole.get("id")),
            messages=tuple(said for one in _messages(record) for said in messages(_plain(one))),
            tools=tools(whole.get("tools") or table(extra.get("invocation_params")).get("tools")),
            fields=rest(whole, "id", "messages", "tools", "inputs", "outputs"),
            thread=identity(whole.get("trace_id")),
        )


def is_message(value: Any) -> bool:
    """Return whether a JSON value is one of LangChain's messages.

    Args:
        value: Any value.
    """
    held = _held(value)
    return "role" not in held and "content" in held and held.get("type") in _ROLES


def _held(value: Any) -> dict[str, Any]:
    """Return a message without what it is wrapped in."""
    whole = table(value)
    inner = table(whole.get("kwargs")) or table(whole.get("data"))
    return {"type": whole.get("type"), **inner} if inner else whole


def _messages(record: Any) -> list[Any]:
    if isinstance(record, list):
        return list(rows(record))
    whole = table(record)
    inputs, outputs = table(whole.get("inputs")), table(whole.get("outputs"))
    answers = [table(one).get("message") for one in _flat(outputs.get("generations"))[:1]]
    state = whole.get("messages") or outputs.get("messages") or inputs.get("messages")
    return [*_flat(state), *answers]


def _flat(value: Any) -> list[Any]:
    """Return a list of messages, of which some are written one level deeper, for a batch of one."""
    return list(next((rows(one) for one in rows(value) if rows(one)), rows(value)))


def _plain(message: Any) -> dict[str, Any]:
    """Return a message as OpenAI has it."""
    held = _held(message)
    more = table(held.get("additional_kwargs"))
    calls = [*rows(held.get("tool_calls")), *rows(held.get("invalid_tool_calls"))]
    said = held["content"]
    if calls and isinstance(said, list):  # providers' own blocks of the same calls
        said = [one for one in rows(said) if table(one).get("type") not in _CALLS]
    named = ("tool_call_id", "name")
    return {
        **{key: more[key] for key in ("function_call", "reasoning_content") if key in more},
        **{key: held.get(key) for key in named},
        "role": _ROLES[held["type"]],
        "content": said,
        "tool_calls": calls or more.get("tool_calls"),
    }
