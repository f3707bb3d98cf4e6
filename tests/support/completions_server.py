"""Any engine behind `/v1/completions`, by the protocol of vLLM: what students' servers answer.

Requests that wait while the engine computes are answered together in the next batch, and a text
that goes on where an earlier one ended finds its prefix computed, as in vLLM.
"""

import json
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from subgoal.engines.base import Engine, Generated, Generation, Stream
from subgoal.errors import SubgoalError

KEPT = 64
"""So many texts stay computed, and so many requests make a batch at most."""


class ServedStudent(NamedTuple):
    """A student to serve."""

    engine: Engine
    decode: Callable[[Sequence[int]], str]


class Asked(BaseModel):
    """What is read of a request; all else is left alone."""

    model: str
    prompt: list[int] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(ge=0)
    seed: int | None = None
    stop_token_ids: list[int] = []
    logit_bias: dict[int, float] = {}
    return_token_ids: bool = False


@dataclass(frozen=True)
class Waiting:
    asked: Asked
    answer: Future[Generated]


class Desk:
    """Answers for one student, in a thread of its own."""

    def __init__(self, student: ServedStudent) -> None:
        self.student = student
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._streams: list[Stream] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def ask(self, asked: Asked) -> Generated:
        """Wait for an answer."""
        waiting = Waiting(asked, Future())
        self._queue.put(waiting)
        return waiting.answer.result()

    def _serve(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < KEPT and not self._queue.empty():
                batch.append(self._queue.get())
            try:
                for one, answer in zip(batch, self._answers(batch), strict=True):
                    one.answer.set_result(answer)
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                for one in batch:
                    one.answer.set_exception(error)

    def _answers(self, batch: Sequence[Waiting]) -> list[Generated]:
        taken = [self._stream(one.asked.prompt) for one in batch]
        self._streams = [*taken, *self._streams][:KEPT]
        return self.student.engine.generate(
            [
                Generation(
                    stream=stream,
                    stop=frozenset(one.asked.stop_token_ids),
                    limit=one.asked.max_tokens,
                    first=tuple(one.asked.logit_bias),
                    temperature=one.asked.temperature,
                    seed=one.asked.seed or 0,
                )
                for one, stream in zip(batch, taken, strict=True)
            ]
        )

    def _stream(self, prompt: Sequence[int]) -> Stream:
        """Take the kept text that a prompt goes on from, or a new one."""
        best = max(self._streams, key=lambda one: common(one.ids, prompt), default=None)
        if best is None or not common(best.ids, prompt):
            best = self.student.engine.open()
        else:
            self._streams.remove(best)
        best.replace(prompt)
        return best


def common(held: Sequence[int], asked: Sequence[int]) -> int:
    """Return how many tokens two texts begin with alike."""
    for place, (one, other) in enumerate(zip(held, asked, strict=False)):
        if one != other:
            return place
    return min(len(held), len(asked))


class CompletionsServer(ThreadingHTTPServer):
    """Serves students, by the name of each, on a free port; a context manager.

    Args:
        students: What is served.
        key: The API key that it wants; empty: any.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, students: Mapping[str, ServedStudent], key: str = "") -> None:
        self.desks = {name: Desk(student) for name, student in students.items()}
        self.key = key
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def base_url(self) -> str:
        """What a client sets as its base URL."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def complete(self, body: bytes) -> dict[str, Any]:
        """Answer a request's body."""
        asked = Asked.model_validate_json(body)
        desk = self.desks[asked.model]
        answer = desk.ask(asked)
        ids, stopped = list(answer.ids), answer.stopped
        choice = {
            "index": 0,
            "text": desk.student.decode(ids),
            "finish_reason": "stop" if stopped else "length",
            "stop_reason": ids[-1] if stopped else None,
            # engines give the sum of a text; all of it stands at its first token
            "logprobs": {"token_logprobs": [answer.logprob, *[0.0] * (len(ids) - 1)]},
        }
        usage = {
            "prompt_tokens": len(asked.prompt),
            "completion_tokens": len(ids),
            "total_tokens": len(asked.prompt) + len(ids),
            "prompt_tokens_details": {
                "cached_tokens": max(0, len(asked.prompt) + len(ids) - answer.computed)
            },
        }
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 0,
            "model": asked.model,
            "choices": [choice | ({"token_ids": ids} if asked.return_token_ids else {})],
            "usage": usage,
        }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CompletionsServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        try:
            self._send(200, self.server.complete(body))
        except KeyError as error:
            self._error(404, f"the model {error} does not exist")
        except (ValidationError, SubgoalError) as error:
            self._error(400, str(error))

    def do_GET(self) -> None:
        if not self._refused():
            models = [{"id": name, "object": "model"} for name in self.server.desks]
            self._send(200, {"object": "list", "data": models})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is logged."""

    def _refused(self) -> bool:
        refused = self.server.key not in self.headers.get("Authorization", "")
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
