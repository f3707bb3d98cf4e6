"""A conversation as a trajectory: turns of the agent as actions, what comes back as answers.

The world of a log, `log:NAME`, cannot be stepped. System prompt and tools are the task's
description, and the tools stand beside it as they are, for chat templates. What was said before the
agent's first turn is what it sees at the beginning; several results of one turn stand in the order
of its calls.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from subgoal.environments.base import StopReason, Task
from subgoal.trajectories.logs.answer_text import AnswerPart, write_answer
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.formats.base import SkipKind, Unreadable, rows, table
from subgoal.trajectories.logs.turn_text import write_turn
from subgoal.trajectories.trajectory import Step, Trajectory

SOURCE = "log"
"""The source of such trajectories."""


def trajectory(
    conversation: LoggedConversation,
    world: str,
    name: str,
    group: int,
    score: int,
    learned: bool,
    thoughts: bool = False,
) -> Trajectory:
    """Make the trajectory of a conversation.

    Args:
        conversation: The conversation, of at least one turn.
        world: The log's name as a world: `log:airline`.
        name: Its task type.
        group: The number of its group, as the task's variation: those of one group are never apart.
        score: How well it went, -100 to 100.
        learned: Whether it is good enough to learn from.
        thoughts: Whether a turn begins with what was thought.

    Raises:
        Unreadable: A result answers no call of the turn before it.
    """
    told = course_of(conversation)
    steps: list[Step] = []
    for number, (turn, answer) in enumerate(told.turns, start=1):
        steps.append(
            Step(
                action=write_turn(turn.text, turn.calls, turn.thought if thoughts else ""),
                observation=answer,
                score=score if number == len(told.turns) else 0,
                moves=number,
                look="" if steps else told.opening,
                inventory="",
                injected=not turn.learned or not (turn.text or turn.calls),
            )
        )
    return Trajectory(
        task=Task(
            environment=world,
            name=name,
            variation=group,
            split="train",
            description=told.description,
            tools=told.tools,
        ),
        steps=tuple(steps),
        stop_reason=StopReason.SOLVED if learned else StopReason.FAILED,
        final_score=score,
        source=SOURCE,
        variant=conversation.id,
    )


class Course(NamedTuple):
    """What an agent is told in a conversation, and what it does."""

    description: str
    """What it is set up with: system prompt and tools."""
    tools: str
    """The tools, as a task has them."""
    opening: str
    """What is said before its first turn."""
    turns: list[tuple[Message, str]]
    """Its turns, each with what comes back."""


def course_of(conversation: LoggedConversation) -> Course:
    """Return the course of a conversation.

    Args:
        conversation: The conversation; it may have no turn yet.

    Raises:
        Unreadable: A result answers no call of the turn before it.
    """
    told, opening = list[str](), list[Message]()
    turns: list[tuple[Message, list[Message]]] = []
    for one in conversation.messages:
        if one.author is Author.ASSISTANT:
            turns.append((one, []))
        elif turns:
            turns[-1][1].append(one)
        elif one.author is Author.SYSTEM:
            told.append(one.text)
        elif one.author is Author.TOOL:
            raise Unreadable(SkipKind.RESULT, f"{one.answers or one.name or 'it'} comes first")
        else:
            opening.append(one)
    tools = conversation.tools
    return Course(
        "\n\n".join([*told, *tool_lines(tools)]),
        json.dumps(tools, ensure_ascii=False) if tools else "",
        _said(opening),
        [(turn, _answer(turn.calls, answers)) for turn, answers in turns],
    )


def _said(messages: Iterable[Message]) -> str:
    return "\n".join(one.text for one in messages)


def _answer(calls: Sequence[Call], messages: Sequence[Message]) -> str:
    """Return what came back: results in the order of the calls, then what else was said."""
    results = in_order(calls, [one for one in messages if one.author is Author.TOOL])
    said = [one.text for one in messages if one.author is not Author.TOOL]
    numbers = _places(calls)
    parts = [
        AnswerPart(calls[numbers.get(one.answers, place)].name, one.text)
        for place, one in enumerate(results)
    ]
    if said:
        parts.append(AnswerPart(None, "\n".join(said)))
    return write_answer([one.name for one in calls], parts)


def in_order(calls: Sequence[Call], results: Sequence[Message]) -> list[Message]:
    """Return results in the order of their calls.

    Args:
        calls: The calls of one turn.
        results: What came back, in any order; without ids in the order of the calls.

    Raises:
        Unreadable: A result answers none of the calls.
    """
    places = _places(calls)
    lost = next((one for one in results if one.answers and one.answers not in places), None)
    if lost is not None and places:
        raise Unreadable(SkipKind.RESULT, f"the result of {lost.answers}")
    if len(results) > len(calls):
        raise Unreadable(SkipKind.RESULT, f"{len(results)} results of {len(calls)} calls")
    return sorted(results, key=lambda one: places.get(one.answers, len(places)))


def _places(calls: Sequence[Call]) -> dict[str, int]:
    """Return the place of each call by its id; nothing where two have one id."""
    places = {one.id: place for place, one in enumerate(calls) if one.id}
    return places if len(places) == sum(bool(one.id) for one in calls) else {}


def system_prompt(description: str, tools: Iterable[dict[str, Any]]) -> str:
    """Return a task's description without its tools.

    Args:
        description: That of a conversation's task.
        tools: The task's tools.
    """
    return description.removesuffix("".join(tool_lines(tools))).removesuffix("\n\n")


def tool_lines(tools: Iterable[dict[str, Any]]) -> list[str]:
    """Describe tools, one a line, such as `find(city: string, n?: integer): Finds hotels`.

    Args:
        tools: As a chat template takes them.
    """
    lines = [_tool(table(one.get("function")) or one) for one in tools]
    return ["\n".join(["Tools:", *lines])] if lines else []


def _tool(tool: dict[str, Any]) -> str:
    schema = table(tool.get("parameters")) or table(tool.get("input_schema"))
    required = set(rows(schema.get("required")))
    arguments = (
        f"{name}{'' if name in required else '?'}: {_kind(table(kind))}"
        for name, kind in table(schema.get("properties")).items()
    )
    what = " ".join(str(tool.get("description") or "").split())
    return f"{tool.get('name', '?')}({', '.join(arguments)}){': ' if what else ''}{what}"


def _kind(schema: dict[str, Any]) -> str:
    allowed = rows(schema.get("enum"))
    if allowed:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in allowed)
    return str(schema.get("type", "any"))
