"""Where a server listens, and who may ask it there."""

import errno
import os
import signal
import socket

from subgoal.errors import ConfigInvalid
from subgoal.serving.config import TOKEN
from subgoal.serving.http.guard import is_local

_SHORTEST = 16


def token_at(host: str) -> str | None:
    """Return the token that clients must send; None: none, on this machine.

    Args:
        host: Where the server is to listen.

    Raises:
        ConfigInvalid: The address needs one and there is none, or it is too short.
    """
    token = os.environ.get(TOKEN) or None
    if token is None and not is_local(host):
        raise ConfigInvalid(
            f"at {host} others can reach the server: set the environment variable {TOKEN} to a "
            "token that clients must send, or leave --host out"
        )
    if token is not None and (len(token) < _SHORTEST or not token.isprintable()):
        raise ConfigInvalid(
            f"the token in {TOKEN} must have {_SHORTEST} characters or more, without line feeds"
        )
    return token


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigInvalid: The address cannot be listened at.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Named, TCP is what asyncio sends without delay: else each answer waits 40 ms for the
        # acknowledgement of its headers.
        place = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind((host, port))
            place.listen(2048)
        except OSError:
            place.close()
            raise
        return place
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigInvalid(
                f"port {port} of {host} is in use, by another server perhaps; name another with "
                "--port (0: any that is free)"
            ) from error
        raise ConfigInvalid(
            f"nothing can listen at {host}:{port} ({error.strerror or error}); name another --host "
            "or --port"
        ) from error


def address_of(place: socket.socket) -> str:
    """Return the address of a socket that listens: `http://127.0.0.1:8000`."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def end_when_told() -> None:
    """Let a server end like a command that is done, where it is told to (SIGTERM, SIGINT)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn hears them, and raises them again at last
