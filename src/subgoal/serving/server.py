"""The server at its address: opened, told to stop, and stopped once what is under way is done."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from subgoal.errors import ConfigInvalid
from subgoal.evaluation.player import Player
from subgoal.serving.app import make_app
from subgoal.serving.config import TOKEN, ServeConfig
from subgoal.serving.guard import is_local
from subgoal.serving.journal import LOGGER, JsonLines
from subgoal.serving.service import Service

_SHORTEST = 16


def token_of(config: ServeConfig) -> str | None:
    """Return the token that clients must send; None: none, on this machine.

    Raises:
        ConfigInvalid: The address needs one and there is none, or it is too short.
    """
    token = os.environ.get(TOKEN) or None
    if token is None and not is_local(config.host):
        raise ConfigInvalid(
            f"at {config.host} others can reach the agent: set the environment variable {TOKEN} to "
            "a token that clients must send, or leave --host out"
        )
    if token is not None and (len(token) < _SHORTEST or not token.isprintable()):
        raise ConfigInvalid(
            f"the token in {TOKEN} must have {_SHORTEST} characters or more, without line feeds"
        )
    return token


def serve(player: Player, config: ServeConfig, ready: Callable[[str], Any]) -> None:
    """Serve an agent until the process is told to stop (SIGTERM, SIGINT).

    Args:
        player: The agent.
        config: Where, and what is taken on.
        ready: Told the address once it is listened at.

    Raises:
        ConfigInvalid: The address cannot be listened at, or needs a token.
    """
    token = token_of(config)
    place = _listening(config)
    _warm(player)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    app = make_app(Service(player, config), token)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=config.grace,
        )
    )
    host, port = place.getsockname()[:2]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn hears them, and raises them again at last
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    try:
        server.run(sockets=[place])
    finally:
        LOGGER.removeHandler(handler)


def _listening(config: ServeConfig) -> socket.socket:
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((config.host, config.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigInvalid(
            f"{config.host}:{config.port} cannot be listened at ({error.strerror or error}); name "
            "another --host or --port"
        ) from error


def _warm(player: Player) -> None:
    """Let the student compute once: the first time takes longest."""
    with player.session("") as session:
        session.act("")
