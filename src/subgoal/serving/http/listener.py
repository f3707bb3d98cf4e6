"""Web servers of this package: how long a client may take to say what it wants, and how much.

h11 reads the requests, whatever else is installed: its headers are bounded in size.
"""

import asyncio
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedConnection(H11Protocol):
    """A connection that is closed where no whole header comes in time.

    uvicorn bounds the time between two requests alone; a client that sends its header byte by byte,
    or what belongs to a request that is answered already, would hold its connection for good.

    Args:
        seconds: How long a header may take, from its first byte, or from the beginning.
    """

    def __init__(self, *given: Any, seconds: float, **named: Any) -> None:
        super().__init__(*given, **named)
        self._seconds = seconds
        self._deadline: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _waits(self) -> bool:
        """Return whether nothing is at work here until the client has sent more."""
        return self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE

    def _watch(self) -> None:
        if not self._waits():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._seconds, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._waits():
            self.transport.close()


def web_server(app: ASGIApp, seconds: float, grace: int) -> uvicorn.Server:
    """Return a server that is ready to run; it logs to the loggers of the program.

    Args:
        app: What it answers with.
        seconds: How long the header of a request may take.
        grace: Seconds for what is under way when it is told to stop.
    """
    connection: Any = partial(BoundedConnection, seconds=seconds)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
    )
