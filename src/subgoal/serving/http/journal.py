"""A line of JSON for every request, and its share of the counters."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from subgoal.serving.metrics import Metrics

LOGGER = logging.getLogger("subgoal.serving")
"""Where the server's log goes."""
_UNKNOWN = "(none)"
_LEFT = 499
"""The status of a request that nobody waited for; nothing was answered."""


class JsonLines(logging.Formatter):
    """Writes a record as a line of JSON; what is secret never comes here."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def log_to(stream: TextIO) -> Iterator[None]:
    """Write what the server, and whatever it is built on, has to tell as lines of JSON.

    Args:
        stream: Where to.
    """
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)


class RequestLog:
    """Notes what became of each request.

    Args:
        app: What answers.
        metrics: Where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), _LEFT
        method = scope["method"]

        async def noted(event: Message) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
            await send(event)

        # A HEAD is a GET whose body is left out where it is sent.
        scope = {"state": {}, **scope, "method": "GET" if method == "HEAD" else method}
        try:
            with self._metrics.under_way.track_inprogress():
                await self._app(scope, receive, noted)
        except Exception:
            status = 500
            LOGGER.exception("failed")  # answered already, by the handler of all errors
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            told = {
                "method": method,
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
                **scope["state"].get("told", {}),
            }
            LOGGER.info("answered", extra={"told": told})
