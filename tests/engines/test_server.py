"""Students behind a real server on a real socket answer as they do in this process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import torch

import tiny_models
from subgoal.engines.base import Generation
from subgoal.engines.config import ServerAccess
from subgoal.engines.server import OpenAIEngine
from subgoal.engines.server_client import StudentClient
from subgoal.engines.transformers import make_engine
from subgoal.errors import EngineFailed, RequestInvalid, TokenUnknown
from support.completions_server import CompletionsServer, ServedStudent

TEXTS = [[7, 3, 11], [9, 4], [5, 6, 7, 8, 10, 12]]
STOP = frozenset({2, 40})


@pytest.fixture(autouse=True)
def nothing_is_sent_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(StudentClient, "retries", 0)


def words(text):
    return [int(word) for word in text.split()]


def served(engine):
    decode = lambda ids: " ".join(str(number) for number in ids if number not in STOP)  # noqa: E731
    return ServedStudent(engine, decode)


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
    access = ServerAccess(base_url=base_url, **given)
    return OpenAIEngine(access.of(role), 64, tiny_models.VOCABULARY, words, grows=role == "both")


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


def test_many_at_once_answer_as_one_at_a_time(server):
    engine = connected(server.base_url)
    texts = [[3 + number % 50, 4, 5 + number % 7] for number in range(24)]
    together = engine.generate([asked(engine, ids) for ids in texts])
    alone = [engine.generate([asked(engine, ids)])[0] for ids in texts]
    assert [one.ids for one in together] == [one.ids for one in alone]


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
        monkeypatch.setenv("SUBGOAL_SERVER_KEY", "sekret-wrong")
        with pytest.raises(
            EngineFailed, match=r"refuses the API key; set .* SUBGOAL_SERVER_KEY"
        ) as failed:
            connected(server.base_url).check()
        assert "sekret" not in str(failed.value)
        monkeypatch.setenv("SUBGOAL_SERVER_KEY", "right")
        connected(server.base_url).check()


class _Foreign(BaseHTTPRequestHandler):
    """Answers as other servers do, with what the test put there."""

    choice: dict[str, Any] = {}
    choices: list[Any] | None = None
    usage: Any = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    asked: list[dict[str, Any]] = []

    def do_POST(self):
        _Foreign.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        choices = [{"index": 0, **_Foreign.choice}] if self.choices is None else self.choices
        head = {"id": "x", "object": "text_completion", "created": 0, "model": "both"}
        data = json.dumps({**head, "choices": choices, "usage": self.usage})
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
    assert answer.logprob is None
    _Foreign.choice = {"text": "5 6", "finish_reason": "length", "logprobs": None}
    assert engine.generate([asked(engine, [3, 4])])[0].ids == (5, 6)


def test_a_server_without_ids_cannot_choose_between_marks(foreign):
    engine = connected(foreign)
    for text in ("", "5"):
        _Foreign.choice = {"text": text, "finish_reason": "length", "logprobs": None}
        with pytest.raises(EngineFailed, match="does not say which token it chose"):
            engine.generate([asked(engine, [3, 4], first=(20, 21))])


def test_what_comes_after_the_end_is_none_of_the_answer(foreign):
    _Foreign.choice = {"text": "", "token_ids": [5, 40, 6, 7], "finish_reason": "length"}
    engine = connected(foreign)
    (answer,) = engine.generate([asked(engine, [3, 4])])
    assert (answer.ids, answer.stopped) == ((5, 40), True)


@pytest.mark.parametrize("number", [tiny_models.VOCABULARY, 2**40, 2**70, -1])
def test_an_id_past_the_vocabulary_is_named(foreign, number):
    _Foreign.choice = {"text": "", "token_ids": [5, number], "finish_reason": "length"}
    engine = connected(foreign)
    with pytest.raises(TokenUnknown, match=foreign) as caught:
        engine.generate([asked(engine, [3, 4])])
    assert (caught.value.number, caught.value.vocabulary) == (number, tiny_models.VOCABULARY)


@pytest.mark.parametrize(
    "choice",
    [
        {"token_ids": [5], "logprobs": {"token_logprobs": [float("nan")]}},
        {"token_ids": [5], "logprobs": {"token_logprobs": [float("-inf")]}},
        {"token_ids": [5], "logprobs": {"token_logprobs": "no"}},
        {"token_ids": ["5"]},
        {"token_ids": [5.0]},
        {"token_ids": 5},
        {"token_ids": []},
        {"text": ""},
        {"text": 7},
        None,
    ],
)
def test_an_answer_that_is_none_is_one_sentence(foreign, choice, monkeypatch):
    monkeypatch.setattr(_Foreign, "choices", [] if choice is None else [choice])
    engine = connected(foreign)
    with pytest.raises(EngineFailed, match=foreign):
        engine.generate([asked(engine, [3, 4])])


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens_details": {"cached_tokens": 10**30}}])
def test_absurd_counts_cost_nothing(foreign, usage, monkeypatch):
    monkeypatch.setattr(_Foreign, "usage", usage)
    _Foreign.choice = {"text": "", "token_ids": [5], "finish_reason": "length"}
    engine = connected(foreign)
    (answer,) = engine.generate([asked(engine, [3, 4])])
    assert 1 <= answer.computed <= 3


def test_no_beams_and_no_logits(foreign):
    engine = connected(foreign)
    with pytest.raises(RequestInvalid, match="beams"):
        engine.generate([asked(engine, [3], beams=2)])
    with pytest.raises(EngineFailed, match="gives no logits"):
        engine.logits(asked(engine, [3]).stream)


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
