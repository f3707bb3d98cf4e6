"""Turns that the student is not certain of go to the LLM that was there before, and teach.

A second server of the same agent stands for the LLM.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.storage import journal
from support.raw_server import Asked, completion, reply, serving
from trips import TOOLS, Running, asks, running, thought_of, whole

CHAT = "/v1/chat/completions"


def _asking(llm: Running | None, place: Path, **more: Any) -> dict[str, Any]:
    return {
        "ask": f"{llm.url}/v1" if llm is not None else "",
        "ask_model": "the-llm",
        "ask_below": 1.0,
        "ask_log": place / "asked.jsonl",
        "ask_ledger": place / "ledger.sqlite",
        "ask_price": (2.0, 10.0),
        **more,
    }


def _ask(server: Running, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    said = httpx.post(
        server.url + CHAT, json={"messages": messages, "tools": TOOLS, **more}, timeout=60
    )
    assert said.status_code == 200
    return said.json()


def _value(server: Running, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def test_what_the_llm_answered_is_learned_and_nothing_else_of_it(
    served: Running, trips: Path, tmp_path: Path
) -> None:
    history = whole("Rome", 12)
    with running(trips, **_asking(served, tmp_path)) as server:
        first = _ask(server, history[:2])
        assert (first["answered_by"], first["choices"][0]["finish_reason"]) == (
            "the-llm",
            "tool_calls",
        )
        assert 0 < first["certainty"] < 1  # the student's, which was too small
    with running(trips, **_asking(served, tmp_path, ask_below=0.0)) as server:
        assert _ask(server, history[:4])["answered_by"] == "trips-agent"
    with running(trips, **_asking(served, tmp_path)) as server:
        last = _ask(server, history[:6])
        assert last["choices"][0]["message"]["content"] == "Your room in Rome is booked."
        _ask(server, whole("Oslo", 7)[:2])
    config = LogsConfig(files=(tmp_path / "asked.jsonl",), group_key="group")
    summary = import_logs(config, RunFolder(tmp_path / "run"))
    assert sum(summary.taken.values()) == 2  # the first is the beginning of the one after
    assert (summary.turns, summary.reread) == (4, 1)
    paths = {path.steps[0].look: path for path in journal(RunFolder(tmp_path / "run"))}
    rome = paths["A room in Rome, please."]
    assert [(step.action, step.injected) for step in rome.steps] == [
        ('-> find(city="Rome")', False),
        ("-> book(room=12)", True),
        ("Your room in Rome is booked.", False),
    ]
    assert rome.task.variation != paths["A room in Oslo, please."].task.variation


def test_money_and_share_are_counted_and_nothing_is_paid_twice(
    served: Running, trips: Path, tmp_path: Path
) -> None:
    with running(trips, **_asking(served, tmp_path)) as server:
        said = _ask(server, asks("Rome"))
        cost = _value(server, "subgoal_ask_cost_total")
        used = said["usage"]
        assert cost == pytest.approx(
            (2 * used["prompt_tokens"] + 10 * used["completion_tokens"]) / 1e6
        )
        before = _value(served, 'subgoal_requests_total{route="/v1/chat/completions"')
        again = _ask(server, asks("Rome"), stream=False)
        assert again["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "find"
        assert _value(server, 'subgoal_turns_total{by="the-llm"}') == 2
        assert _value(served, 'subgoal_requests_total{route="/v1/chat/completions"') == before
    assert len((tmp_path / "asked.jsonl").read_text().splitlines()) == 1


def test_a_tool_that_is_not_offered_is_not_called(
    served: Running, trips: Path, tmp_path: Path
) -> None:
    with running(trips, **_asking(served, tmp_path, ask_below=0.0)) as server:
        said = _ask(server, asks("Rome"), tools=TOOLS[1:])
    assert said["answered_by"] == "the-llm"


def test_the_student_answers_where_the_llm_does_not(
    served: Running, trips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-nobody-sees")
    for change in (
        {"ask": "http://127.0.0.1:9/v1"},
        {"ask": f"{served.url}/nothing"},
        {"ask_budget": 0.0},
    ):
        with running(trips, **_asking(served, tmp_path, **change)) as server:
            said = _ask(server, asks("Rome"))
            assert said["answered_by"] == "trips-agent"
            call = said["choices"][0]["message"]["tool_calls"][0]["function"]
            assert json.loads(call["arguments"]) == {"city": "Rome"}
    assert (tmp_path / "asked.jsonl").read_bytes() == b""
    assert b"nobody-sees" not in (tmp_path / "ledger.sqlite").read_bytes()


def _said(finish: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return completion(choices=[choice])


BROKEN: dict[str, bytes] = {
    "429": reply({"error": {"message": "slow down"}}, 429, retry_after="600"),
    "500": reply(b"<html>oops</html>", 500),
    "a page": reply(b"<html>log in</html>"),
    "no reply": b"",
    "half a reply": reply(completion())[:-9],
    "a stream": reply(
        b'data: {"choices": []}\n\ndata: [DONE]\n\n', content_type="text/event-stream"
    ),
    "no choice": reply({"choices": []}),
    "no message": reply(completion(choices=[{"message": None}])),
    "no words": reply(_said(content="")),
    "half of a call": reply(
        _said(
            "length",
            content=None,
            tool_calls=[{"id": "a", "function": {"name": "find", "arguments": '{"ci'}}],
        )
    ),
    "deep": reply(b'{"choices": ' + b"[" * 100_000),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_the_students_turn_stands_where_the_llm_is_broken(
    trips: Path, tmp_path: Path, kind: str
) -> None:
    with serving(lambda _: BROKEN[kind]) as llm:
        change = {"ask": llm.base_url}
        with running(trips, **_asking(None, tmp_path, **change)) as server:
            said = _ask(server, asks("Rome"))
        assert said["answered_by"] == "trips-agent"
        assert said["choices"][0]["finish_reason"] == "tool_calls"
        assert len(llm.asked) == 1
    assert (tmp_path / "asked.jsonl").read_bytes() == b""


def test_an_llm_that_never_ends_is_waited_for_so_long(trips: Path, tmp_path: Path) -> None:
    def drips(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n"
        while True:
            time.sleep(0.02)
            yield b" "

    with serving(drips) as llm:
        change = {"ask": llm.base_url, "ask_seconds": 0.3}
        with running(trips, **_asking(None, tmp_path, **change)) as server:
            assert _ask(server, asks("Rome"))["answered_by"] == "trips-agent"


def test_what_was_paid_for_counts_though_it_cannot_be_used(trips: Path, tmp_path: Path) -> None:
    with serving(lambda _: BROKEN["no words"]) as llm:
        change = {"ask": llm.base_url, "ask_budget": 1e-6}
        with running(trips, **_asking(None, tmp_path, **change)) as server:
            _ask(server, asks("Rome"))
            _ask(server, asks("Oslo"))  # it would cost more than there is
        assert len(llm.asked) == 1


def test_half_a_turn_is_answered_and_taught_to_nobody(trips: Path, tmp_path: Path) -> None:
    with serving(lambda _: reply(_said("length", content="Your room is"))) as llm:
        with running(trips, **_asking(None, tmp_path, ask=llm.base_url)) as server:
            said = _ask(server, asks("Rome"), max_tokens=3)
        assert said["answered_by"] == "the-llm"
        assert said["choices"][0]["finish_reason"] == "length"
    assert (tmp_path / "asked.jsonl").read_bytes() == b""


def test_the_llm_gets_what_the_client_asked_but_no_thoughts(trips: Path, tmp_path: Path) -> None:
    with serving(lambda _: reply(completion("Which city?"))) as llm:
        with running(trips, **_asking(None, tmp_path, ask=llm.base_url)) as server:
            history = thought_of(whole("Rome", 12)[:4])
            said = _ask(server, history, temperature=0.7, stream=False, n=1, seed=3, model="x")
        assert said["choices"][0]["message"]["content"] == "Which city?"
        (asked,) = llm.asked
        assert asked.json == {
            "model": "the-llm",
            "messages": whole("Rome", 12)[:4],
            "tools": TOOLS,
            "temperature": 0.7,
            "seed": 3,
        }


def test_a_tool_that_must_be_called_is_called_by_the_llm(
    served: Running, trips: Path, tmp_path: Path
) -> None:
    with running(trips, **_asking(served, tmp_path, ask_below=0.0)) as server:
        for name, by in (("find", "trips-agent"), ("book", "the-llm")):
            wanted = {"type": "function", "function": {"name": name}}
            assert _ask(server, asks("Rome"), tool_choice=wanted)["answered_by"] == by
        last = whole("Rome", 12)[:6]
        assert _ask(server, last, tool_choice="auto")["answered_by"] == "trips-agent"
        assert _ask(server, last, tool_choice="required")["answered_by"] == "the-llm"


def test_a_torn_line_is_ended_before_the_next(served: Running, trips: Path, tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    with running(trips, **_asking(served, tmp_path)) as server:
        _ask(server, asks("Rome"))
    whole_line = file.read_bytes()
    file.write_bytes(whole_line + whole_line[:50])  # killed while it wrote
    with running(trips, **_asking(served, tmp_path)) as server:
        _ask(server, asks("Oslo"))
    summary = import_logs(LogsConfig(files=(file,)), RunFolder(tmp_path / "run"))
    assert (sum(summary.taken.values()), len(file.read_bytes().splitlines())) == (2, 3)


def test_a_log_that_cannot_be_written_is_told_at_the_start_and_costs_no_answer(
    served: Running, trips: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    wrong = _asking(served, tmp_path, ask_log=tmp_path / "file" / "asked.jsonl")
    with pytest.raises(ConfigInvalid, match="--ask-log"), running(trips, **wrong):
        pass
    new = _asking(served, tmp_path, ask_log=tmp_path / "new" / "asked.jsonl")
    with running(trips, **new) as server:
        shutil.rmtree(tmp_path / "new")
        assert _ask(server, asks("Rome"))["answered_by"] == "the-llm"
        assert "not kept for training" in caplog.text
        (tmp_path / "new").mkdir()
        _ask(server, asks("Rome"))  # what the ledger has is kept now
    assert len((tmp_path / "new" / "asked.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("change", [{"ask_model": ""}, {"ask_price": None, "ask_budget": 1.0}])
def test_what_is_missing_to_ask_is_named(
    served: Running, trips: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    with (
        pytest.raises(ConfigInvalid, match="--ask-"),
        running(trips, **_asking(served, tmp_path, **change)),
    ):
        pass
