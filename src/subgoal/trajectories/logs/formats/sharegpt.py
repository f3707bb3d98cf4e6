"""ShareGPT: turns with `from` and `value`, as collections of agents' paths are published.

A record is an object with `conversations`, or a bare array of turns. Sources: AgentGym's AgentTraj
(README of WooooDyy/AgentGym: `item_id`, and `loss` that marks what is trained on), ETO (README of
Yifan-Song793/ETO: `id`; its players write `meta` with `reward` beside the conversation, its
ALFWorld paths `game_file`), and LLaMA-Factory's data format (`system`, `tools`, turns from
`function_call` and `observation`).
"""

import re
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
    parsed,
    rest,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.message_parts import content

_AUTHORS = {
    "system": Author.SYSTEM,
    "human": Author.USER,
    "user": Author.USER,
    "gpt": Author.ASSISTANT,
    "assistant": Author.ASSISTANT,
    "function_call": Author.ASSISTANT,
    "observation": Author.TOOL,
    "tool": Author.TOOL,
}
_THOUGHT = [
    re.compile(rf"\s*Thought:\s*(.*?){before}Action:\s*(.*\S)\s*", re.DOTALL)
    for before in (r"\s*\n\s*", r"\s+")
]


class ShareGPT(LogFormat):
    """ShareGPT as AgentGym and ETO write it."""

    name = "sharegpt"

    @override
    def fits(self, record: Any) -> bool:
        turns = _turns(record)
        return bool(turns) and all("from" in table(one) for one in turns)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        told = content(whole.get("system"))
        system = [Message(author=Author.SYSTEM, text=told)] if told else []
        fields = rest(whole, "conversations", "id", "system", "tools")
        reward = table(whole.get("meta")).get("reward")
        yield LoggedConversation(
            id=identity(whole.get("id", whole.get("item_id"))),
            messages=(*system, *map(_message, _turns(record))),
            tools=tools(whole.get("tools")),
            fields=fields if reward is None else {"reward": reward, **fields},
        )


def _turns(record: Any) -> list[Any]:
    return list(rows(record) or rows(table(record).get("conversations")))


def _message(record: Any) -> Message:
    held = table(record)
    named = held.get("from")
    author = _AUTHORS.get(str(named))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the turn is from {named!r}")
    text = content(held.get("value"))
    learned = held.get("loss") is not False
    if named == "function_call":
        called = parsed(text)
        calls = [call(one.get("name"), one.get("arguments")) for one in map(table, _listed(called))]
        return Message(author=author, calls=tuple(calls), learned=learned)
    thought, said = thought_and_action(text) if author is Author.ASSISTANT else ("", text)
    return Message(author=author, text=said, thought=thought, learned=learned)


def _listed(value: Any) -> list[Any]:
    return list(rows(value)) or [value]


def thought_and_action(text: str) -> tuple[str, str]:
    """Part `Thought: ... Action: ...`; any other text is all action.

    Args:
        text: What an agent wrote.

    Returns:
        What it thought, and what it did.
    """
    for form in _THOUGHT:
        found = form.fullmatch(text)
        if found:
            return found[1], found[2]
    return "", text
