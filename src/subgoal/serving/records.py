"""What the protocols of the server say: requests and replies, without behaviour.

Chat completions are OpenAI's: fields that are not known here are passed over, as clients of many
servers send some, and what a reply adds (`subgoal`, `certainty`, `answered_by`) stands at its top,
where no client takes it for a part of the message and sends it on.
"""

import time
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator

from subgoal.record import Record

Tokens = Annotated[int, Field(ge=1, le=10**9)]


class Received(BaseModel):
    """What a client sends; fields that are not known are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StreamOptions(Received):
    """What a streamed reply holds beside the answer."""

    include_usage: bool = False
    """Whether a chunk with the tokens used comes before the end."""


class ToolFunction(Received):
    """What a tool is called, and what it takes."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1, max_length=256)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class OfferedTool(Received):
    """A tool that a client offers."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    function: ToolFunction


class ChatRequest(Received):
    """A request for the next message of a conversation."""

    model_config = ConfigDict(extra="allow")  # an LLM that is asked gets all of it
    model: str | None = None
    """Any name: one agent is served, whatever a client calls it."""
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)
    tools: list[OfferedTool] | None = Field(default=None, max_length=1_000)
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    """False: a turn calls one tool at most."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=1)
    """A student has one answer."""
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    stop: str | list[str] | None = None

    @property
    def limit(self) -> int | None:
        """Most tokens of the answer; None: as many as the student writes."""
        given = [one for one in (self.max_tokens, self.max_completion_tokens) if one is not None]
        return min(given, default=None)

    @property
    def offered(self) -> tuple[OfferedTool, ...]:
        """The tools that may be called."""
        return () if self.tool_choice == "none" else tuple(self.tools or ())

    @property
    def demanded(self) -> frozenset[str]:
        """The tools of which one must be called; empty: none must."""
        if isinstance(self.tool_choice, dict):
            return frozenset({self.tool_choice["function"]["name"]})
        all_of_them = self.offered if self.tool_choice == "required" else ()
        return frozenset(tool.function.name for tool in all_of_them)

    @model_validator(mode="after")
    def _known_choice(self) -> Self:
        if isinstance(self.tool_choice, dict):
            named = self.tool_choice.get("function")
            name = named.get("name") if isinstance(named, dict) else None
            if name not in {tool.function.name for tool in self.tools or ()}:
                raise ValueError(f"tool_choice names {name!r}, which is none of the tools")
        return self


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    """It was said."""
    TOOL_CALLS = "tool_calls"
    """Tools are called."""
    LENGTH = "length"
    """It came to the most tokens that the request allows."""


class CachedTokens(Record):
    """Which of the tokens read were computed before."""

    cached_tokens: int


class Usage(Record):
    """The tokens of an answer, of the student's own text."""

    prompt_tokens: int
    """What the student read: its text of the conversation, not the messages."""
    completion_tokens: int
    """What it wrote: sub-goal and turn."""
    total_tokens: int
    prompt_tokens_details: CachedTokens


def usage_of(read: int, written: int, cached: int = 0) -> Usage:
    """Return the tokens of an answer.

    Args:
        read: Tokens read.
        written: Tokens written.
        cached: Those of the tokens read that were computed before.
    """
    return Usage(
        prompt_tokens=read,
        completion_tokens=written,
        total_tokens=read + written,
        prompt_tokens_details=CachedTokens(cached_tokens=cached),
    )


class CalledFunction(Record):
    """What is called."""

    name: str
    arguments: str
    """A JSON object."""


class ToolCall(Record):
    """A call of a tool."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class AssistantMessage(Record):
    """The message that answers."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    """What is said; null where tools are called without a word."""
    reasoning_content: str = Field(default="", exclude_if=lambda thought: not thought)
    """What was thought before, by an agent that learned thoughts."""
    refusal: None = None
    tool_calls: tuple[ToolCall, ...] = Field(default=(), exclude_if=lambda calls: not calls)


class CompletionChoice(Record):
    """The one answer."""

    index: int = 0
    message: AssistantMessage
    logprobs: None = None
    finish_reason: Finish


class Completion(Record):
    """A reply."""

    id: str = Field(default_factory=lambda: fresh_id("chatcmpl-"))
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(default_factory=lambda: int(time.time()))
    model: str
    choices: tuple[CompletionChoice, ...]
    usage: Usage
    subgoal: str | None
    """What the turn is good for; null for agents without sub-goals."""
    certainty: float | None
    """The probability, 0 to 1, with which the student wrote its turn."""
    answered_by: str
    """Who wrote the message: the agent, or the LLM that was asked in its place."""


class ServedModel(Record):
    """The agent as a model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["subgoal"] = "subgoal"


class ServedModels(Record):
    """What is served."""

    object: Literal["list"] = "list"
    data: tuple[ServedModel, ...]


class SessionRequest(Received):
    """A request for a session."""

    task: str
    """What is to be done, worded as the tasks that the agent was trained on."""


class SessionOpened(Record):
    """An open session."""

    id: str
    agent: str
    """Who decides in it."""
    idle_seconds: float
    """It is closed when nobody uses it for so long."""


class SessionSeen(Received):
    """What is seen, and what became of the action before; only the first is needed."""

    observation: str
    """At first what is seen at all, later the answer to the action before."""
    look: str = ""
    """The place; empty: as told before."""
    inventory: str = ""
    """What the agent carries; empty: as told before."""
    valid_actions: list[str] = Field(default=[], max_length=100_000)
    """What the world knows now."""
    accepted: bool = True
    """False where the world did not know the action before."""
    entered: bool = False
    """True where the action before led into another place."""
    score: int = Field(default=0, ge=-100, le=100)
    """The world's score after it."""
    did: str = ""
    """What was done, where that is not the action before."""


class ServerError(Record):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorReply(Record):
    """The body of every reply that is no answer."""

    error: ServerError


def fresh_id(prefix: str) -> str:
    """Return an id that nothing else has."""
    return f"{prefix}{uuid4().hex}"
