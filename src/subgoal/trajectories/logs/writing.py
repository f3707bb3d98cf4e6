"""Conversations written for other tools, so that reading them again loses nothing.

OpenAI's messages and ATIF are read by `formats`; what neither has a place for stands beside:
fields of the log at the top (ATIF: in `extra`), sub-goals as `subgoals`, pairs of a text and the
number of its last turn.
"""

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.formats.atif import SOURCES
from subgoal.trajectories.logs.formats.base import table

Subgoals = Sequence[tuple[str, int]]
"""Sub-goals, each with the number of its last turn, from 1."""

VERSION = "ATIF-v1.7"
"""The version of ATIF that is written."""
_REQUEST = ("tools", "functions", "request", "response", "choices", "role", "from")
_TAKEN = {"id", "messages", "system", *_REQUEST}
_ROOT = ("session_id", "agent", "notes", "final_metrics", "continued_trajectory_ref")
_SOURCES = {author: source for source, author in SOURCES.items()}


class LogForm(StrEnum):
    """A format that conversations are written in."""

    MESSAGES = "messages"
    """OpenAI's messages, one conversation a line."""
    ATIF = "atif"
    """Harbor's Agent Trajectory Interchange Format, one document a conversation."""


def written(one: LoggedConversation, subgoals: Subgoals, form: LogForm) -> dict[str, Any]:
    """Return a conversation as a JSON object of a format.

    Args:
        one: The conversation.
        subgoals: Its sub-goals; empty: it has none.
        form: The format.
    """
    fields = dict(one.fields)
    if one.reward is not None:
        fields["reward"] = one.reward
    if subgoals:
        fields["subgoals"] = [list(pair) for pair in subgoals]
    return _WRITERS[form](one, fields, dict(_beginnings(subgoals)))


def _beginnings(subgoals: Subgoals) -> list[tuple[int, str]]:
    """Return the number of the first turn of each sub-goal."""
    firsts = [0, *(last for _, last in subgoals)]
    return [(first, text) for first, (text, _) in zip(firsts, subgoals, strict=False)]


def _as_messages(
    one: LoggedConversation, fields: dict[str, Any], _: dict[int, str]
) -> dict[str, Any]:
    tools = {"tools": list(one.tools)} if one.tools else {}
    named = {f"{key}_" if key in _TAKEN else key: value for key, value in fields.items()}
    return {"id": one.id, "messages": [_message(said) for said in one.messages], **tools, **named}


def _message(said: Message) -> dict[str, Any]:
    assistant = said.author is Author.ASSISTANT
    held = {
        "content": said.text if said.text or not said.calls else None,
        "reasoning_content": said.thought,
        "tool_calls": [_call(one) for one in said.calls],
        "tool_call_id": said.answers,
        "name": said.name,
    }
    kept = {key: value for key, value in held.items() if value or key == "content"}
    unlearned = {"weight": 0} if assistant and not said.learned else {}
    return {"role": str(said.author), **kept, **unlearned}


def _call(one: Call) -> dict[str, Any]:
    number = {"id": one.id} if one.id else {}
    what = {"name": one.name, "arguments": json.dumps(one.arguments, ensure_ascii=False)}
    return {**number, "type": "function", "function": what}


def _as_atif(
    one: LoggedConversation, fields: dict[str, Any], begins: dict[int, str]
) -> dict[str, Any]:
    own = str(fields.get("schema_version", "")).startswith("ATIF")  # it was a document of this kind
    root = {key: fields.pop(key) for key in _ROOT if own and key in fields}
    if own:
        del fields["schema_version"]
        fields.pop("trajectory_id", None)
    agent = {"name": "unknown", "version": "unknown", **table(root.pop("agent", None))}
    if one.tools:
        agent["tool_definitions"] = list(one.tools)
    return {
        "schema_version": VERSION,
        "session_id": one.id,
        "trajectory_id": one.id,
        **root,
        "agent": agent,
        "steps": _steps(one.messages, begins),
        "extra": fields,
    }


def _steps(messages: Sequence[Message], begins: dict[int, str]) -> list[dict[str, Any]]:
    steps, turns = list[dict[str, Any]](), list[dict[str, Any]]()
    for said in messages:
        if said.author is Author.TOOL and turns:
            _observe(turns[-1], said)
            continue
        step = _step(said, len(steps) + 1)
        steps.append(step)
        if said.author is Author.ASSISTANT:
            if len(turns) in begins:
                step["extra"] = {"subgoal": begins[len(turns)]}
            turns.append(step)
    return steps


def _step(said: Message, number: int) -> dict[str, Any]:
    step: dict[str, Any] = {
        "step_id": number,
        "source": _SOURCES.get(said.author, "user"),
        "message": said.text,
    }
    if said.thought:
        step["reasoning_content"] = said.thought
    if said.calls:
        step["tool_calls"] = [
            {
                "tool_call_id": one.id or f"call-{number}-{place}",
                "function_name": one.name,
                "arguments": one.arguments,
            }
            for place, one in enumerate(said.calls, start=1)
        ]
    if said.author is Author.ASSISTANT and not said.learned:
        step["is_copied_context"] = True
    return step


def _observe(turn: dict[str, Any], said: Message) -> None:
    """Add the result of a call to its turn; without an id it is that of the next call."""
    results = turn.setdefault("observation", {"results": []})["results"]
    numbers = [one["tool_call_id"] for one in turn.get("tool_calls", [])]
    answers = said.answers if said.answers in numbers else next(iter(numbers[len(results) :]), None)
    named = {"source_call_id": answers} if answers else {}
    results.append({**named, "content": said.text})


_WRITERS: dict[
    LogForm, Callable[[LoggedConversation, dict[str, Any], dict[int, str]], dict[str, Any]]
] = {LogForm.MESSAGES: _as_messages, LogForm.ATIF: _as_atif}
