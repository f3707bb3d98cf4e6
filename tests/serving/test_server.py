"""The command: it listens, answers, and finishes what is under way when it is told to stop."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from trips import TOOLS, asks

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")


def _begun(*words: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "subgoal", "serve", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


def _lets_in(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_what_is_under_way_is_finished_before_it_stops(trips: Path) -> None:
    with _begun("--agent", str(trips), "--port", "0") as process:
        url = _address(process)
        assert url.startswith("http://127.0.0.1:")
        body = json.dumps({"messages": asks("Rome"), "tools": TOOLS})
        heard, found = threading.Event(), list[httpx.Response]()

        def pieces():
            yield body[:10].encode()
            heard.wait()
            yield body[10:].encode()

        def ask() -> None:
            kind = {"content-type": "application/json"}
            found.append(httpx.post(f"{url}/v1/chat/completions", content=pieces(), headers=kind))

        asking = threading.Thread(target=ask)
        asking.start()
        while "subgoal_under_way 2.0" not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.01)  # it has begun, beside the one that asks
        process.send_signal(signal.SIGTERM)
        while _lets_in(url):
            time.sleep(0.01)
        heard.set()
        asking.join()
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    (said,) = found
    assert said.json()["choices"][0]["finish_reason"] == "tool_calls"
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [one for one in lines if one["route"] == "/v1/chat/completions"]
    assert (line["status"], line["method"], line["by"]) == (200, "POST", "trips-agent")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--agent", "sciencworld"), "scienceworld"),
        (("--host", "0.0.0.0"), "SUBGOAL_TOKEN"),
        (("--agent", "scienceworld", "--kind", "flat"), "--kind"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...],
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from subgoal.cli.main import main

    monkeypatch.delenv("SUBGOAL_TOKEN", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["serve", *words])
    assert ended.value.code == 2
    assert named in capsys.readouterr().err
