"""What a log says, whatever its format: messages, calls of tools, and what was thought."""

from enum import StrEnum
from typing import Any

from subgoal.record import Record


class Author(StrEnum):
    """Who wrote a message."""

    SYSTEM = "system"
    """Whoever set the agent up; `developer` in newer logs."""
    USER = "user"
    """Whoever the agent works for; in some logs the world."""
    ASSISTANT = "assistant"
    """The agent: what is learned."""
    TOOL = "tool"
    """The result of a call."""


class Call(Record):
    """One call of a tool."""

    name: str
    """The tool."""
    arguments: dict[str, Any] = {}
    """Arguments in the order of the log, as JSON values."""
    id: str = ""
    """By which its result is found; empty where the log has none."""


class Message(Record):
    """One message of a conversation."""

    author: Author
    """Who wrote it."""
    text: str = ""
    """What it says; empty where it only calls tools."""
    thought: str = ""
    """What the agent thought before it, which nobody was told."""
    calls: tuple[Call, ...] = ()
    """The tools that it calls, all at once."""
    answers: str = ""
    """Of a result: the `id` of its call."""
    name: str = ""
    """Of a result: the tool, where the log says it."""
    unsaid: tuple[str, ...] = ()
    """Kinds of its parts that are no text; `text` names each in brackets."""
    learned: bool = True
    """False for what is only read: it was copied from elsewhere, or the log marks it so."""


class LoggedConversation(Record):
    """One conversation of an agent, or one episode."""

    id: str
    """What it is called in its log; unique there."""
    messages: tuple[Message, ...]
    """Messages in order."""
    tools: tuple[dict[str, Any], ...] = ()
    """Descriptions of the tools, as a chat template takes them."""
    reward: float | None = None
    """How well it went; None where the log does not say."""
    fields: dict[str, Any] = {}
    """What else the log says of it, such as the number of a task."""
    thread: str = ""
    """What ties conversations of one log together, such as a trace; empty: nothing."""
    place: str = ""
    """Where it was read: file and line."""

    @property
    def turns(self) -> tuple[Message, ...]:
        """The agent's messages, in order."""
        return tuple(one for one in self.messages if one.author is Author.ASSISTANT)
