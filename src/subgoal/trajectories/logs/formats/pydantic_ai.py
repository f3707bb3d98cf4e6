"""Pydantic AI's message history: `all_messages_json()`, requests and responses with their parts.

Source: pydantic_ai/messages.py of pydantic/pydantic-ai (`kind`, `part_kind`).
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
    rows,
    table,
)
from subgoal.trajectories.logs.formats.message_parts import as_text, joined

_SAID = {"system-prompt": Author.SYSTEM, "user-prompt": Author.USER, "text": Author.ASSISTANT}


class PydanticAI(LogFormat):
    """Pydantic AI's message history."""

    name = "pydantic-ai"

    @override
    def fits(self, record: Any) -> bool:
        whole = rows(record)
        return bool(whole) and all({"kind", "parts"} <= table(one).keys() for one in whole)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = [table(one) for one in rows(record)]
        told = next((one["instructions"] for one in whole if one.get("instructions")), None)
        system = [Message(author=Author.SYSTEM, text=as_text(told))] if told else []
        said = [_part(table(part)) for one in whole for part in rows(one.get("parts"))]
        yield LoggedConversation(id="", messages=(*system, *joined(said)))


def _part(part: dict[str, Any]) -> Message:
    kind, text = str(part.get("part_kind")), as_text(part.get("content"))
    name, number = identity(part.get("tool_name")), identity(part.get("tool_call_id"))
    if kind in _SAID:
        return Message(author=_SAID[kind], text=text)
    if kind == "thinking":
        return Message(author=Author.ASSISTANT, thought=text)
    if kind == "tool-call":
        return Message(author=Author.ASSISTANT, calls=(call(name, part.get("args"), number),))
    if kind == "tool-return" or (kind == "retry-prompt" and name):
        return Message(author=Author.TOOL, text=text, answers=number, name=name)
    if kind == "retry-prompt":
        return Message(author=Author.USER, text=text)
    raise Unreadable(SkipKind.MESSAGE, f"the part {kind!r}")
