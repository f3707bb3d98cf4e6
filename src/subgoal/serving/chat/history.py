"""A conversation's messages as what an agent was told and did, and its next turn as a message.

Of an agent that learned from logs a turn is a message with its calls, as `import` reads them. Of an
agent of a world it is an action: the message's text, or the argument of the call where one tool is
offered that takes one text.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from subgoal.errors import DataCorrupt
from subgoal.serving.records import (
    AssistantMessage,
    CalledFunction,
    ChatRequest,
    OfferedTool,
    ToolCall,
    fresh_id,
)
from subgoal.serving.refusals import Refused
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.episode import course_of
from subgoal.trajectories.logs.formats.base import Unreadable, clean, tools
from subgoal.trajectories.logs.formats.openai_messages import message
from subgoal.trajectories.logs.turn_text import read_turn, write_turn


class History(NamedTuple):
    """What an agent was told and did, up to the turn that is asked for."""

    description: str
    """The task."""
    tools: str
    """The tools, as a task has them."""
    opening: str
    """What is seen, or said, before the first turn."""
    turns: Sequence[tuple[str, str]]
    """Turns, each with what came back."""

    @property
    def keys(self) -> list[bytes]:
        """What identifies the history after each number of turns, from none to all."""
        chain, keys = blake2b(digest_size=16), list[bytes]()
        for part in ((self.description, self.tools, self.opening), *self.turns):
            chain.update(repr(part).encode("utf-8", "surrogatepass"))
            keys.append(chain.digest())
        return keys


def conversation_of(request: ChatRequest) -> LoggedConversation:
    """Read the messages of a request.

    Raises:
        Refused: One is none; the field that it stands in is named.
    """
    read = list[Message]()
    for number, given in enumerate(request.messages):
        try:
            read.append(message(clean(given)))
        except Unreadable as error:
            where = f"messages[{number}]"
            raise Refused(400, f"{where}: {error.kind}: {error}", param=where) from error
    offered = [one.model_dump(exclude_none=True) for one in request.tools or ()]
    return LoggedConversation(id="served", messages=tuple(read), tools=tools(offered))


class Wording:
    """How the turns of one agent stand in messages.

    Args:
        log: Whether it learned from logs.
    """

    def __init__(self, log: bool) -> None:
        self._log = log

    def history(self, conversation: LoggedConversation) -> History:
        """Return the history of a conversation.

        Raises:
            Refused: It is none: a result answers no call.
        """
        try:
            told = course_of(conversation if self._log else _of_world(conversation))
        except Unreadable as error:
            raise Refused(400, f"{error.kind}: {error}", param="messages") from error
        turns = [(self._action(turn), answer) for turn, answer in told.turns]
        return History(told.description, told.tools, told.opening, turns)

    def message(self, action: str, offered: Sequence[OfferedTool]) -> AssistantMessage:
        """Return an agent's turn as a message.

        Args:
            action: The turn.
            offered: The tools that may be called; without any, calls are said as text.
        """
        text, calls = self._parts(action, offered)
        if not calls or not offered:
            return AssistantMessage(content=action if calls else text)
        return AssistantMessage(content=text or None, tool_calls=tuple(map(_made, calls)))

    def _action(self, turn: Message) -> str:
        if self._log:
            return write_turn(turn.text, turn.calls)
        said = [value for call in turn.calls for value in call.arguments.values()]
        return next((one for one in said if isinstance(one, str)), turn.text).strip()

    def _parts(self, action: str, offered: Sequence[OfferedTool]) -> tuple[str, Sequence[Call]]:
        if not self._log:
            command = _command(offered)
            return (action, ()) if command is None else ("", [_called(*command, action)])
        try:
            return read_turn(action)[:2]
        except DataCorrupt:  # what the student wrote is no call
            return action, ()


def _of_world(conversation: LoggedConversation) -> LoggedConversation:
    """Return a conversation whose system message is the task; without one the first message is."""
    messages = list(conversation.messages)
    if messages and all(one.author is not Author.SYSTEM for one in messages):
        messages[0] = messages[0].model_copy(update={"author": Author.SYSTEM})
    return conversation.model_copy(update={"messages": tuple(messages), "tools": ()})


def _command(offered: Sequence[OfferedTool]) -> tuple[str, str] | None:
    """Return the one tool that takes one text, and that text's name; None: there is no such."""
    if len(offered) != 1:
        return None
    function = offered[0].function
    taken = (function.parameters or {}).get("properties")
    names = list(taken) if isinstance(taken, dict) else []
    return (function.name, names[0]) if len(names) == 1 else None


def _called(tool: str, name: str, action: str) -> Call:
    return Call(name=tool, arguments={name: action})


def as_answer(said: Message) -> AssistantMessage:
    """Return a message with its calls as an answer.

    Args:
        said: What an LLM said.
    """
    calls = tuple(map(_made, said.calls))
    return AssistantMessage(content=said.text if said.text or not calls else None, tool_calls=calls)


def _made(call: Call) -> ToolCall:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    function = CalledFunction(name=call.name, arguments=arguments)
    return ToolCall(id=call.id or fresh_id("call_"), function=function)


def cut_at(text: str, stops: str | Iterable[str] | None) -> str:
    """Return a text up to the first of some texts.

    Args:
        text: The text.
        stops: Where to cut it; None or empty: nowhere.
    """
    for stop in [stops] if isinstance(stops, str) else stops or ():
        text = text.partition(stop)[0] if stop else text
    return text
