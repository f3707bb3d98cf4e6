"""What this package itself writes: conversations, trajectories, and annotated trajectories.

The journals `conversations.jsonl`, `trajectories.jsonl` and `annotations.jsonl` of a run folder.
A conversation is taken as it is. In a trajectory a turn and what came of it are texts: its calls
have no ids.
"""

import json
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from subgoal.environments.registry import LOG
from subgoal.errors import DataCorrupt, said_by
from subgoal.trajectories.logs.answer_text import read_answer
from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import LogFormat, SkipKind, Unreadable, rows, table
from subgoal.trajectories.logs.turn_text import Turn, read_turn
from subgoal.trajectories.trajectory import Step, Trajectory


class Own(LogFormat):
    """What this package itself writes."""

    name = "own"

    @override
    def fits(self, record: Any) -> bool:
        whole = table(record)
        path = table(whole.get("trajectory")) or whole
        messages = rows(whole.get("messages"))
        return (
            _is_header(whole)
            or {"task", "steps", "stop_reason"} <= path.keys()
            or (bool(messages) and all("author" in table(one) for one in messages))
        )

    @override
    def read(self, record: Any) -> Iterator[LoggedConversation]:
        whole = table(record)
        if _is_header(whole):
            return
        try:
            if "messages" in whole:
                yield LoggedConversation.model_validate(whole)
            else:
                path = Trajectory.model_validate(table(whole.get("trajectory")) or whole)
                yield conversation_of(path)
        except (ValueError, TypeError) as error:
            raise Unreadable(SkipKind.MESSAGE, said_by(error)) from error


def _is_header(record: dict[str, Any]) -> bool:
    """Return whether it is the first line of a journal, which says what follows."""
    return str(record.get("format")).startswith("subgoal.")


def conversation_of(path: Trajectory) -> LoggedConversation:
    """Return a trajectory as a conversation: turns are messages, answers are what came back.

    Args:
        path: A log's, or a world's: then the agent's turns are its actions, and what it was shown
            at the beginning is the user's first message.
    """
    from subgoal.trajectories.logs.episode import system_prompt  # it imports the formats

    task = path.task
    tools = tuple(json.loads(task.tools)) if task.tools else ()
    logged = task.environment.startswith(LOG)
    opening = [
        Message(author=author, text=text)
        for author, text in (
            (Author.SYSTEM, system_prompt(task.description, tools)),
            (Author.USER, path.steps[0].look if path.steps else ""),
        )
        if text
    ]
    turns = (message for step in path.steps for message in _step(step, logged))
    return LoggedConversation(
        id=path.variant if logged and path.variant else path.key,
        messages=(*opening, *turns),
        tools=tools,
        reward=path.final_score / 100,
        fields={
            "task": task.model_dump(mode="json", exclude={"description", "tools"}),
            "stop_reason": str(path.stop_reason),
            "source": path.source,
        },
    )


def _step(step: Step, logged: bool) -> Iterator[Message]:
    try:
        turn = read_turn(step.action) if logged else Turn(step.action, ())
    except DataCorrupt:  # somebody else's text
        turn = Turn(step.action, ())
    learned = not step.injected
    yield Message(author=Author.ASSISTANT, learned=learned, **turn._asdict())
    for tool, text in read_answer([one.name for one in turn.calls], step.observation):
        author = Author.USER if tool is None else Author.TOOL
        yield Message(author=author, text=text, name=tool or "")
