"""The server at its address: opened, told to stop, and stopped once what is under way is done."""

import sys
from collections.abc import Callable
from typing import Any

from subgoal.evaluation.player import Player
from subgoal.serving.config import ServeConfig
from subgoal.serving.http.address import address_of, end_when_told, listening, token_at
from subgoal.serving.http.app import make_app
from subgoal.serving.http.journal import log_to
from subgoal.serving.http.listener import web_server
from subgoal.serving.service import Service
from subgoal.serving.view.local import WithPage


def serve(player: Player, config: ServeConfig, ready: Callable[[str], Any]) -> None:
    """Serve an agent until the process is told to stop (SIGTERM, SIGINT).

    Args:
        player: The agent.
        config: Where, and what is taken on.
        ready: Told the address once it is listened at.

    Raises:
        ConfigInvalid: The address cannot be listened at, or needs a token.
    """
    token = token_at(config.host)
    place = listening(config.host, config.port)
    _warm(player)
    app = WithPage(make_app(Service(player, config), token), player.agent, token)
    server = web_server(app, config.request_seconds, config.grace)
    with log_to(sys.stderr):
        end_when_told()
        ready(address_of(place))
        try:
            server.run(sockets=[place])
        finally:
            app.close()


def _warm(player: Player) -> None:
    """Let the student compute once: the first time takes longest."""
    with player.session("") as session:
        session.act("")
