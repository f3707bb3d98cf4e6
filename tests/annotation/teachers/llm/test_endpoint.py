"""Endpoints that refuse, are hostile or broken, over a real socket."""

import asyncio
import base64
import gzip
import json
import logging
import sys
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from subgoal.annotation.teachers.llm.config import CAPS, EndpointConfig, OpenAIConfig
from subgoal.annotation.teachers.llm.endpoint import (
    Answer,
    Endpoint,
    QuestionRefused,
    Unanswered,
    probe,
)
from subgoal.annotation.teachers.llm.ledger import AttemptState
from subgoal.errors import SubgoalError, TeacherFailed
from support.raw_server import Asked, completion, reply, serving

QUESTION = [{"role": "user", "content": "use thermometer; temperature, response_format"}]
KEY = "sk-Very/secret+1234567"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch):
    """No key and no proxy that the machine has."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def opened(base_url: str, **changes: Any) -> OpenAIConfig:
    given = {"base_url": base_url, "timeout": 5.0} | changes.pop("endpoint", {})
    return OpenAIConfig(model="m", endpoint=EndpointConfig(**given), **changes)


def asked(config: OpenAIConfig, times: int = 1) -> list[Any]:
    """Ask one endpoint some questions; return answers, and errors where there is no answer."""

    async def ask() -> list[Any]:
        endpoint = Endpoint(config)
        try:
            return [await _outcome(endpoint.send(QUESTION)) for _ in range(times)]
        finally:
            await endpoint.close()

    return asyncio.run(ask())


async def _outcome(sent: Any) -> Any:
    try:
        return await sent
    except (Unanswered, TeacherFailed) as error:
        return error


def refusing(
    refused: Callable[[dict[str, Any]], bool], status: int, body: Any
) -> Callable[[Asked], bytes]:
    """Refuse the requests that a function chooses; answer the others."""
    return lambda one: reply(body, status) if refused(one.json) else reply(completion())


def error(message: str, param: str | None = None, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": param, "code": code}}


def unsupported(name: str) -> dict[str, Any]:
    return error(f"Unsupported parameter: '{name}' is not supported with this model.", name)


SCHEMA_REFUSALS = [
    (400, error("Invalid parameter: 'response_format' of type 'json_schema' is not supported")),
    (400, error("x", "response_format")),
    (422, {"detail": [{"loc": ["body", "response_format"], "msg": "extra fields not permitted"}]}),
    (400, error("json_schema conversion failed")),
    (501, error("not implemented")),
    (404, b"<html>not found</html>"),
    (500, b"Internal Server Error"),
]


@pytest.mark.parametrize(("status", "body"), SCHEMA_REFUSALS)
def test_a_refused_schema_gives_way_to_the_prompt_once_for_all(status, body, capfd):
    with serving(refusing(lambda one: "response_format" in one, status, body)) as server:
        answers = asked(opened(server.base_url), times=4)
    assert [one.text for one in answers[1:]] == ["hello"] * 3
    assert sum("response_format" in one.json for one in server.asked) <= 2
    assert capfd.readouterr().err.count("prompt alone") == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("This model's maximum context length is 8192 tokens; see response_format")),
        (400, error("x", "messages", "context_length_exceeded")),
        (413, b"Payload too large"),
        (400, error("flagged by our content management policy", code="content_filter")),
        (400, error("bad request")),
        (422, {"detail": [{"loc": ["body", "messages", 0], "msg": "too odd"}]}),
    ],
)
def test_what_is_wrong_with_one_question_changes_nothing_for_others(status, body, capfd):
    with serving(lambda _: reply(body, status)) as server:
        found = asked(opened(server.base_url), times=2)
    assert all(isinstance(one, QuestionRefused) for one in found)
    assert all("response_format" in one.json for one in server.asked)
    assert len(server.asked) == 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, error("no such key"), "API key"),
        (400, error("API key not valid. Please pass a valid API key."), "API key"),
        (402, error("pay"), "quota"),
        (429, error("x", code="insufficient_quota"), "quota"),
        (404, error("The model `m` does not exist"), "serve"),
        (400, error("m is not a valid model ID"), "serve"),
        (422, {"detail": [{"loc": ["body", "model"], "msg": "unknown"}]}, "serve"),
    ],
)
def test_what_stands_against_every_question_ends_the_stage(status, body, said):
    with serving(lambda _: reply(body, status)) as server:
        (found,) = asked(opened(server.base_url))
    assert type(found) is TeacherFailed
    assert said in str(found)


@pytest.mark.parametrize("name", ["temperature", "seed", "reasoning_effort"])
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_parameter_is_left_out_from_then_on(name, status, capfd):
    with serving(refusing(lambda one: name in one, status, unsupported(name))) as server:
        table = {"seed": 1, "reasoning_effort": "low"}
        answers = asked(opened(server.base_url, parameters=table), times=3)
    assert all(isinstance(one, Answer) for one in answers)
    assert len(server.asked) == 4
    others = {"temperature", "seed", "reasoning_effort", "response_format"} - {name}
    assert others <= set(server.asked[-1].json)
    assert capfd.readouterr().err.count(f"'{name}' is left out") == 1


@pytest.mark.parametrize("refused", ["max_tokens", "max_completion_tokens"])
def test_a_limit_is_asked_for_by_the_name_that_is_taken(refused):
    (other,) = {"max_tokens", "max_completion_tokens"} - {refused}
    with serving(refusing(lambda one: refused in one, 400, unsupported(refused))) as server:
        asked(opened(server.base_url, parameters={refused: 7}), times=2)
    assert {one.json[other] for one in server.asked if other in one.json} == {7}
    assert all(refused in one.json or other in one.json for one in server.asked)


def test_a_limit_that_is_refused_by_both_names_is_not_dropped():
    def refuse(one: Asked) -> bytes:
        return reply(unsupported(next(name for name in CAPS if name in one.json)), 400)

    with serving(refuse) as server:
        (found,) = asked(opened(server.base_url, parameters={"max_tokens": 7}))
    assert isinstance(found, TeacherFailed)
    assert len(server.asked) == 2


def test_a_field_of_the_users_own_is_never_left_out():
    table = {"provider": {"data_collection": "deny"}}
    with serving(refusing(lambda one: "provider" in one, 400, unsupported("provider"))) as server:
        (found,) = asked(opened(server.base_url, parameters=table))
    assert isinstance(found, TeacherFailed)
    assert "provider" in str(found)
    assert all("provider" in one.json for one in server.asked)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error("overloaded upstream", code=502), Unanswered),
        ({"error": "out of memory"}, Unanswered),
        ([{"error": {"message": "slow down", "code": 429}}], Unanswered),
        (error("add credits", code=402), TeacherFailed),
        (error("too long", code="context_length_exceeded"), QuestionRefused),
        ({"choices": [], "error": {"message": "why", "code": 503}}, Unanswered),
    ],
)
def test_an_error_with_status_200_keeps_its_reason_and_costs_nothing(body, kind):
    with serving(lambda _: reply(body)) as server:
        (found,) = asked(opened(server.base_url))
    assert type(found) is kind
    first = body[0] if isinstance(body, list) else body
    said = first["error"] if isinstance(first["error"], str) else first["error"]["message"]
    assert said in str(found)
    if isinstance(found, Unanswered):
        assert found.state is AttemptState.REFUSED


def chunked(*parts: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts)


GOOD = json.dumps(completion()).encode()
BROKEN = {
    "no JSON": reply(b"<html>hello</html>"),
    "empty": reply(b""),
    "no UTF-8": reply(b'{"choices": "\xff\xfe"}'),
    "deep": reply(b"[" * 1_000_000),
    "deep objects": reply(b'{"a":' * 500_000),
    "a list": reply([1, 2]),
    "a text": reply("hello"),
    "no choices": reply({"choices": None}),
    "empty choices": reply({"choices": []}),
    "choices of texts": reply({"choices": "abc"}),
    "choices of numbers": reply({"choices": [1]}),
    "no message": reply({"choices": [{"message": None}]}),
    "message of a list": reply({"choices": [{"message": []}]}),
    "content of a number": reply({"choices": [{"message": {"content": 7}}]}),
    "content of odd parts": reply({"choices": [{"message": {"content": [1]}}]}),
    "cut": reply(GOOD).replace(b"Content-Length: ", b"Content-Length: 9"),
    "cut in a chunk": chunked(GOOD)[:-20],
    "wrong chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    "no HTTP": b"hello\r\n\r\n",
    "nothing": b"",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "no gzip": reply(b"hello", Content_Encoding="gzip"),
    "half a gzip": reply(gzip.compress(GOOD)[:-9], Content_Encoding="gzip"),
    "brotli": reply(b"hello", Content_Encoding="br"),
    "a bomb": reply(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
    "long": reply(b" " * 20_000_000),
    "digits": reply(b'{"choices": ' + b"1" * 100_000 + b"}"),
    "long head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_reply_is_a_lost_one(data):
    with serving(lambda _: data) as server:
        (found,) = asked(opened(server.base_url))
    assert isinstance(found, Unanswered), found
    assert found.state is AttemptState.LOST


def test_a_reply_without_an_end_is_given_up():
    def drips(_):
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b" " * 100_000

    with serving(drips) as server:
        (found,) = asked(opened(server.base_url))
    assert isinstance(found, Unanswered)
    assert "8,388,608" in str(found)


@pytest.mark.parametrize("begun", [True, False], ids=["body", "head"])
def test_a_reply_that_drips_ends_with_its_time(begun):
    import time

    def drips(_):
        yield b"HTTP/1.1 200 OK\r\n\r\n" if begun else b"HTTP/1.1 200 OK\r\n"
        for _ in range(500):
            time.sleep(0.02)
            yield b" " if begun else b"X: y\r\n"

    with serving(drips) as server:
        (found,) = asked(opened(server.base_url, endpoint={"timeout": 0.3}))
    assert isinstance(found, Unanswered)
    assert "0.3 seconds" in str(found)


@pytest.mark.parametrize(
    "given", [-1, 10**30, 1.5, "7", True, None, {}, [3], float("nan")], ids=repr
)
def test_a_count_that_cannot_be_is_none(given):
    usage = {"prompt_tokens": given, "completion_tokens": given}
    with serving(lambda _: reply(completion(usage=usage))) as server:
        (found,) = asked(opened(server.base_url))
    assert (found.input_tokens, found.output_tokens) == (None, None)


@pytest.mark.parametrize("usage", [None, [], "x", 7])
def test_usage_of_any_form_is_passed_over(usage):
    with serving(lambda _: reply(completion(usage=usage))) as server:
        (found,) = asked(opened(server.base_url))
    assert (found.text, found.input_tokens) == ("hello", None)


@pytest.mark.parametrize(
    "data",
    [
        reply(gzip.compress(GOOD), Content_Encoding="gzip"),
        reply(b"\xef\xbb\xbf" + GOOD, Content_Type="text/html; charset=ebcdic"),
        chunked(GOOD[:10], GOOD[10:], b""),
        reply(completion(created=float("nan"))),
        reply(GOOD).replace(b"\r\n\r\n", b"\r\nX-A: 1\r\nX-A: 2\r\n\r\n", 1),
        reply(
            {
                "choices": [
                    {
                        "message": {
                            "content": [
                                {"type": "thinking", "text": "hm"},
                                {"type": "text", "text": "hello"},
                            ]
                        }
                    }
                ]
            }
        ),
    ],
    ids=["gzip", "mark", "chunks", "nan", "twice", "parts"],
)
def test_an_odd_but_whole_reply_is_read(data):
    with serving(lambda _: data) as server:
        (found,) = asked(opened(server.base_url))
    assert found.text == "hello"


@pytest.mark.parametrize(
    ("after", "wait"),
    [("3", 3.0), ("-5", None), ("1e999", None), ("nan", None), ("soon", None), ("9" * 400, None),
     ("1, 2", None), ("Mon, 01 Jan 99999 00:00:00 GMT", None),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)  # fmt: skip
def test_a_wait_that_cannot_be_is_none(after, wait):
    with serving(lambda _: reply(error("busy"), 429, Retry_After=after)) as server:
        (found,) = asked(opened(server.base_url))
    assert found.wait == wait


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize(
    "other",
    [
        "http://127.0.0.1:{port}/v1",
        "http://localhost:{port}",
        "//127.0.0.1:{port}/x",
        "https://127.0.0.1/v1",
        "http://[x",
        "http:///v1",
        "http:////127.0.0.1:{port}/v1",
        "http:/\\127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}\\@127.0.0.1/",
    ],
)
def test_nothing_is_sent_to_another_origin(status, other, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(lambda _: reply(completion())) as victim:
        place = other.format(port=victim.port)
        with serving(lambda _: reply(b"", status, Location=place)) as server:
            config = opened(server.base_url, endpoint={"headers": {"api-key": "abc-123-def"}})
            (found,) = asked(config)
            with pytest.raises(TeacherFailed, match="redirects"):
                probe(config)
        assert type(found) is TeacherFailed
        assert "redirects" in str(found)
        assert len(server.asked) == 2
        assert victim.asked == []


def test_a_redirect_within_the_origin_is_followed():
    def moved(one: Asked) -> bytes:
        if one.line.startswith("POST /v2/"):
            return reply(completion())
        return reply(b"", 307, Location="/v2/chat/completions")

    with serving(moved) as server:
        (found,) = asked(opened(server.base_url, endpoint={"headers": {"X-A": "b"}}))
    assert found.text == "hello"
    assert server.asked[-1].headers["x-a"] == "b"


@pytest.mark.parametrize("host", ["LOCALHOST", "127.1"])
def test_an_origin_may_be_spelled_in_any_way(host):
    with serving(lambda _: reply(completion())) as server:
        (found,) = asked(opened(f"HTTP://{host}:{server.port}/v1"))
    assert isinstance(found, Answer), found


def test_a_redirect_to_itself_ends():
    with serving(lambda _: reply(b"", 307, Location="/v1/chat/completions")) as server:
        (found,) = asked(opened(server.base_url))
    assert isinstance(found, Unanswered)


def forms(secret: str) -> list[str]:
    plain = {secret, secret + "\n"}
    return [
        *plain,
        *(repr(one) for one in plain),
        *(json.dumps(one) for one in plain),
        *(repr(one.encode()) for one in plain),
        *(urllib.parse.quote(one, safe="") for one in plain),
        *(base64.b64encode(f"{user}{one}".encode()).decode() for one in plain
          for user in ("", "user:", "me:", "you:")),
        *(base64.urlsafe_b64encode(one.encode()).decode() for one in plain),
        secret.encode().hex(),
        secret.upper(),
        json.dumps(json.dumps(secret)),
        "".join(f"\\u{ord(letter):04x}" for letter in secret),
    ]  # fmt: skip


def told(found: BaseException, capfd) -> str:
    """Return all that an error and the terminal show."""
    out = capfd.readouterr()
    return "".join(traceback.format_exception(found)) + repr(found) + out.out + out.err


def core(form: str) -> str:
    """Return the inner part of a form, which nothing around it changes."""
    return form[8:-8]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_form_of_a_key_comes_back(status, monkeypatch, capfd):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    left = forms(KEY)
    with serving(lambda _: reply(error(f"wrong: {left.pop()}!"), status)) as server:
        found = asked(opened(server.base_url), times=len(left))
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    shown = "".join(told(one, capfd) for one in found)
    assert shown.count("wrong: ") >= len(found)
    assert not [form for form in forms(KEY) if core(form) in shown]


def test_a_reply_that_holds_the_key_is_kept_without_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(lambda _: reply(completion(f"navigate_to({KEY})"))) as server:
        (found,) = asked(opened(server.base_url))
    assert found.text == "navigate_to(***)"


def test_secrets_of_every_place_are_sent_and_not_shown(monkeypatch, capfd, caplog):
    for name in ("openai", "httpx", "httpx2"):
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.setenv("MY_FIELD", "field-secret-1")
    monkeypatch.setenv("MY_HEADER", "header-secret-1")
    secrets = ["pass-word-1", "query-secret-1", "literal-secret-1", "field-secret-1",
               "header-secret-1", base64.b64encode(b"me:pass-word-1").decode()]  # fmt: skip

    def echo(one: Asked) -> bytes:
        said = f"{one.line} {one.headers} {one.body}"
        return reply(error(said[:9000]), 400)

    with serving(echo) as server:
        place = f"http://me:pass-word-1@127.0.0.1:{server.port}/v1?api-version=2&key=query-secret-1"
        headers = {"api-key": "literal-secret-1", "X-More": "$MY_HEADER"}
        config = opened(
            place, parameters={"x": {"token": "$MY_FIELD"}}, endpoint={"headers": headers}
        )
        (found,) = asked(config)
        with pytest.raises(SubgoalError) as failed:
            probe(config)
    first = server.asked[0]
    assert "api-version=2&key=query-secret-1" in first.line
    assert first.headers["authorization"] == f"Basic {secrets[-1]}"
    assert (first.headers["api-key"], first.headers["x-more"]) == (secrets[2], secrets[4])
    assert first.json["x"] == {"token": "field-secret-1"}
    shown = told(found, capfd) + told(failed.value, capfd) + repr(config) + caplog.text
    assert not [one for one in secrets if one in shown]


@pytest.mark.parametrize("wrong", ["{}\n", "{}\r\n", " {}", "{} ", "a\nb{}", "{}\x00", "{}\x7f",
                                   "{}\u20ac", "{}\udcff", "\t{}"])  # fmt: skip
@pytest.mark.parametrize("place", ["key", "header", "literal"])
def test_what_no_header_can_hold_is_refused_before_anything_is_sent(
    wrong, place, monkeypatch, capfd
):
    value = wrong.format(KEY)
    if place != "literal":
        if "\0" in value:
            return  # no environment can hold it
        monkeypatch.setenv("MY_KEY", value)
    endpoint: dict[str, Any] = {
        "key": {"key_variable": "MY_KEY"},
        "header": {"headers": {"X-Mine": "$MY_KEY"}},
        "literal": {"headers": {"X-Mine": value}},
    }[place]
    with serving(lambda _: reply(completion())) as server:
        config = opened(server.base_url, endpoint=endpoint)
        with pytest.raises(TeacherFailed) as failed:
            Endpoint(config)
        with pytest.raises(TeacherFailed):
            probe(config)
    assert server.asked == []
    assert "nothing was sent" in str(failed.value)
    assert "Very" not in told(failed.value, capfd)


def test_a_header_that_the_sdk_takes_from_the_environment_is_checked_too(monkeypatch, capfd):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-very-secret\n")
    with serving(lambda _: reply(completion())) as server:
        (found,) = asked(opened(server.base_url))
    assert isinstance(found, TeacherFailed)
    assert server.asked == []
    assert "org-very" not in told(found, capfd)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "Content-Length", "transfer-encoding", "é"])
def test_a_header_must_have_a_name_that_is_free(name):
    with pytest.raises(TeacherFailed, match="header"):
        Endpoint(opened("http://127.0.0.1:9/v1", endpoint={"headers": {name: "value"}}))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:80",
        "ftp://h/v1",
        "http://",
        "http://h:99999",
        "http://h:x",
        "http://[::1",
        "http://h\n/v1",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_none_is_one_sentence(url):
    with pytest.raises(TeacherFailed, match="base_url"):
        Endpoint(opened(url))


PROXIES = {"http_proxy": "http://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost"])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_this_machine_is_reached_past_proxies(host, variable, monkeypatch):
    monkeypatch.setenv(variable, PROXIES[variable.lower()])
    with serving(lambda _: reply(completion())) as server:
        (found,) = asked(opened(f"http://{host}:{server.port}/v1"))
    assert found.text == "hello"


def test_another_machine_is_reached_through_the_proxy(monkeypatch):
    with serving(lambda _: reply(completion())) as proxy:
        login = f"http://me:proxy-secret@127.0.0.1:{proxy.port}"
        monkeypatch.setenv("HTTP_PROXY", login)
        monkeypatch.setenv("http_proxy", login)
        (found,) = asked(opened("http://teacher.invalid/v1"))
        monkeypatch.setenv("NO_PROXY", "teacher.invalid")
        monkeypatch.setenv("no_proxy", "teacher.invalid")
        (past,) = asked(opened("http://teacher.invalid/v1"))
    assert found.text == "hello"
    assert proxy.asked[0].line.startswith("POST http://teacher.invalid/v1/chat/completions")
    assert isinstance(past, Unanswered)
    assert past.state is AttemptState.REFUSED  # it never left
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "proxy",
    [
        "ftp://p-secret:1",
        "http://",
        "socks9://p-secret",
        "http://me:p-secret@h:99999",
        "http://[p-secret",
        "http://p-secret:x",
        "socks5://me:p-secret@h:1",
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(proxy, variable, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(TeacherFailed, match=variable) as failed:
        Endpoint(opened("http://teacher.invalid/v1"))
    assert "p-secret" not in told(failed.value, capfd)
