"""Turns that the student is not certain of go to the LLM that was there before, and teach.

A second server of the same agent stands for the LLM.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.importing import import_logs
from subgoal.trajectories.storage import journal
from trips import TOOLS, Running, asks, running, whole

CHAT = "/v1/chat/completions"


def _asking(llm: Running, place: Path, **more: Any) -> dict[str, Any]:
    return {
        "ask": f"{llm.url}/v1",
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
    assert not (tmp_path / "asked.jsonl").exists()
    assert b"nobody-sees" not in (tmp_path / "ledger.sqlite").read_bytes()


@pytest.mark.parametrize("change", [{"ask_model": ""}, {"ask_price": None, "ask_budget": 1.0}])
def test_what_is_missing_to_ask_is_named(
    served: Running, trips: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    with (
        pytest.raises(ConfigInvalid, match="--ask-"),
        running(trips, **_asking(served, tmp_path, **change)),
    ):
        pass
