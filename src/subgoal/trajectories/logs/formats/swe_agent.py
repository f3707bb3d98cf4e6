"""SWE-agent's `.traj` files: one JSON document per task.

The conversation is `history`, where a turn of the agent has its `thought` apart from its `action`
(or `tool_calls`); without it, `trajectory` with `thought`, `action` and `observation`. Source:
docs/usage/trajectories.md and sweagent/types.py of SWE-agent/SWE-agent.
"""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.plain_text import storable
from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import LogFormat, clean, rows, scalars, table
from subgoal.trajectories.logs.formats.openai_messages import content, message


class SWEAgent(LogFormat):
    """SWE-agent's `.traj` files."""

    name = "swe-agent"

    @override
    def fits(self, record: Any) -> bool:
        whole = table(record)
        steps, history = rows(whole.get("trajectory")), rows(whole.get("history"))
        return (
            bool(steps) and all({"action", "observation"} <= table(one).keys() for one in steps)
        ) or (bool(history) and all("role" in table(one) for one in history))

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        info = table(whole.get("info"))
        history = rows(whole.get("history"))
        fields = scalars(whole, "trajectory", "history", "replay_config")
        if "exit_status" in info:
            fields["exit_status"] = clean(info["exit_status"])
        yield LoggedConversation(
            id="",
            messages=tuple(map(_message, history) if history else _steps(whole)),
            fields=fields,
        )


def _message(record: Any) -> Message:
    held = table(record)
    read = message(held)
    if read.author is Author.ASSISTANT:
        thought, action = content(held.get("thought")), content(held.get("action"))
        said = "" if read.calls else action or read.text
        update = {"text": said, "thought": thought, "learned": not held.get("is_demo")}
        return read.model_copy(update=update) if thought or action else read
    if read.author is Author.TOOL:
        answers = next(iter(rows(held.get("tool_call_ids"))), read.answers)
        return read.model_copy(update={"answers": clean(str(answers))})
    return read


def _steps(whole: dict[str, Any]) -> Iterator[Message]:
    """Make the conversation of `trajectory`: its first query, then actions and observations."""
    steps = [table(one) for one in rows(whole.get("trajectory"))]
    yield from (message(one) for one in rows(steps[0].get("query")) if table(one).get("role"))
    for one in steps:
        thought, action = content(one.get("thought")), content(one.get("action"))
        yield Message(
            author=Author.ASSISTANT,
            text=action or content(one.get("response")),
            thought=thought,
        )
        yield Message(author=Author.USER, text=storable(content(one.get("observation"))))
