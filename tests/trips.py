"""A small log of an agent that books rooms, and servers of agents."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import subgoal

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": name,
            "parameters": {
                "type": "object",
                "properties": {argument: {"type": kind}},
                "required": [argument],
            },
        },
    }
    for name, argument, kind in (("find", "city", "string"), ("book", "room", "integer"))
]
SYSTEM = {"role": "system", "content": "You book rooms."}


def asks(city: str) -> list[dict[str, Any]]:
    """Return the messages before the first turn."""
    return [SYSTEM, {"role": "user", "content": f"A room in {city}, please."}]


def called(number: str, name: str, **arguments: Any) -> dict[str, Any]:
    what = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": number, "type": "function", "function": what}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(number: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": number, "content": text}


def whole(city: str, room: int) -> list[dict[str, Any]]:
    """Return a conversation that the student has learned."""
    return [
        *asks(city),
        called("a", "find", city=city),
        result("a", f"room {room}"),
        called("b", "book", room=room),
        result("b", "booked"),
        {"role": "assistant", "content": f"Your room in {city} is booked."},
    ]


def thought_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a conversation with what the agent thought before each turn."""
    thought = {"reasoning_content": "Hm."}
    return [one | thought if one["role"] == "assistant" else one for one in messages]


CONVERSATIONS = [whole("Rome", 12), whole("Oslo", 7)]


class Running:
    """A server on a free port.

    Attributes:
        url: Its address.
        service: What answers.
    """

    def __init__(self, url: str, service: Any) -> None:
        self.url, self.service = url, service
        self._clients: list[Any] = []

    def client(self, **options: Any) -> Any:
        openai = pytest.importorskip("openai")
        given = {"api_key": "none", "max_retries": 0, **options}
        self._clients.append(openai.OpenAI(base_url=f"{self.url}/v1", **given))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def running(agent: Path, token: str | None = None, **config: Any) -> Iterator[Running]:
    """Serve an agent over a socket while a block runs."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("prometheus_client")
    from subgoal.serving.config import ServeConfig
    from subgoal.serving.http.app import make_app
    from subgoal.serving.http.listener import web_server
    from subgoal.serving.service import Service

    settings = ServeConfig(**config)
    service = Service(subgoal.load_agent(agent), settings)
    place = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = web_server(make_app(service, token), settings.request_seconds, settings.grace)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with closing(Running(f"http://127.0.0.1:{place.getsockname()[1]}", service)) as found:
            yield found
    finally:
        server.should_exit = True
        thread.join()
