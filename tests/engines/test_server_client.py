"""Servers of students that are hostile, broken, or behind proxies, over a real socket."""

import gc
import gzip
import threading
import time
import traceback

import pytest

from subgoal.engines.base import Generation
from subgoal.engines.config import ServerAccess
from subgoal.engines.server import OpenAIEngine
from subgoal.engines.server_client import StudentClient
from subgoal.errors import EngineFailed
from support.raw_server import reply, serving

ANSWER = {"choices": [{"text": "5", "token_ids": [5, 2], "finish_reason": "stop"}]}
KEY = "sk-student/secret+123"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Nothing is sent twice, nor waited for long."""
    monkeypatch.setattr(StudentClient, "retries", 0)
    monkeypatch.setattr(StudentClient, "seconds", 5.0)


def opened(base_url: str, **given) -> OpenAIEngine:
    access = ServerAccess(base_url=base_url, model="s", **given)
    return OpenAIEngine(access, 64, 50, lambda text: [int(word) for word in text.split()])


def answered(engine: OpenAIEngine, times: int = 1):
    streams = [engine.open() for _ in range(times)]
    for stream in streams:
        stream.extend([3, 4])
    asked = [Generation(stream, stop=frozenset({2}), limit=5) for stream in streams]
    return [one.ids for one in engine.generate(asked)]


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


BROKEN = {
    "no JSON": reply(b"<html>"),
    "deep": reply(b"[" * 1_000_000),
    "a list": reply([1]),
    "an error": reply({"error": {"message": "no"}}),
    "no UTF-8": reply(b'{"choices": "\xff"}'),
    "cut": reply(b"{}").replace(b"Length: ", b"Length: 9"),
    "no HTTP": b"hello\r\n\r\n",
    "nothing": b"",
    "long": reply(b" " * 9_000_000),
    "a bomb": reply(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
    "brotli": reply(b"x", Content_Encoding="br"),
    "busy": reply({"error": {"message": "busy"}}, 503),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_one_sentence(data):
    with serving(lambda _: data) as server:
        engine = opened(server.base_url)
        with pytest.raises(EngineFailed, match=server.base_url):
            answered(engine)
        with pytest.raises(EngineFailed, match=server.base_url):
            engine.check()


@pytest.mark.parametrize("reason", [[2], {"a": 2}, 2.0, True, "2", 10**400, None])
def test_a_reason_to_stop_that_is_no_token_is_passed_over(reason):
    answer = {"choices": [{"text": "5", "finish_reason": "stop", "stop_reason": reason}]}
    with serving(lambda _: reply(answer)) as server:
        assert answered(opened(server.base_url)) == [(5, 2)]


def test_an_answer_that_drips_ends_with_its_time(monkeypatch):
    monkeypatch.setattr(StudentClient, "seconds", 0.3)

    def drips(_):
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for _ in range(500):
            time.sleep(0.02)
            yield b" "

    with serving(drips) as server, pytest.raises(EngineFailed, match="Timeout"):
        answered(opened(server.base_url))


def test_a_server_that_is_busy_is_asked_again(monkeypatch):
    monkeypatch.setattr(StudentClient, "retries", 3)
    left = [reply({}, 503, Retry_After_Ms="1"), b"", reply(ANSWER)]
    with serving(lambda _: left.pop(0)) as server:
        assert answered(opened(server.base_url)) == [(5, 2)]


def test_nothing_is_sent_to_another_origin(monkeypatch):
    monkeypatch.setenv("SUBGOAL_SERVER_KEY", KEY)
    with serving(lambda _: reply(ANSWER)) as victim:
        with serving(lambda _: reply(b"", 307, Location=f"{victim.base_url}/x")) as server:
            engine = opened(server.base_url)
            for ask in (engine.check, lambda: answered(engine)):
                with pytest.raises(EngineFailed, match="redirects"):
                    ask()
        assert victim.asked == []
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_secret_comes_back(status, monkeypatch):
    monkeypatch.setenv("SUBGOAL_SERVER_KEY", KEY)
    with serving(
        lambda one: reply({"error": f"{one.line} {one.headers} {KEY!r}"}, status)
    ) as server:
        with pytest.raises(EngineFailed) as keyed:
            answered(opened(server.base_url))
        place = f"http://me:pass-word-1@127.0.0.1:{server.port}/v1?key=query-secret-1"
        with pytest.raises(EngineFailed) as logged:
            answered(opened(place))
    assert KEY not in told(keyed.value)
    assert server.asked[-1].line.startswith("POST /v1/completions?key=query-secret-1")
    assert "pass-word-1" not in told(logged.value)
    assert "query-secret-1" not in told(logged.value)
    assert server.asked[-1].headers["authorization"].split()[1] not in told(logged.value)


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\u20ac"])
def test_a_key_that_no_header_can_hold_is_refused_before_anything_is_sent(key, monkeypatch):
    monkeypatch.setenv("SUBGOAL_SERVER_KEY", key)
    with pytest.raises(EngineFailed, match="SUBGOAL_SERVER_KEY") as failed:
        opened("http://127.0.0.1:9/v1")
    assert "student/secret" not in told(failed.value)


def test_this_machine_is_reached_past_proxies(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with serving(lambda _: reply(ANSWER)) as server:
        assert answered(opened(server.base_url)) == [(5, 2)]


def test_another_machine_is_reached_through_the_proxy(monkeypatch):
    with serving(lambda _: reply(ANSWER)) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        assert answered(opened("http://student.invalid/v1")) == [(5, 2)]
    assert proxy.asked[0].line.startswith("POST http://student.invalid/v1/completions")


def test_no_more_are_asked_at_once_than_allowed():
    lock, now, most = threading.Lock(), [0], [0]

    def counting(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return reply(ANSWER)

    with serving(counting) as server:
        assert answered(opened(server.base_url, at_once=3), times=12) == [(5, 2)] * 12
    assert 1 < most[0] <= 3


def test_a_client_that_is_dropped_leaves_no_thread():
    with serving(lambda _: reply(ANSWER)) as server:
        before = threading.active_count()
        engine = opened(server.base_url)
        answered(engine)
        mine = next(one for one in threading.enumerate() if one.name.startswith("student-client"))
        del engine
        gc.collect()
        mine.join(10)
    assert not mine.is_alive()
    assert threading.active_count() <= before + 1  # the server's own
