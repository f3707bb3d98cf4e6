"""`subgoal serve`: an agent answers where an LLM was asked."""

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from subgoal.agents.config import AgentName
from subgoal.cli.output import say
from subgoal.errors import ConfigInvalid, install
from subgoal.serving.agents import open_agent
from subgoal.serving.config import ServeConfig

if TYPE_CHECKING:
    from subgoal.evaluation.player import Player


class ServeOptions(ServeConfig):
    """Serve an agent: whoever asks an LLM for the next message of an agent loop changes its URL.

    It speaks OpenAI's chat completions (`/v1`), tools and streams included; `/docs` has the rest.
    Ctrl-C or SIGTERM ends it, once what is under way is done. A line of JSON per request goes to
    standard error.
    Example: subgoal serve --agent scienceworld
    """

    agent: str = "scienceworld"
    """Who answers: an agent that is ready, by name or folder, or the folder of a run."""
    kind: AgentName | None = None
    """Of a run folder: `hierarchical` or `flat`; left out: the hierarchical one, if there is."""

    mcp: bool = False
    """Serve MCP over standard input and output instead: a client's LLM asks for the next sub-goal
    and action."""


OPTIONS = ServeOptions


def command(options: ServeOptions) -> None:
    """Run the verb; serves until it is interrupted."""
    needed = ("mcp",) if options.mcp else ("fastapi", "uvicorn", "prometheus_client")
    for package in needed:
        if find_spec(package) is None:
            raise ConfigInvalid(install(package, "serve"))
    if options.mcp:
        from subgoal.serving.mcp_server import serve_mcp

        serve_mcp(open_agent(options.agent, options.kind), options)
        return
    from subgoal.serving.http.address import token_at
    from subgoal.serving.http.server import serve

    token_at(options.host)
    player = open_agent(options.agent, options.kind)
    serve(player, options, lambda address: _ready(player, address))


def _ready(player: "Player", address: str) -> None:
    say(f"the agent {player.agent.name} listens at {address}", "bold")
    say(f"  base_url={address}/v1; {address}/ shows it at play")
    sys.stdout.flush()
