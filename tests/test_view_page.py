"""What docs/view.md tells a reader to type works, in the tiny world."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

import subgoal
from pages import TABLES, Page

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

PAGE = Page("view.md", {})


@contextmanager
def watching(*words: str) -> Iterator[str]:
    """Run a command that serves until it is interrupted; yields the address that it prints."""
    program = [sys.executable, "-m", "subgoal", *words, "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


def test_the_command_of_the_page_shows_both_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("mine", "other"), start=1):
        run = subgoal.Run(f"runs/{name}", TABLES)
        run.evaluate(agents=["oracle"], worlds=1, per_type=number)
    (block,) = PAGE.blocks("bash")
    (line,) = block.splitlines()
    with watching(*shlex.split(line)[1:]) as address:
        with urlopen(address) as page:
            assert "</html>" in page.read().decode()
        with urlopen(urljoin(address, "api/episodes")) as answer:
            listed = json.load(answer)
    assert [row["run"] for row in listed["rows"]] == ["mine", "other", "other"]
