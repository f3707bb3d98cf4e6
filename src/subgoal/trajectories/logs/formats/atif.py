"""ATIF, Harbor's Agent Trajectory Interchange Format: `trajectory.json`, versions 1.0 to 1.8.

A document has `schema_version`, `session_id` or `trajectory_id`, `agent` (with
`tool_definitions`), and `steps` of a `source`: user, system or agent. An agent's step has
`message`, `reasoning_content`, `tool_calls`, and what came of them in `observation.results`.
Copied context (`is_copied_context`) and steps without any call of a model (`llm_call_count` 0) are
read and not learned; each of `subagent_trajectories` is a conversation of its own. Source:
rfcs/0001-trajectory-format.md of harbor-framework/harbor.
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
    rest,
    rows,
    table,
    tools,
)
from subgoal.trajectories.logs.formats.message_parts import content

SOURCES = {"system": Author.SYSTEM, "user": Author.USER, "agent": Author.ASSISTANT}
"""Who wrote a step."""


class ATIF(LogFormat):
    """Harbor's Agent Trajectory Interchange Format."""

    name = "atif"

    @override
    def fits(self, record: Any) -> bool:
        whole = table(record)
        version, steps = whole.get("schema_version"), rows(whole.get("steps"))
        if isinstance(version, str) and version.startswith("ATIF"):
            return "steps" in whole
        return bool(steps) and all("source" in table(one) for one in steps)

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        yield from _documents(table(record), "")


def _documents(whole: dict[str, Any], parent: str) -> Iterator[LoggedConversation]:
    own = identity(whole.get("trajectory_id") or whole.get("session_id"))
    number = f"{parent}/{own}" if parent and own else own
    agent = table(whole.get("agent"))
    fields = rest(whole, "extra", "steps", "subagent_trajectories")
    if agent:
        fields["agent"] = rest(agent, "tool_definitions")
    extra = table(whole.get("extra"))
    yield LoggedConversation(
        id=number,
        messages=tuple(read for one in rows(whole.get("steps")) for read in _step(table(one))),
        tools=tools(agent.get("tool_definitions")),
        fields=fields | {f"{key}_" if key in fields else key: one for key, one in extra.items()},
    )
    for one in rows(whole.get("subagent_trajectories")):
        yield from _documents(table(one), number or "subagents")


def _step(step: dict[str, Any]) -> Iterator[Message]:
    author = SOURCES.get(str(step.get("source")))
    if author is None:
        raise Unreadable(SkipKind.MESSAGE, f"the source {step.get('source')!r}")
    called = [table(one) for one in rows(step.get("tool_calls"))]
    yield Message(
        author=author,
        text=content(step.get("message")),
        thought=content(step.get("reasoning_content")),
        calls=tuple(
            call(one.get("function_name"), one.get("arguments"), one.get("tool_call_id"))
            for one in called
        ),
        learned=not step.get("is_copied_context") and step.get("llm_call_count") != 0,
    )
    results = [table(one) for one in rows(table(step.get("observation")).get("results"))]
    for one in results:
        answers = identity(one.get("source_call_id"))
        called_for = bool(answers) or len(results) <= len(called)  # a terminal answers no call
        yield Message(
            author=Author.TOOL if called_for else Author.USER,
            text=content(one.get("content")),
            answers=answers,
        )
