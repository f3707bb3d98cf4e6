"""Who may ask the local server: this machine's own pages, and whoever holds the token.

A page of the network must not reach it through a name that it lets point here (DNS rebinding), nor
send it anything; and nothing that a world or a model wrote may run as a script.
"""

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from subgoal.serving.http.guard import is_local

COOKIE = "subgoal_view"
"""Holds the token in a browser that was given it once."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: its own script and style."""
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_OWN = {"same-origin", "none"}
"""Where a request comes from: a page of this server, or no page at all."""
MOST_BYTES = 100_000
"""Most bytes of what is sent to the server."""


class PageGuard:
    """Refuses whoever may not ask, and says in every answer what a page may do.

    Args:
        app: What is guarded.
        token: What has to be shown, under whatever name it is reached; None: nothing, and it is
            reached under this machine's own names alone.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, sealed)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._token is None and not is_local(_name(headers.get("host", ""))):
            return PlainTextResponse("this server is not reached under that name\n", 403)
        asked_by = headers.get("sec-fetch-site", "none")
        if asked_by not in _OWN and headers.get("sec-fetch-mode") != "navigate":
            return PlainTextResponse("only this server's own page may ask that\n", 403)
        if scope["method"] not in {"GET", "HEAD"} and not _own_page(headers):
            return PlainTextResponse("only this server's own page may send that\n", 403)
        return None if self._token is None else self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] == "GET" and self._is(given):
            answer = RedirectResponse(scope["path"], 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return answer
        shown = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is(shown) or self._is(_cookie(headers)):
            return None
        said = "show the token: open this address with ?token=... behind it\n"
        return PlainTextResponse(said, 401, {"www-authenticate": "Bearer"})

    def _is(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self._token or "").encode())


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        held = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return held[COOKIE].value if COOKIE in held else ""


def _own_page(headers: Headers) -> bool:
    """Return whether a request comes from a page of this server, or from no page at all."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return False
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return False  # what other pages may send without asking first
    if headers.get("sec-fetch-site", "none") not in _OWN:
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
