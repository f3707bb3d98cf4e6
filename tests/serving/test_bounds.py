"""Whatever is sent: the right status in OpenAI's form, and nobody else is disturbed."""

import contextlib
import gzip
import json
import logging
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from subgoal.errors import ConfigInvalid, EngineFailed
from trips import TOOLS, Running, asks, called, result, running, whole

CHAT = "/v1/chat/completions"
post, get, head, options = (
    partial(ask, timeout=60) for ask in (httpx.post, httpx.get, httpx.head, httpx.options)
)
WRONG: dict[str, tuple[Any, int, str | None]] = {
    "no messages": ({"messages": []}, 422, "messages"),
    "no list": ({"messages": "hello"}, 422, "messages"),
    "nothing": ({}, 422, "messages"),
    "an array": ([], 422, None),
    "an unknown role": ({"messages": [{"role": "dog", "content": ""}]}, 400, "messages[0]"),
    "a content that is none": ({"messages": [{"role": "user", "content": 3}]}, 400, "messages[0]"),
    "a result that comes first": ({"messages": [result("a", "b")]}, 400, "messages"),
    "a result of no call": (
        {"messages": [*asks("Rome"), called("a", "find"), result("b", "?")]},
        400,
        "messages",
    ),
    "arguments that are no object": (
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "["}}]}
            ]
        },
        400,
        "messages[0]",
    ),
    "two answers": ({"messages": asks("Rome"), "n": 2}, 422, "n"),
    "a huge n": ({"messages": asks("Rome"), "n": 10**30}, 422, "n"),
    "no tokens": ({"messages": asks("Rome"), "max_tokens": 0}, 422, "max_tokens"),
    "too many tokens": ({"messages": asks("Rome"), "max_tokens": 10**30}, 422, "max_tokens"),
    "another kind of tool": (
        {"messages": asks("Rome"), "tools": [{"type": "web_search"}]},
        422,
        "tools.0.type",
    ),
    "a choice of an unknown tool": (
        {
            "messages": asks("Rome"),
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "fly"}},
        },
        422,
        None,
    ),
    "a stream that is no truth": ({"messages": asks("Rome"), "stream": "perhaps"}, 422, "stream"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named(served: Running, kind: str) -> None:
    body, status, param = WRONG[kind]
    said = post(served.url + CHAT, json=body)
    error = said.json()["error"]
    assert (said.status_code, error["param"]) == (status, param)
    assert (error["type"], bool(error["message"])) == ("invalid_request_error", True)


def test_what_a_student_does_not_know_is_passed_over(served: Running) -> None:
    more = {
        "temperature": 1.5,
        "top_p": 0.1,
        "seed": 3,
        "user": "me",
        "parallel_tool_calls": False,
        "response_format": {"type": "text"},
        "n": 1,
        "model": None,
        "logprobs": True,
        "max_tokens": 10**6,
        "metadata": {"a": "b"},
        "unheard_of": [1],
    }
    said = post(served.url + CHAT, json={"messages": asks("Rome"), "tools": TOOLS, **more})
    assert said.status_code == 200
    (call,) = said.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "find"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"messages": \xff}', "application/json", 400),
        (b"1" * 5000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 422),
        (b" " * 300_000, "application/json; charset=utf-8", 413),
    ],
)
def test_a_body_that_is_none(released: Path, content: bytes, kind: str, status: int) -> None:
    with running(released, body_mb=0.25) as server:
        said = post(server.url + CHAT, content=content, headers={"content-type": kind})
        assert said.status_code == status
        assert said.json()["error"]["message"]

        def pieces() -> Iterator[bytes]:  # no length is told before
            yield content

        again = post(server.url + CHAT, content=pieces(), headers={"content-type": kind})
        assert again.status_code == status


def test_another_path_or_method_is_answered_in_the_same_form(served: Running) -> None:
    for said, status in (
        (get(f"{served.url}/v1/nothing"), 404),
        (get(served.url + CHAT), 405),
        (get(f"{served.url}/v1/models/gpt-4o"), 404),
    ):
        assert (said.status_code, bool(said.json()["error"]["message"])) == (status, True)
    assert get(f"{served.url}/v1/models/trips-agent").json()["object"] == "model"


def _connected(server: Running) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def _answered(one: socket.socket) -> bytes:
    """Read one whole answer, which may come in pieces."""
    with one.makefile("rb", buffering=0) as said:
        status, length = said.readline(), 0
        while (line := said.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        while length:
            length -= len(said.read(length))
        return status


def _head(length: int) -> bytes:
    return (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_slow_and_half_closed_clients_disturb_nobody(trips: Path) -> None:
    body = json.dumps({"messages": asks("Rome")}).encode()
    with running(trips, request_seconds=1.0) as server:
        slow, half, silent, header, later = (_connected(server) for _ in range(5))
        header.sendall(_head(len(body))[:30])
        later.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert _answered(later).startswith(b"HTTP/1.1 200 ")
        later.sendall(b"GET /hea")  # the next request never comes
        slow.sendall(_head(len(body)) + body[:10])
        half.sendall(_head(len(body)) + body[:10])
        half.shutdown(socket.SHUT_WR)
        assert post(server.url + CHAT, json={"messages": asks("Rome")}).status_code == 200
        assert _answered(slow).startswith(b"HTTP/1.1 408 ")
        for one in (silent, header, later, half):
            assert one.recv(4096) == b""  # closed
            one.close()
        slow.close()
        while server.service.workers.busy:
            time.sleep(0.01)
        assert get(f"{server.url}/health").status_code == 200


def test_what_belongs_to_an_answered_request_holds_no_connection(trips: Path) -> None:
    with running(trips, request_seconds=1.0) as server, _connected(server) as one:
        one.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
        assert _answered(one).startswith(b"HTTP/1.1 200 ")
        with contextlib.suppress(ConnectionError):
            while True:
                one.sendall(b"x")
                time.sleep(0.05)


def test_a_header_without_end_is_refused(served: Running) -> None:
    with _connected(served) as one:
        one.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                one.sendall(b"a" * 100_000)
            pytest.fail("ten megabytes of a header were taken")


def test_a_request_that_nobody_waits_for_is_no_failure(served: Running) -> None:
    with _connected(served) as one:
        one.sendall(_head(100) + b"{")
    left = 'subgoal_requests_total{route="(none)",status="499"}'
    while left not in (counted := get(f"{served.url}/metrics").text):
        time.sleep(0.01)
    assert 'status="500"' not in counted


def test_a_packed_body_is_refused(served: Running) -> None:
    packed = {"content-encoding": "gzip", "content-type": "application/json"}
    said = post(served.url + CHAT, content=gzip.compress(b"{}"), headers=packed)
    assert said.status_code == 415


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/metrics", "/docs"])
def test_what_can_be_had_can_be_looked_for(served: Running, path: str) -> None:
    said = head(served.url + path)
    assert (said.status_code, said.content) == (200, b"")
    assert head(served.url + CHAT).status_code == 405


def test_a_text_longer_than_the_students_is_refused(released: Path) -> None:
    setup = {"role": "system", "content": "go " * 5000}
    with running(released) as server:
        said = post(server.url + CHAT, json={"messages": [setup]}, timeout=60)
        assert (said.status_code, said.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert post(server.url + CHAT, json={"messages": asks("Rome")}).status_code == 200


def test_more_than_may_wait_are_refused(trips: Path) -> None:
    with running(trips, at_once=1, waiting=0) as server:
        server.service.workers.busy += 1
        said = post(server.url + CHAT, json={"messages": asks("Rome")})
        assert (said.status_code, said.headers["retry-after"]) == (429, "1")
        server.service.workers.busy -= 1
        assert post(server.url + CHAT, json={"messages": asks("Rome")}).status_code == 200


def test_what_fails_for_one_fails_for_nobody_else(trips: Path) -> None:
    with running(trips) as server:
        engine = server.service._player.engines[0]
        generate = engine._generate

        def failing(requests):
            if any(request.limit == 5 for request in requests):
                raise EngineFailed("the model computes nan")
            return generate(requests)

        engine._generate = failing
        said = post(server.url + CHAT, json={"messages": asks("Rome"), "max_tokens": 5})
        assert (said.status_code, said.json()["error"]["code"]) == (500, "agent_failed")
        assert post(server.url + CHAT, json={"messages": asks("Rome")}).status_code == 200


def test_only_who_knows_the_token_may_ask(trips: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = "a-token-that-nobody-guesses"
    with caplog.at_level(logging.DEBUG), running(trips, token=token) as server:
        openai = pytest.importorskip("openai")
        assert get(f"{server.url}/health").status_code == 200
        for path in ("/v1/models", "/metrics", "/docs", "/openapi.json"):
            said = get(server.url + path)
            assert (said.status_code, said.headers["www-authenticate"]) == (401, "Bearer")
        with pytest.raises(openai.AuthenticationError) as refused:
            server.client(api_key=f"{token}x").models.list()
        assert token not in str(refused.value)
        assert len(server.client(api_key=token).models.list().data) == 1
    assert token not in caplog.text


def test_what_is_sent_does_not_wait_for_an_acknowledgement() -> None:
    """Of sockets that do not name TCP asyncio leaves the delay on: 40 ms for each answer."""
    pytest.importorskip("uvicorn")
    from subgoal.serving.http.address import listening

    with listening("127.0.0.1", 0) as place:
        assert place.proto == socket.IPPROTO_TCP


def test_a_page_of_the_network_cannot_ask(served: Running) -> None:
    for name in ("evil.example", "127.0.0.1.evil.example", "testserver", "localhost.evil.example"):
        said = get(f"{served.url}/v1/models", headers={"host": name})
        assert said.status_code == 403
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    said = options(served.url + CHAT, headers=asked)
    assert not any(name.startswith("access-control") for name in said.headers)
    for name in ("localhost:1", "LocalHost", "localhost.:80", "127.0.0.1:80", "[::1]:80"):
        here = get(f"{served.url}/v1/models", headers={"host": name})
        assert here.status_code == 200


@pytest.mark.parametrize("token", [None, "short", ""])
def test_others_reach_the_server_only_with_a_token(
    token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("uvicorn")
    from subgoal.serving.config import TOKEN, ServeConfig
    from subgoal.serving.http.address import token_at

    monkeypatch.delenv(TOKEN, raising=False)
    assert token_at(ServeConfig().host) is None
    if token is not None:
        monkeypatch.setenv(TOKEN, token)
    for host in ("0.0.0.0", "192.168.0.9", "::"):
        with pytest.raises(ConfigInvalid) as refused:
            token_at(host)
        assert TOKEN in str(refused.value)


def test_counters_and_documentation_need_no_network(served: Running) -> None:
    post(served.url + CHAT, json={"messages": whole("Rome", 12)[:4]})
    counted = get(f"{served.url}/metrics").text
    assert f'subgoal_requests_total{{route="{CHAT}",status="200"}}' in counted
    assert 'subgoal_tokens_total{kind="written"}' in counted
    page = get(f"{served.url}/docs").text
    assert CHAT in page
    assert "http://" not in page
    assert "https://" not in page
    described = get(f"{served.url}/openapi.json").json()
    assert {CHAT, "/v1/sessions"} <= described["paths"].keys()
