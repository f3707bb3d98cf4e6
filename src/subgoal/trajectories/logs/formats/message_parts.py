"""Messages in parts: texts, thoughts, calls and results that stand in one list.

Anthropic's blocks, the parts of OpenTelemetry and OpenInference, and the items of OpenAI's
Responses name the same things differently. Sources: the API references of Anthropic's messages and
of OpenAI's responses; the JSON schemas of docs/gen-ai in OpenTelemetry's semantic conventions.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from subgoal.trajectories.logs.conversation import Author, Call, Message
from subgoal.trajectories.logs.formats.base import (
    SkipKind,
    Unreadable,
    call,
    identity,
    parsed,
    rows,
    table,
)

_TEXTS = {"text", "input_text", "output_text"}
_WORDLESS = {
    *("image", "image_url", "input_image", "image_file"),
    *("audio", "audio_url", "input_audio", "video", "video_url", "input_video"),
    *("file", "input_file", "document", "media", "blob", "uri"),
}
"""Kinds of parts that hold no words."""
_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_THOUGHTS = ("thinking", "content", "text", "summary")


class Parts(NamedTuple):
    """What the parts of one message hold."""

    text: str
    """What it says; images and the like are named in brackets, such as `[image_url]`."""
    thought: str
    """What was thought."""
    calls: list[Call]
    """What it calls."""
    results: list[Message]
    """Results of calls, which may stand in a message of the user."""
    unsaid: tuple[str, ...]
    """Kinds of the parts that are named only."""


def parts_of(value: Sequence[Any]) -> Parts:
    """Read the parts of a message.

    Args:
        value: Texts and objects with a `type`.

    Raises:
        Unreadable: A call among them cannot be read.
    """
    texts, thoughts, unsaid = list[str](), list[str](), list[str]()
    calls, results = list[Call](), list[Message]()
    for part in value:
        one = table(table(part).get("message_content")) or table(part)
        match one.get("type"):
            case "thinking" | "reasoning" | "reasoning.text" | "reasoning.summary":
                thoughts.append(_thought(one))
            case "redacted_thinking" | "reasoning.encrypted":
                pass  # nobody can read it
            case "tool_call" | "tool_use" | "function_call" | "custom_tool_call":
                calls.append(called(table(part) if "tool_call" in part else one))
            case "tool_call_response" | "tool_result":
                results.append(result(one))
            case "function_call_output" | "custom_tool_call_output":
                results.append(result(one))
            case _:
                texts.append(part if isinstance(part, str) else _said(one))
                unsaid += _unsaid([one])
    thought = "\n".join(filter(None, thoughts))
    return Parts("".join(texts), thought, calls, results, tuple(unsaid))


def thought_apart(text: str) -> tuple[str, str]:
    """Return the thought that a text begins with, as `<think>...</think>`, and the rest of it."""
    found = _THOUGHT.match(text)
    return (found[1].strip(), text[found.end() :]) if found else ("", text)


def called(record: Any) -> Call:
    """Read a call, whatever its parts are called.

    Args:
        record: With `name` and `arguments`, `input` or `args`, maybe inside a `function`.

    Raises:
        Unreadable: It names no tool, or its arguments are no JSON object.
    """
    held = table(parsed(record))  # some data sets keep each call as a text
    held = table(held.get("tool_call")) or held
    what = table(held.get("function")) or table(held.get("custom")) or held
    names = ("arguments", "input", "args", "parameters")
    given = next((what[name] for name in names if name in what), None)
    if held.get("type") in {"custom", "custom_tool_call"}:  # its input is any text
        given = {"input": given}
    return call(what.get("name"), given, held.get("call_id") or held.get("id"))


def content(value: Any) -> str:
    """Return a content as text: a string, nothing, or parts of which some are text.

    Args:
        value: The content; images and the like are named in brackets, such as `[image_url]`.

    Raises:
        Unreadable: It is none of these.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise Unreadable(SkipKind.MESSAGE, f"the content {str(value)[:60]!r}")
    return "".join(one if isinstance(one, str) else _said(table(one)) for one in rows(value))


def as_text(value: Any) -> str:
    """Return a text as it is, the text of parts, and any other value as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    parts = rows(value)
    if parts and all(table(one).get("type") in _TEXTS | _WORDLESS for one in parts):
        return content(value)
    return json.dumps(value, ensure_ascii=False)


def joined(messages: Iterable[Message]) -> list[Message]:
    """Return messages of which the agent's that follow each other are one turn.

    Args:
        messages: As they were logged: what was thought, said and called may stand apart.
    """
    whole = list[Message]()
    for one in messages:
        if whole and one.author is Author.ASSISTANT is whole[-1].author:
            last = whole.pop()
            one = one.model_copy(  # noqa: PLW2901
                update={
                    "text": "\n".join(filter(None, (last.text, one.text))),
                    "thought": "\n".join(filter(None, (last.thought, one.thought))),
                    "calls": (*last.calls, *one.calls),
                    "learned": last.learned and one.learned,
                }
            )
        whole.append(one)
    return whole


def _said(part: dict[str, Any]) -> str:
    held = [part[name] for name in ("text", "content", "refusal") if name in part]
    texts = [one for one in held if isinstance(one, str)]
    if texts:
        return max(texts, key=len)
    kind = part.get("type")
    if kind in _WORDLESS or str(kind).endswith("_call"):  # a search that the model's host made
        return f"[{kind}]"
    return json.dumps(part, ensure_ascii=False)


def _unsaid(parts: Iterable[Any]) -> tuple[str, ...]:
    """Return the kinds of parts that are named in brackets."""
    held = [table(one) for one in parts]
    return tuple(one["type"] for one in held if _said(one) == f"[{one.get('type')}]")


def _thought(part: dict[str, Any]) -> str:
    held = next((part[name] for name in _THOUGHTS if part.get(name)), None)
    return "\n".join(_said(table(one)) for one in rows(held)) or as_text(held)


def result(part: dict[str, Any]) -> Message:
    """Read the result of a call."""
    names = ("response", "result", "output", "content")
    answer = next((part[name] for name in names if name in part), None)
    numbers = (identity(part.get(name)) for name in ("tool_use_id", "call_id", "id"))
    number = next(filter(None, numbers), "")
    text, unsaid = as_text(answer), _unsaid(rows(answer))
    return Message(author=Author.TOOL, text=text, answers=number, unsaid=unsaid)
