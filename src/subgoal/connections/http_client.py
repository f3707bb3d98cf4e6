"""HTTP to servers that are not trusted: teachers, and servers of students.

The `openai` SDK speaks the protocol; this is the client underneath it. Secrets are put on at the
last moment, so that no log, error or traceback above it holds them. Nothing is sent to another
origin than the one that was configured. A reply is read whole, within a time and a size. Proxies
of the environment are used, but not for this machine's own addresses.
"""

import asyncio
import json
import zlib
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from subgoal.connections.secret import sendable
from subgoal.connections.server_access import Access, origin, proxy_for
from subgoal.errors import ConfigInvalid

_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}
_READ_HERE = {"content-encoding", "content-length", "transfer-encoding"}
MOST_BYTES = 8 * 2**20
"""What a reply may have, unpacked: many times what any reply here needs."""
_EITHER = 47
"""zlib's number for "a gzip or a zlib header"."""


class BrokenReply(Exception):
    """A server's reply is none: too long, damaged, or in a form that was not asked for."""


class RedirectRefused(Exception):
    """A server sends us to another origin; nothing was sent there."""


def open_client(
    sdk: Any, access: Access, seconds: float, most_bytes: Callable[[str], int], **options: Any
) -> Any:
    """Open an asynchronous client of the `openai` SDK on a server.

    Args:
        sdk: The module `openai`.
        access: Where the server is, and what it is reached with.
        seconds: Time for a whole reply.
        most_bytes: Gives the most bytes of a reply, unpacked, for a request's path.
        options: Further arguments of `openai.AsyncOpenAI`.

    Raises:
        ConfigInvalid: A proxy of the environment cannot be used.
    """
    httpx = _httpx(sdk)
    proxy = proxy_for(access.url)
    try:
        inner = httpx.AsyncHTTPTransport(
            proxy=proxy.url if proxy else None,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        )
    except ImportError:
        raise ConfigInvalid(
            f"{proxy and proxy.variable} names a SOCKS proxy, which needs the package socksio: "
            "pip install socksio, or unset the variable"
        ) from None
    transport = GuardedTransport(httpx, inner, access, seconds, most_bytes)
    return sdk.AsyncOpenAI(
        api_key="none",  # the transport puts on the real one
        base_url=access.url,
        timeout=seconds,
        http_client=sdk.DefaultAsyncHttpxClient(transport=transport, follow_redirects=True),
        **options,
    )


def raw_reply(sdk: Any) -> Any:
    """Return the type that the SDK's `get` and `post` cast to, to give a reply as it came."""
    return _httpx(sdk).Response


def read_json(data: bytes) -> Any:
    """Read JSON that a server sent.

    Bytes that are no UTF-8 become U+FFFD: a reply that was paid for is not lost for one of them.

    Raises:
        BrokenReply: It is no JSON, or nested deeper than a reply can be.
    """
    try:
        return json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise BrokenReply("it is no JSON") from None


class GuardedTransport:
    """Sends requests as `httpx` wants them sent, and holds what is true for each of them.

    Args:
        httpx: The module that the SDK is built on.
        inner: Its transport.
        access: What the server is reached with.
        seconds: Time for a whole reply.
        most_bytes: Gives the most bytes of a reply for a request's path.
    """

    def __init__(
        self,
        httpx: Any,
        inner: Any,
        access: Access,
        seconds: float,
        most_bytes: Callable[[str], int],
    ) -> None:
        self._httpx, self._inner, self._access = httpx, inner, access
        self._seconds, self._most_bytes = seconds, most_bytes
        self._home = self._origin(httpx.URL(access.url))

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request with its secrets; return the whole reply.

        Raises:
            RedirectRefused: The server sends us to another origin.
            BrokenReply: The reply is too long, or cannot be unpacked.
            ConfigInvalid: A header that the SDK read from the environment cannot be sent.
        """
        most = self._most_bytes(request.url.path)
        if self._origin(request.url) != self._home:  # as it is sent, however a redirect was read
            raise _elsewhere(f"{request.url.scheme}://{request.url.host}")
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._inner.handle_async_request(await self._with_secrets(request))
                try:
                    self._check_redirect(str(request.url), response)
                    body = await _whole(response, most)
                finally:
                    await response.aclose()
        except TimeoutError:
            message = f"no whole reply within {self._seconds:g} seconds"
            raise self._httpx.ReadTimeout(message, request=request) from None
        headers = [pair for pair in response.headers.multi_items() if pair[0] not in _READ_HERE]
        return self._httpx.Response(response.status_code, headers=headers, content=body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)

    async def _with_secrets(self, request: Any) -> Any:
        access = self._access
        headers = {
            name: sendable(value, f"the header '{name}'")
            for name, value in request.headers.items()
            if name != "authorization"
        } | {"accept-encoding": "gzip"}
        given = {name: value.encode("latin-1") for name, value in access.headers.items()}
        body = {"stream": request.stream}
        if access.fields and request.method == "POST":
            content: bytes = await request.aread()
            for mark, secret in access.fields.items():
                content = content.replace(mark, secret)
            body = {"content": content}
            headers["content-length"] = str(len(content))
        return self._httpx.Request(
            request.method,
            request.url.copy_merge_params(access.query) if access.query else request.url,
            headers={**headers, **given},
            extensions=request.extensions,
            **body,
        )

    @staticmethod
    def _origin(url: Any) -> tuple[str, str, int | None]:
        return url.scheme, url.host, url.port

    def _check_redirect(self, url: str, response: Any) -> None:
        location = response.headers.get("location")
        if not 300 <= response.status_code < 400 or location is None:
            return
        try:
            target = urlsplit(urljoin(url, location))
            if origin(target) == origin(urlsplit(url)):
                return
            where = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
        except ValueError:
            where = "an address that is none"
        raise _elsewhere(where)


def _elsewhere(where: str) -> RedirectRefused:
    return RedirectRefused(f"it redirects to {where}, another server than was configured")


def _httpx(sdk: Any) -> Any:
    """Return the module that the SDK sends with: `httpx`, or what has taken its place."""
    return import_module(sdk.DefaultAsyncHttpxClient.__bases__[0].__module__.partition(".")[0])


async def _whole(response: Any, most: int) -> bytes:
    """Read a reply's body, unpacked, of at most so many bytes."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise BrokenReply("it is packed in a way that was not asked for")
    unpack = zlib.decompressobj(_EITHER) if encoding not in {"", "identity"} else None
    body, received = bytearray(), 0
    async for part in response.stream:
        received += len(part)
        try:
            body += unpack.decompress(part, most + 1 - len(body)) if unpack else part
        except zlib.error:
            raise BrokenReply("it cannot be unpacked") from None
        if max(received, len(body)) > most:
            raise BrokenReply(f"it is longer than {most:,} bytes")
    if unpack and received and not unpack.eof:
        raise BrokenReply("it ends in the middle")
    return bytes(body)
