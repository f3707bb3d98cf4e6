"""A server that answers with whatever bytes a test wants, over a real socket."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


Answering = Callable[[Asked], bytes | Iterable[bytes]]


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each request by a function; a connection for each."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: list[Asked] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def handle_error(self, request, client_address):
        pass


class _Handler(socketserver.StreamRequestHandler):
    server: RawServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def handle(self) -> None:
        line = self.rfile.readline().decode().strip()
        headers = {}
        while text := self.rfile.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(line, headers, body)
        self.server.asked.append(asked)
        answer = self.server.answering(asked)
        for part in [answer] if isinstance(answer, bytes) else answer:
            self.wfile.write(part)
            self.wfile.flush()


@contextmanager
def serving(answering: Answering):
    with RawServer(answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def reply(body: Any, status: int = 200, **headers: str) -> bytes:
    """Return a whole HTTP reply; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def completion(text: str = "hello", **changes: Any) -> dict[str, Any]:
    """Return a chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"choices": [choice], "usage": usage, **changes}
