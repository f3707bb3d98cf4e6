"""A teacher on this machine, with the faults of a real one: rehearse a costly run on it.

A real HTTP server on 127.0.0.1 that speaks the chat-completions protocol and the batch API. It
reads the path off the prompt and answers from annotations, recorded or scripted; where an agent
asks, it plays a path that it knows. It has faults at given rates, and counts what it delivered
whole, so that a client's ledger can be checked against it.
"""

import io
import json
import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, cast

from pydantic import Field
from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.cost import estimate
from subgoal.annotation.teachers.llm.prompt import render_pairs
from subgoal.annotation.teachers.rehearsal.faults import (
    Fault,
    FaultRates,
    faulty_text,
    faulty_turn,
)
from subgoal.annotation.teachers.rehearsal.known_answers import (
    KnownAnswers,
    KnownQuestion,
    KnownTurn,
)
from subgoal.connections.http_client import BrokenReply, read_json
from subgoal.errors import TeacherFailed
from subgoal.plain_text import numbered_lines
from subgoal.record import Record
from subgoal.storage.digests import digest_of
from subgoal.summary import Summary, Table, TextLine, Tone

_SAID = "The server had an error"


class ServerConfig(Record):
    """How the rehearsal teacher behaves."""

    port: int = Field(default=8089, ge=0, le=65535)
    """Port on 127.0.0.1; 0: any free port."""
    environment: str = "scienceworld"
    """World whose paths it is asked about; its recorded annotations are what the verb knows."""
    faults: FaultRates = FaultRates()
    """How often each fault occurs."""
    seed: int = 0
    """Seed of which requests meet which fault."""
    seconds: float = Field(default=0.0, ge=0)
    """Seconds per reply."""
    slow_seconds: float = Field(default=5.0, ge=0)
    """Seconds per slow reply."""
    retry_after: float | None = Field(default=1.0, ge=0)
    """Seconds that a busy server asks to wait; none: it does not say."""
    busy_first: int = Field(default=0, ge=0)
    """Number of requests that meet a busy server before it serves any."""
    thought: int = Field(default=0, ge=0)
    """Number of tokens that it claims to have thought per reply."""
    schemas: bool = True
    """Take JSON schemas. False: refuse them with status 400."""
    refuses: tuple[str, ...] = ()
    """Parameters that it refuses with status 400, such as `temperature`."""
    context: int = Field(default=0, ge=0)
    """Number of tokens of the longest prompt that it takes; 0: any length."""
    key: str = ""
    """The API key that it wants; empty: any."""
    polls: int = Field(default=2, ge=0)
    """Number of looks at a batch before it is done."""
    batches: Literal["completed", "failed", "expired", "cancelled"] = "completed"
    """How a batch ends: `completed`, `failed`, `expired` or `cancelled`. Only a completed one has
    answers."""


class Delivered(Summary):
    """What the server has delivered whole."""

    replies: int = 0
    """Chat completions, one by one or in batches."""
    input_tokens: int = 0
    """Tokens that it counted in their prompts."""
    output_tokens: int = 0
    """Tokens that it counted in them."""
    requests: int = 0
    """Requests of any kind that came in."""
    faults: dict[str, int] = {}
    """How often each fault occurred."""
    repeated: int = 0
    """Prompts that were answered whole more than once."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how many replies were delivered, and how many requests met which fault."""
        kinds = ", ".join(f"{one} {self.faults[one]}" for one in Fault if one in self.faults)
        met = f"{self.requests} requests met {sum(self.faults.values())} faults"
        told = (
            f"delivered {self.replies} replies whole ({self.input_tokens} tokens read, "
            f"{self.output_tokens} written), {self.repeated} of them more than once"
        )
        return [
            TextLine(text=told, tone=Tone.STRONG),
            TextLine(text=f"{met}: {kinds}" if kinds else met),
        ]


class _Completion(NamedTuple):
    body: dict[str, Any]
    prompt: str
    input_tokens: int
    output_tokens: int


class TeacherServer(ThreadingHTTPServer):
    """The rehearsal teacher; a context manager that serves in the background.

    Args:
        config: How it behaves.
        annotations: What it knows; for other paths it answers by the scripted teacher.

    Raises:
        TeacherFailed: The port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, config: ServerConfig, annotations: Iterable[AnnotatedTrajectory] = ()
    ) -> None:
        self.config = config
        self._known = KnownAnswers(annotations, config.environment)
        self._chance = random.Random(config.seed)
        self._lock = threading.Lock()
        self._delivered = Delivered()
        self._prompts: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.uncounted: dict[str, list[_Completion]] = {}
        try:
            super().__init__(("127.0.0.1", config.port), _Handler)
        except OSError as error:
            raise TeacherFailed(f"port {config.port} is taken ({error}); give --port 0") from error

    @property
    def base_url(self) -> str:
        """What a client sets as its base URL."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def delivered(self) -> Delivered:
        """What it has delivered whole so far."""
        with self._lock:
            repeated = sum(count - 1 for count in self._prompts.values())
            return self._delivered.model_copy(
                update={"faults": dict(self._faults), "repeated": repeated}
            )

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

    def draw(self) -> tuple[Fault | None, random.Random]:
        """Draw the fault of a request, and chances for its details."""
        with self._lock:
            fault = self.config.faults.draw(self._chance)
            if self._delivered.requests < self.config.busy_first:
                fault = Fault.BUSY
            self._faults.update([fault.value] if fault else [])
            self._count(requests=1)
            return fault, random.Random(self._chance.random())

    def refusal(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Return status and error where a request's body is refused, else None."""
        config = self.config
        read = sum(estimate(one["content"]) for one in body["messages"])
        if config.context and read > config.context:
            said = f"This model's maximum context length is {config.context} tokens, not {read}"
            return 400, _error_body(said, "messages", "context_length_exceeded")
        refused = [*config.refuses, *([] if config.schemas else ["response_format"])]
        for name in (name for name in refused if name in body):
            said = f"Unsupported parameter: '{name}' is not supported with this model"
            return 400, _error_body(said, name, "unsupported_parameter")
        return None

    def complete(
        self, body: dict[str, Any], fault: Fault | None, chance: random.Random
    ) -> _Completion:
        """Answer a request's body."""
        messages = cast("list[dict[str, str]]", body["messages"])
        asked, turn = KnownQuestion.read(messages), KnownTurn.read(messages)
        text = "I see no path here."
        if turn is not None:
            text = faulty_turn(fault, self._known.turn(turn), chance)
        elif asked is not None:
            spans = self._known.spans(asked)
            text = render_pairs(spans)
            if _wants_object(body):
                text = f'{{"subgoals": {text}}}'
            first = asked.part[0] - asked.first
            text = faulty_text(fault, text, spans, asked.actions[first:], chance)
        read = sum(estimate(one["content"]) for one in messages)
        written = estimate(text) + self.config.thought
        finish = "length" if fault is Fault.TRUNCATED else "stop"
        prompt = digest_of(messages)
        reply = {
            "id": f"chatcmpl-{prompt}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model", ""),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": finish,
                }
            ],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
            },
        }
        return _Completion(reply, prompt, read, written)

    def count(self, completions: Iterable[_Completion], sign: int = 1) -> None:
        """Count replies as delivered whole, or take them back."""
        with self._lock:
            for one in completions:
                self._prompts[one.prompt] += sign
                if not self._prompts[one.prompt]:
                    del self._prompts[one.prompt]
                self._count(
                    replies=sign,
                    input_tokens=sign * one.input_tokens,
                    output_tokens=sign * one.output_tokens,
                )

    def _count(self, **more: int) -> None:
        update = {name: getattr(self._delivered, name) + count for name, count in more.items()}
        self._delivered = self._delivered.model_copy(update=update)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: TeacherServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        """Answer a completion, a file or a batch."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault, chance = self.server.draw()
        if self._refused(fault):
            return
        path = self.path.rstrip("/")
        if path == "/v1/chat/completions":
            self._given(body, lambda asked: self._complete(asked, fault, chance))
        elif path == "/v1/files":
            self._send(_store(self.server, self.headers["Content-Type"], body), fault)
        elif path == "/v1/batches":
            self._given(body, lambda asked: self._send(_open_batch(self.server, asked), fault))
        else:
            self._error(404, f"there is no {self.path}")

    def _given(self, body: bytes, answer: Callable[[dict[str, Any]], None]) -> None:
        """Answer a request's body; one that is no JSON, or of another form, is refused."""
        try:
            answer(read_json(body))
        except (BrokenReply, LookupError, TypeError, AttributeError, ValueError, RecursionError):
            self._error(400, "the request is not what the protocol asks for")

    def do_GET(self) -> None:
        """Answer what is known about models, batches, files and the server itself."""
        if self.path == "/stats":
            self._send(self.server.delivered.model_dump(), None)
            return
        fault, _ = self.server.draw()
        if self._refused(fault):
            return
        parts = self.path.partition("?")[0].strip("/").split("/")[1:]
        server = self.server
        match parts:
            case ["models"]:
                self._send({"object": "list", "data": [{"id": "rehearsal", "object": "model"}]})
            case ["batches"]:
                self._send({"object": "list", "data": list(server.batches.values())}, fault)
            case ["batches", name] if name in server.batches:
                self._send(_looked_at(server, name), fault)
            case ["files", name, "content"] if name in server.files:
                counted = server.uncounted.pop(name, [])
                if not self._send_bytes(server.files[name], fault, counted):
                    server.uncounted[name] = counted
            case _:
                self._error(404, f"there is no {self.path}")

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: /stats tells."""

    def _refused(self, fault: Fault | None) -> bool:
        """Refuse a request without the right key, or by a fault that comes before the work."""
        config = self.server.config
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if config.key and given != config.key:
            self._error(401, f"Incorrect API key provided: {given}")
        elif fault is Fault.BUSY:
            told = {} if config.retry_after is None else {"retry-after": str(config.retry_after)}
            self._error(429, "Rate limit reached", told)
        elif fault is Fault.ERROR:
            self._error(500, _SAID)
        else:
            return False
        return True

    def _complete(self, body: dict[str, Any], fault: Fault | None, chance: random.Random) -> None:
        refusal = self.server.refusal(body)
        if refusal is None and fault is Fault.HIDDEN:
            refusal = 200, _error_body(_SAID)
        if refusal is not None:
            self._error(*refusal)
            return
        completion = self.server.complete(body, fault, chance)
        slow = self.server.config.slow_seconds if fault is Fault.SLOW else 0.0
        if self._stays(self.server.config.seconds + slow):
            self._send_bytes(json.dumps(completion.body).encode(), fault, [completion])

    def _stays(self, seconds: float) -> bool:
        """Wait; return False where the client goes away."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.05))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.close_connection = True
                return False
            if not left:
                return True

    def _error(
        self, status: int, said: str | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        error = _error_body(said) if isinstance(said, str) else said
        self._head(status, data := json.dumps(error).encode(), headers or {})
        self.wfile.write(data)

    def _send(self, value: dict[str, Any], fault: Fault | None = None) -> None:
        self._send_bytes(json.dumps(value).encode(), fault, [])

    def _send_bytes(self, data: bytes, fault: Fault | None, completions: list[_Completion]) -> bool:
        """Send a body; return whether it was delivered whole."""
        if fault in (Fault.DROPPED, Fault.CUT):
            if fault is Fault.CUT:
                self._head(200, data, {})
                self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        self.server.count(completions)  # before: the client may ask right after the last byte
        try:
            self._head(200, data, {})
            self.wfile.write(data)
        except OSError:
            self.server.count(completions, sign=-1)
            self.close_connection = True
            return False
        return True

    def _head(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()


def _error_body(said: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": said, "type": "error", "param": param, "code": code}}


def _wants_object(body: dict[str, Any]) -> bool:
    asked = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    return asked.get("type") == "object"


def _store(server: TeacherServer, content_type: str, body: bytes) -> dict[str, Any]:
    """Keep an uploaded file; return the protocol's description of it."""
    form = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    for part in form.walk():
        data = part.get_payload(decode=True)
        if part.get_filename() and isinstance(data, bytes):
            name = f"file-{len(server.files)}"
            server.files[name] = data
            return {"id": name, "object": "file", "bytes": len(data), "purpose": "batch"}
    return {}


def _open_batch(server: TeacherServer, body: dict[str, Any]) -> dict[str, Any]:
    name = f"batch-{len(server.batches)}"
    server.batches[name] = {
        "id": name,
        "object": "batch",
        "status": "in_progress",
        "polls": 0,
        "endpoint": body["endpoint"],
        "completion_window": "24h",
        "created_at": 0,
        "input_file_id": body["input_file_id"],
        "metadata": body.get("metadata"),
    }
    return server.batches[name]


def _looked_at(server: TeacherServer, name: str) -> dict[str, Any]:
    """Return a batch; after enough looks it is completed."""
    batch = server.batches[name]
    batch["polls"] += 1
    over = batch["polls"] > server.config.polls
    if over and server.config.batches != "completed":
        error = {"code": server.config.batches, "message": f"it is {server.config.batches}"}
        batch |= {"status": server.config.batches, "errors": {"object": "list", "data": [error]}}
    elif over and "output_file_id" not in batch:
        output = f"{name}-output"
        completions: list[_Completion] = []
        lines: list[str] = []
        for _, line in numbered_lines(io.BytesIO(server.files[batch["input_file_id"]])):
            try:
                asked = read_json(line)
                body, name = asked["body"], asked["custom_id"]
            except (BrokenReply, LookupError, TypeError):
                continue  # what cannot be read gets no answer
            fault, chance = server.draw()
            status = {Fault.BUSY: 429, Fault.ERROR: 500}.get(fault or Fault.SLOW, 200)
            said = _error_body(_SAID)
            if fault in (Fault.DROPPED, Fault.CUT):
                continue  # the line is missing
            refusal = server.refusal(body)
            if refusal is not None:
                status, said = refusal
            elif status == 200 and fault is not Fault.HIDDEN:
                completions.append(server.complete(body, fault, chance))
                said = completions[-1].body
            response = {"status_code": status, "body": said}
            result = {"custom_id": name, "response": response}
            lines.append(json.dumps(result, ensure_ascii=False))
        server.files[output] = "\n\n".join(lines).encode(errors="surrogatepass")
        server.uncounted[output] = completions
        batch |= {"status": "completed", "output_file_id": output}
    return batch
