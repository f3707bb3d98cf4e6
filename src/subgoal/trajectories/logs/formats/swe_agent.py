"""SWE-agent's `.traj` files: one JSON document per task.

The conversation is `history`, where a turn of the agent has its `thought` apart from its `action`
(or `tool_calls`); what it leaves out is in `trajectory` with `thought`, `action` and `observation`
(of a last step with calls of tools only its text, which is no call and is not taken). Source:
docs/usage/trajectories.md and sweagent/types.py of SWE-agent/SWE-agent.
"""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import LogFormat, identity, rest, rows, table
from subgoal.trajectories.logs.formats.message_parts import content
from subgoal.trajectories.logs.formats.openai_messages import message


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
        fields = rest(whole, "trajectory", "history", "replay_config", "attempts")
        if "exit_status" in info:
            fields["exit_status"] = info["exit_status"]
        messages = [_message(one) for one in history]
        steps = [table(one) for one in rows(whole.get("trajectory"))]
        yield LoggedConversation(
            id="", messages=(*messages, *_unsaid(messages, steps)), fields=fields
        )


def _message(record: Any) -> Message:
    held = table(record)
    read = message(held)
    if read.author is Author.ASSISTANT:
        thought, action = content(held.get("thought")), content(held.get("action"))
        said = action or read.text
        if read.calls and (thought or action):
            said = ""  # it is the thought, and the action spells the calls
        update = {"text": said, "thought": thought, "learned": not held.get("is_demo")}
        return read.model_copy(update=update)
    if read.author is Author.TOOL:
        answers = next(iter(rows(held.get("tool_call_ids"))), read.answers)
        return read.model_copy(update={"answers": identity(answers)})
    return read


def _unsaid(history: list[Message], steps: list[dict[str, Any]]) -> Iterator[Message]:
    """Yield what `history` leaves out: all of it, or the last step, such as `submit`."""
    turns = [one for one in history if one.author is Author.ASSISTANT]
    if not turns and steps:
        yield from (message(one) for one in rows(steps[0].get("query")) if table(one).get("role"))
        for one in steps:
            yield from _step(one)
    elif steps and not turns[-1].calls and turns[-1].text != steps[-1].get("action"):
        yield from _step(steps[-1])


def _step(step: dict[str, Any]) -> Iterator[Message]:
    yield Message(
        author=Author.ASSISTANT,
        text=content(step.get("action")) or content(step.get("response")),
        thought=content(step.get("thought")),
    )
    yield Message(author=Author.USER, text=content(step.get("observation")))
