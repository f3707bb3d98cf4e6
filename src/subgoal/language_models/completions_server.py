"""A server of students: any engine behind `/v1/completions`, the protocol of vLLM.

Requests that wait while the engine computes are answered together in the next batch, and a text
that goes on where an earlier one ended finds its prefix computed. Prompts may be token ids; token
ids come back where `return_token_ids` asks for them.
"""

import hmac
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, Field, ValidationError
from typing_extensions import override

from subgoal.errors import EngineFailed, SubgoalError
from subgoal.language_models.engine import Engine, Generated, Generation, Stream

_KEPT = 64
"""So many texts stay computed, and so many requests make a batch at most."""
_MOST_BYTES = 2**24
"""A longer request is refused unread."""
_ONLY = 100
"""A bias from which on nothing but the biased tokens comes."""


class ServedStudent(NamedTuple):
    """A student to serve."""

    engine: Engine
    """What computes."""
    encode: Callable[[str], Sequence[int]]
    """Gives token ids to a prompt in words."""
    decode: Callable[[Sequence[int]], str]
    """Gives back an answer in words."""
    stops: frozenset[int]
    """Ids that end an answer where the request names none."""


class _Request(BaseModel):
    """What is read of a request; all else is left alone."""

    model: str
    prompt: str | list[int]
    max_tokens: int = Field(default=16, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    seed: int | None = None
    n: int = Field(default=1, ge=1, le=1)
    stream: bool = False
    stop_token_ids: list[int] = []
    logit_bias: dict[int, float] = {}
    return_token_ids: bool = False


@dataclass(frozen=True)
class _Waiting:
    asked: _Request
    prompt: Sequence[int]
    answer: Future[Generated]


class _Desk:
    """Answers for one student, in a thread of its own."""

    def __init__(self, student: ServedStudent) -> None:
        self.student = student
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._streams: list[Stream] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def ask(self, asked: _Request, prompt: Sequence[int]) -> Generated:
        """Wait for an answer."""
        waiting = _Waiting(asked, prompt, Future())
        self._queue.put(waiting)
        return waiting.answer.result()

    def _serve(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < _KEPT and not self._queue.empty():
                batch.append(self._queue.get())
            self._settle(batch)

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = self._answers(batch)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for one in batch:  # one request does not spoil the others' answers
                self._settle([one])
            return
        for one, answer in zip(batch, answers, strict=True):
            one.answer.set_result(answer)

    def _answers(self, batch: Sequence[_Waiting]) -> list[Generated]:
        taken = [self._stream(one.prompt) for one in batch]
        try:
            return self.student.engine.generate(
                [self._generation(one.asked, s) for one, s in zip(batch, taken, strict=True)]
            )
        finally:
            self._streams = [*taken, *self._streams]
            for old in self._streams[_KEPT:]:
                old.close()
            del self._streams[_KEPT:]

    def _stream(self, prompt: Sequence[int]) -> Stream:
        """Take the kept text that a prompt goes on from, or a new one."""
        best = max(self._streams, key=lambda one: _common(one.ids, prompt), default=None)
        if best is None or not _common(best.ids, prompt):
            best = self.student.engine.open()
        else:
            self._streams.remove(best)
        best.replace(prompt)
        return best

    def _generation(self, asked: _Request, stream: Stream) -> Generation:
        return Generation(
            stream=stream,
            stop=frozenset(asked.stop_token_ids) or self.student.stops,
            limit=asked.max_tokens,
            first=tuple(asked.logit_bias),
            temperature=asked.temperature,
            seed=asked.seed or 0,
        )


def _common(held: Sequence[int], asked: Sequence[int]) -> int:
    """Return how many tokens two texts begin with alike."""
    for place, (one, other) in enumerate(zip(held, asked, strict=False)):
        if one != other:
            return place
    return min(len(held), len(asked))


class CompletionsServer(ThreadingHTTPServer):
    """Serves students; a context manager that serves in the background.

    Args:
        students: By the name under which each is served.
        port: Where it listens; 0 is any free port.
        host: The address that it listens on.
        key: The API key that it wants; empty: any.

    Raises:
        EngineFailed: The port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        students: Mapping[str, ServedStudent],
        port: int = 0,
        host: str = "127.0.0.1",
        key: str = "",
    ) -> None:
        self.desks = {name: _Desk(student) for name, student in students.items()}
        self.key = key
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise EngineFailed(
                f"port {port} is taken, or {host} is not of this machine ({error}); give "
                "--port 0, or another --host"
            ) from error

    @property
    def base_url(self) -> str:
        """What a client sets as its base URL."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""

    def complete(self, body: bytes) -> dict[str, Any]:
        """Answer a request's body.

        Raises:
            ValueError: It is none.
            KeyError: No such student is served.
        """
        asked = _Request.model_validate_json(body)
        desk = self.desks[asked.model]
        student = desk.student
        if asked.stream:
            raise ValueError("stream is not supported")
        if asked.logit_bias and (asked.max_tokens > 1 or min(asked.logit_bias.values()) < _ONLY):
            raise ValueError(f"logit_bias must be {_ONLY}, and max_tokens 1")
        prompt = student.encode(asked.prompt) if isinstance(asked.prompt, str) else asked.prompt
        if not prompt:
            raise ValueError("prompt is empty")
        return _completion(asked, prompt, desk.ask(asked, prompt), student)


def _completion(
    asked: _Request, prompt: Sequence[int], answer: Generated, student: ServedStudent
) -> dict[str, Any]:
    ids = list(answer.ids)
    choice = {
        "index": 0,
        "text": student.decode(ids),
        "finish_reason": "stop" if answer.stopped else "length",
        "stop_reason": ids[-1] if answer.stopped else None,
        "logprobs": None,
        "logprob": answer.logprob,
    }
    cached = max(0, len(prompt) + len(ids) - answer.computed)
    return {
        "id": f"cmpl-{time.time_ns():x}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [choice | ({"token_ids": ids} if asked.return_token_ids else {})],
        "usage": {
            "prompt_tokens": len(prompt),
            "completion_tokens": len(ids),
            "total_tokens": len(prompt) + len(ids),
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CompletionsServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        """Answer a completion."""
        if self._refused():
            self.close_connection = True  # the body was not read
            return
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._error(413, f"a request has at most {_MOST_BYTES} bytes")
            return
        body = self.rfile.read(int(length))
        if self.path.rstrip("/") != "/v1/completions":
            self._error(404, f"there is no {self.path}")
            return
        try:
            self._send(200, self.server.complete(body))
        except KeyError as error:
            self._error(404, f"the model {error} does not exist")
        except ValidationError as error:
            first = error.errors()[0]
            self._error(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except (ValueError, IndexError, SubgoalError) as error:
            self._error(400, str(error))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            self._error(500, f"{type(error).__name__}: {error}")

    def do_GET(self) -> None:
        """Answer which students are served."""
        if self._refused():
            return
        if self.path.rstrip("/") == "/v1/models":
            models = [{"id": name, "object": "model"} for name in self.server.desks]
            self._send(200, {"object": "list", "data": models})
        else:
            self._error(404, f"there is no {self.path}")

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _refused(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        refused = bool(self.server.key) and not hmac.compare_digest(
            given.encode(), self.server.key.encode()
        )
        if refused:
            self._error(401, "Incorrect API key provided")
        return refused

    def _error(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "error", "code": None}})

    def _send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
