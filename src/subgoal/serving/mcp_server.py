"""The agent as an MCP server: a client's LLM asks it for the next sub-goal and action."""

from collections.abc import Sequence

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import subgoal
from subgoal.agents.session import SessionStep
from subgoal.engines.base import never
from subgoal.errors import SubgoalError
from subgoal.evaluation.player import Player
from subgoal.serving.batcher import Batcher
from subgoal.serving.config import ServeConfig
from subgoal.serving.records import SessionRequest, SessionSeen
from subgoal.serving.refusals import Refused
from subgoal.serving.sessions import SessionDesk

_TOLD = (
    "A small agent that was trained for one job. Call begin_task with the task and what is seen; "
    "do what it says in your world, then call next_action with what came of it."
)


class NextAction(SessionStep):
    """What to do next."""

    session: str
    """What the next call names."""


def mcp_server(name: str, desk: SessionDesk) -> MCPServer:
    """Make the MCP server of an agent.

    Args:
        name: What the agent is called.
        desk: Its sessions.
    """
    server = MCPServer(name, instructions=_TOLD, version=subgoal.__version__, log_level="WARNING")

    def decided(session: str, seen: SessionSeen) -> NextAction:
        try:
            return NextAction(session=session, **dict(desk.step(session, seen, never)))
        except (Refused, SubgoalError) as error:
            raise ToolError(str(error)) from error

    @server.tool()
    def begin_task(task: str, observation: str, inventory: str = "") -> NextAction:
        """Begin a task: return its first sub-goal and action.

        Args:
            task: What is to be done.
            observation: What is seen.
            inventory: What is carried.
        """
        try:
            session = desk.create(SessionRequest(task=task))
        except Refused as error:
            raise ToolError(str(error)) from error
        return decided(session, SessionSeen(observation=observation, inventory=inventory))

    @server.tool()
    def next_action(
        session: str,
        observation: str,
        look: str = "",
        inventory: str = "",
        valid_actions: Sequence[str] = (),
        accepted: bool = True,
        entered: bool = False,
        score: int = 0,
        did: str = "",
    ) -> NextAction:
        """Return the next sub-goal and action, after what came of the last one.

        Args:
            session: As the call before returned it.
            observation: What came of the action.
            look: The place, where it has changed.
            inventory: What is carried, where it has changed.
            valid_actions: What could be done now.
            accepted: False where the action could not be done.
            entered: True where it led into another place.
            score: The world's score after it, 0 to 100.
            did: What was done, where that was something else.
        """
        seen = SessionSeen(
            observation=observation,
            look=look,
            inventory=inventory,
            valid_actions=list(valid_actions),
            accepted=accepted,
            entered=entered,
            score=score,
            did=did,
        )
        return decided(session, seen)

    @server.tool()
    def end_task(session: str) -> str:
        """End a task.

        Args:
            session: As the calls before returned it.
        """
        try:
            desk.close(session)
        except Refused as error:
            raise ToolError(str(error)) from error
        return "ended"

    return server


def serve_mcp(player: Player, config: ServeConfig) -> None:
    """Serve an agent over standard input and output until the client closes them.

    Args:
        player: The agent.
        config: How many sessions are taken on, and how long they may be idle.
    """
    with player, Batcher(player.threads, config.at_once) as batcher:
        desk = SessionDesk(player, batcher, config.sessions, config.session_idle)
        mcp_server(player.agent.name, desk).run("stdio")
        desk.clear()
