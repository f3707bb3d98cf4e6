"""What a request must be before it is read: from somebody who may ask, in JSON, not too long.

The whole body is read here, within a time and a size, so that nobody behind waits for a slow one.
Without a token the server answers only requests that name this machine: a page in a browser cannot
ask it under another name.
"""

import asyncio
import hmac
import ipaddress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from subgoal.serving.http.replies import refusal
from subgoal.serving.refusals import ClientLeft, Refused

OPEN = "/health"
"""What may be asked without a token."""


def is_local(host: str) -> bool:
    """Return whether an address is this machine's own.

    Args:
        host: A name or a number.
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


class RequestGuard:
    """Lets requests through to an application.

    Args:
        app: The application.
        token: What clients must send; None: nothing, from this machine.
        most_bytes: Largest body.
        seconds: Within which it must have arrived.
    """

    def __init__(self, app: ASGIApp, token: str | None, most_bytes: int, seconds: float) -> None:
        self._app, self._most, self._seconds = app, most_bytes, seconds
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers = {name.lower(): value for name, value in scope["headers"]}
            self._check(scope["path"], headers)
            body = await self._body(scope["method"], headers, receive)
        except ClientLeft:
            return
        except Refused as error:
            await refusal(error)(scope, receive, send)
            return
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _check(self, path: str, headers: dict[bytes, bytes]) -> None:
        if path == OPEN:
            return
        if self._token is None:
            host = headers.get(b"host", b"localhost").decode("latin-1")
            if not is_local(_without_port(host)):
                raise Refused(403, "this server answers under this machine's own names", "host")
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
            challenge = {"www-authenticate": "Bearer"}
            raise Refused(401, "the token is missing or wrong", "invalid_api_key", None, challenge)

    async def _body(self, method: str, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        if method not in {"POST", "PUT", "PATCH"}:
            return b""
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise Refused(415, "send JSON, with the header Content-Type: application/json")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "send the body as it is, without a Content-Encoding")
        if int(headers.get(b"content-length", b"0") or 0) > self._most:
            raise self._too_long()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive)
        except TimeoutError:
            close = {"connection": "close"}
            raise Refused(
                408, f"no whole body within {self._seconds:g} seconds", headers=close
            ) from None

    async def _read(self, receive: Receive) -> bytes:
        parts, size, more = list[bytes](), 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(event.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                raise self._too_long()
            more = event.get("more_body", False)
        return b"".join(parts)

    def _too_long(self) -> Refused:
        close = {"connection": "close"}
        return Refused(413, f"a body may have {self._most:,} bytes", headers=close)


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
