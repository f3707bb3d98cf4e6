"""The page on a server of its own, or at `/` of an agent's server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from subgoal.agents.released import ReleasedAgent
from subgoal.serving.http.address import address_of, end_when_told, listening, token_at
from subgoal.serving.http.listener import web_server
from subgoal.serving.view.app import PATHS, view_app

_REQUEST_SECONDS = 30.0


def serve_view(
    folders: Sequence[Path],
    host: str,
    port: int,
    ready: Callable[[str], None],
    agents: Sequence[ReleasedAgent] = (),
) -> None:
    """Serve the page until it is interrupted.

    Args:
        folders: Run folders whose episodes are shown.
        host: Address to listen on.
        port: Port; 0: any that is free.
        ready: Is told the page's address.
        agents: Agents that are ready, to play, too.

    Raises:
        ConfigInvalid: The address cannot be had, or others can reach it and there is no token.
    """
    token = token_at(host)
    with listening(host, port) as place:
        end_when_told()
        ready(f"{address_of(place)}/" + (f"?token={token}" if token else ""))
        app = view_app(folders, token, agents)
        web_server(app, _REQUEST_SECONDS, grace=2).run(sockets=[place])


class WithPage:
    """An agent's server with the page at `/`: recorded and live episodes of the agent.

    The page has students of its own, loaded when somebody lets them play, so that it takes nothing
    from those that answer clients but processor time.

    Args:
        server: The server's application.
        agent: The agent; of a run folder, all of the run is shown.
        token: What has to be shown; None: nothing.
    """

    def __init__(self, server: ASGIApp, agent: ReleasedAgent, token: str | None) -> None:
        of_run = agent.folder.name == "students"
        folders, agents = ([agent.folder.parent], []) if of_run else ([], [agent])
        self._server, self._page = server, view_app(folders, token, agents)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        own = scope["type"] == "http" and scope["path"].startswith(PATHS)
        page = own or scope.get("path") == "/"
        await (self._page if page else self._server)(scope, receive, send)

    def close(self) -> None:
        """End what is played on the page."""
        self._page.state.close()
