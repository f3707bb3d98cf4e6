"""Students behind a real server on a real socket answer as they do in this process."""

import json
import math
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import torch

import tiny_models
from subgoal.errors import EngineFailed
from subgoal.language_models.completions_server import CompletionsServer, ServedStudent
from subgoal.language_models.engine import Generation
from subgoal.language_models.engine_config import ServerAccess
from subgoal.language_models.openai_engine import OpenAIEngine
from subgoal.language_models.transformers_engine import make_engine

TEXTS = [[7, 3, 11], [9, 4], [5, 6, 7, 8, 10, 12]]
STOP = frozenset({2, 40})


def words(text):
    return [int(word) for word in text.split()]


def served(engine):
    decode = lambda ids: " ".join(str(number) for number in ids if number not in STOP)  # noqa: E731
    return ServedStudent(engine, words, decode, STOP)


@pytest.fixture(scope="module")
def server():
    torch.manual_seed(0)
    students = {
        "both": served(make_engine(tiny_models.causal().eval(), 128)),
        "planner": served(make_engine(tiny_models.t5().eval(), 64)),
    }
    with CompletionsServer(students) as running:
        yield running


def connected(base_url, role="both", **given):
    access = ServerAccess(**({"base_url": base_url, "retries": 0} | given))
    return OpenAIEngine(access.of(role), 64, words, grows=role == "both")


def asked(engine, ids, **options):
    stream = engine.open()
    stream.extend(ids)
    settings: dict[str, Any] = {"stop": STOP, "limit": 9} | options
    return Generation(stream, **settings)


@pytest.mark.parametrize("role", ["both", "planner"])
@pytest.mark.parametrize(
    "options",
    [{}, {"limit": 1}, {"first": (20,)}, {"first": (20, 21, 33)}, {"first": (40,)},
     {"temperature": 1.5, "seed": 3}],
    ids=["free", "limit", "one first", "some first", "stop first", "sampled"],
)  # fmt: skip
def test_it_answers_as_the_engine_behind_it(server, role, options):
    model = tiny_models.causal() if role == "both" else tiny_models.t5()
    reference, engine = make_engine(model.eval(), 64), connected(server.base_url, role)
    if role == "planner" and "first" in options:
        return  # a prefix of an answer cannot be sent; encoder-decoder students have no marks
    expected = [reference.generate([asked(reference, ids, **options)])[0] for ids in TEXTS]
    asks = [asked(engine, ids, **options) for ids in TEXTS]
    found = engine.generate(asks)
    for ids, ask, one, two in zip(TEXTS, asks, expected, found, strict=True):
        assert one.ids == two.ids
        assert one.stopped == two.stopped
        assert two.logprob == pytest.approx(one.logprob, abs=1e-3)
        assert list(ask.stream.ids) == [*ids, *(two.ids if role == "both" else ())]


def test_the_server_computes_only_what_is_new(server):
    engine = connected(server.base_url)
    ask = asked(engine, range(3, 33), limit=2)
    (first,) = engine.generate([ask])
    ask.stream.extend([5, 6])
    (second,) = engine.generate([ask])
    assert first.computed >= 30
    assert second.computed <= 6
    assert engine.computed_tokens == first.computed + second.computed


def test_many_at_once_answer_as_one_at_a_time(server):
    engine = connected(server.base_url)
    texts = [[3 + number % 50, 4, 5 + number % 7] for number in range(24)]
    together = engine.generate([asked(engine, ids) for ids in texts])
    alone = [engine.generate([asked(engine, ids)])[0] for ids in texts]
    assert [one.ids for one in together] == [one.ids for one in alone]


def test_a_full_context_says_nothing(server):
    engine = connected(server.base_url)
    assert engine.generate([asked(engine, [5] * 64)])[0].ids == ()


def test_the_student_must_be_served(server):
    connected(server.base_url).check()
    with pytest.raises(EngineFailed, match=r"serves both, planner, not 'flat'; set"):
        connected(server.base_url, "flat").check()
    engine = connected(server.base_url, "flat")
    with pytest.raises(EngineFailed, match=r"refuses: .*'flat' does not exist"):
        engine.generate([asked(engine, [3])])


def test_a_server_that_is_not_there_is_one_sentence():
    with pytest.raises(
        EngineFailed, match=r"no student server answers at http://127\.0\.0\.1:9/v1"
    ):
        connected("http://127.0.0.1:9/v1").check()


def test_the_key_is_wanted_and_never_shown(monkeypatch):
    student = served(make_engine(tiny_models.causal().eval(), 64))
    with CompletionsServer({"both": student}, key="right") as server:
        monkeypatch.setenv("MY_KEY", "sekret-wrong")
        with pytest.raises(EngineFailed, match=r"refuses the API key; set .* MY_KEY") as failed:
            connected(server.base_url, key_variable="MY_KEY").check()
        assert "sekret" not in str(failed.value)
        monkeypatch.setenv("MY_KEY", "right")
        connected(server.base_url, key_variable="MY_KEY").check()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "both", "prompt": []}, 400, "prompt is empty"),
        ({"model": "both", "prompt": [3], "max_tokens": 0}, 400, "max_tokens"),
        ({"model": "both", "prompt": [3], "stream": True}, 400, "stream is not supported"),
        ({"model": "both", "prompt": [3], "logit_bias": {"4": 1}}, 400, "logit_bias must be 100"),
        ({"model": "other", "prompt": [3]}, 404, "'other' does not exist"),
    ],
)
def test_a_wrong_request_is_refused(server, body, status, said):
    import openai

    client = openai.OpenAI(api_key="none", base_url=server.base_url, max_retries=0)
    with pytest.raises(openai.APIStatusError, match=said) as refused:
        client.post("/completions", body=body, cast_to=object)
    assert refused.value.status_code == status


def test_a_prompt_may_be_words(server):
    import openai

    client = openai.OpenAI(api_key="none", base_url=server.base_url)
    words = client.completions.create(model="both", prompt="7 3 11", temperature=0, max_tokens=4)
    ids = client.completions.create(model="both", prompt=[7, 3, 11], temperature=0, max_tokens=4)
    assert words.choices[0].text == ids.choices[0].text != ""


def test_two_servers_cannot_share_a_port(server):
    with pytest.raises(EngineFailed, match="is taken"):
        CompletionsServer({}, server.server_port)


class _Foreign(BaseHTTPRequestHandler):
    """Answers as other servers do, with what the test put there."""

    choice: dict[str, Any] = {}
    asked: list[dict[str, Any]] = []

    def do_POST(self):
        _Foreign.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        choices = [{"index": 0, **_Foreign.choice}]
        head = {"id": "x", "object": "text_completion", "created": 0, "model": "both"}
        data = json.dumps({**head, "choices": choices, "usage": usage})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def foreign():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Foreign) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        _Foreign.asked = []
        yield f"http://127.0.0.1:{running.server_port}/v1"
        running.shutdown()


def test_what_vllm_says_is_read(foreign):
    _Foreign.choice = {
        "text": "5 6", "token_ids": [5, 6, 40], "finish_reason": "stop", "stop_reason": 40,
        "logprobs": {"token_logprobs": [-0.5, -0.25, None], "tokens": ["a", "b", "c"]},
    }  # fmt: skip
    engine = connected(foreign)
    (answer,) = engine.generate([asked(engine, [3, 4])])
    assert (answer.ids, answer.logprob, answer.stopped) == ((5, 6, 40), -0.75, True)
    (sent,) = _Foreign.asked
    assert sent["prompt"] == [3, 4]
    assert sent["stop_token_ids"] == [2, 40]
    assert sent["return_token_ids"] is True


def test_text_alone_is_encoded_again(foreign):
    _Foreign.choice = {"text": "5 6", "finish_reason": "stop", "logprobs": None}
    engine = connected(foreign)
    (answer,) = engine.generate([asked(engine, [3, 4])])
    assert (answer.ids, answer.stopped) == ((5, 6, 2), True)
    assert math.isnan(answer.logprob)
    _Foreign.choice = {"text": "5 6", "finish_reason": "length", "logprobs": None}
    assert engine.generate([asked(engine, [3, 4])])[0].ids == (5, 6)


def test_a_server_without_ids_cannot_choose_between_marks(foreign):
    _Foreign.choice = {"text": "", "finish_reason": "length", "logprobs": None}
    engine = connected(foreign)
    with pytest.raises(EngineFailed, match=r"does not say which token it chose.*student-server"):
        engine.generate([asked(engine, [3, 4], first=(20, 21))])


def test_no_beams_and_no_logits(foreign):
    engine = connected(foreign)
    with pytest.raises(EngineFailed, match=r"no beams; set decoding\.beams = 1"):
        engine.generate([asked(engine, [3], beams=2)])
    with pytest.raises(EngineFailed, match="gives no logits"):
        engine.logits(engine.open())


def test_a_request_that_is_too_long_is_refused_unread(server):
    with socket.create_connection(server.server_address) as line:
        line.sendall(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
        assert b" 413 " in line.recv(200)


def test_what_goes_wrong_in_the_server_is_told(server, monkeypatch):
    import openai

    def broken(body):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(server, "complete", broken)
    client = openai.OpenAI(api_key="none", base_url=server.base_url, max_retries=0)
    with pytest.raises(openai.InternalServerError, match="RuntimeError: out of memory"):
        client.completions.create(model="both", prompt=[7])


class _Page(BaseHTTPRequestHandler):
    """Something else on the port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is logged."""


def test_something_else_on_the_port_is_one_sentence():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        with pytest.raises(EngineFailed, match="is no OpenAI-compatible server"):
            connected(f"http://127.0.0.1:{page.server_port}/v1").check()
        page.shutdown()
