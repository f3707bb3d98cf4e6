"""The official client of MCP gets what a session in the program gets."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import subgoal
from subgoal.agents.session import SessionStep
from subgoal.serving.records import SessionSeen

mcp: Any = pytest.importorskip("mcp")


async def _play(agent: Path, task: str, seen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Play an episode; the tools are checked beside."""
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "subgoal", "serve", "--mcp", "--agent", str(agent)],
        env=dict(os.environ),
    )
    async with mcp.Client(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"begin_task", "next_action", "end_task"}
        taken = tools["next_action"].input_schema["properties"].keys()
        assert taken == {"session", *SessionSeen.model_fields}
        given = tools["next_action"].output_schema["properties"].keys()
        assert given == {"session", *SessionStep.model_fields}
        first = await client.call_tool("begin_task", {"task": task, **seen[0]})
        session = first.structured_content["session"]
        told = [{"session": session, **one} for one in seen[1:]]
        steps = [first, *[await client.call_tool("next_action", one) for one in told]]
        await client.call_tool("end_task", {"session": session})
        lost = await client.call_tool("next_action", {"session": session, "observation": "?"})
        assert lost.is_error
        assert session in lost.content[0].text  # why, so that a client can mend it
        assert not any(step.is_error for step in steps)
    found = [step.structured_content for step in steps]
    assert {step.pop("session") for step in found} == {session}
    return found


def _same(agent: Path, task: str, seen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    with subgoal.load_agent(agent) as player, player.session(task) as session:
        return [session.act(**one).model_dump(mode="json") for one in seen]


def test_a_client_of_mcp_is_told_what_a_session_is_told(released: Path) -> None:
    task = "Bring the lamp to the hall."
    seen: list[dict[str, Any]] = [
        {"observation": "You are in the hall. You see a lamp.", "inventory": "nothing"},
        {"observation": "You do not know how.", "accepted": False, "valid_actions": ["wait"]},
        {"observation": "Done.", "look": "You are in the cellar.", "entered": True, "score": 20},
        {"observation": "You wait.", "did": "wait"},
    ]
    steps, same = asyncio.run(_play(released, task, seen)), _same(released, task, seen)
    assert steps == same


def test_what_an_agent_thinks_is_told_apart(thinking: Path) -> None:
    seen = [{"observation": "A room in Rome, please."}, {"observation": "room 12"}]
    steps = asyncio.run(_play(thinking, "You book rooms.", seen))
    assert steps == _same(thinking, "You book rooms.", seen)
    assert [(step["action"], step["thought"]) for step in steps] == [
        ('-> find(city="Rome")', "Hm."),
        ("-> book(room=12)", "Hm."),
    ]
