"""The official client of MCP gets what a session in the program gets."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import subgoal

mcp: Any = pytest.importorskip("mcp")

TASK = "Bring the lamp to the hall."
SEEN = ["You are in the hall. You see a lamp.", "Done.", "You wait."]


async def _play(agent: Path) -> tuple[list[dict[str, Any]], bool]:
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "subgoal", "serve", "--mcp", "--agent", str(agent)],
        env=dict(os.environ),
    )
    async with mcp.Client(server) as client:
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == {"begin_task", "next_action", "end_task"}
        first = {"task": TASK, "observation": SEEN[0]}
        steps = [(await client.call_tool("begin_task", first)).structured_content]
        session = steps[0]["session"]
        for text in SEEN[1:]:
            told = {"session": session, "observation": text}
            steps.append((await client.call_tool("next_action", told)).structured_content)
        await client.call_tool("end_task", {"session": session})
        lost = await client.call_tool("next_action", {"session": session, "observation": "?"})
        return steps, lost.is_error


def test_a_client_of_mcp_is_told_sub_goal_and_action(released: Path) -> None:
    with subgoal.load_agent(released) as agent, agent.session(TASK) as session:
        same = [session.act(text) for text in SEEN]
    steps, lost = asyncio.run(_play(released))
    assert [(step["action"], step["subgoal"]) for step in steps] == [
        (one.action, one.subgoal) for one in same
    ]
    assert len({step["session"] for step in steps}) == 1
    assert lost
