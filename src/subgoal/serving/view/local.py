"""The page on a server of its own, on this machine."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import uvicorn

from subgoal.connections.server_access import is_here
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.player import Player
from subgoal.serving.view.app import view_app

TOKEN = "SUBGOAL_TOKEN"  # noqa: S105 - the name of the variable that holds it
"""The environment variable with what has to be shown, where others can reach the server."""


def serve_view(
    folders: Sequence[Path],
    host: str,
    port: int,
    ready: Callable[[str], None],
    players: Mapping[str, Player] | None = None,
) -> None:
    """Serve the page until it is interrupted.

    Args:
        folders: Run folders whose episodes are shown.
        host: Address to listen on.
        port: Port; 0: any that is free.
        ready: Is told the page's address.
        players: Agents that are open already, by name, who play, too.

    Raises:
        ConfigInvalid: The address cannot be had, or others can reach it and there is no token.
    """
    token = os.environ.get(TOKEN, "")
    others = not is_here(host) or host in {"0.0.0.0", "::"}  # noqa: S104 - it is refused
    if others and not token:
        raise ConfigInvalid(
            f"at {host} others can reach the page: set the environment variable {TOKEN} to what "
            "they have to show, or leave --host out"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # who is told the address may ask at once
    except OSError as error:
        listening.close()
        said = f"{host}:{port} cannot be had ({error.strerror}); choose another --port or --host"
        raise ConfigInvalid(said) from error
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else ""))
    app = view_app(folders, [host, socket.gethostname()] if others else [], token, players)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
