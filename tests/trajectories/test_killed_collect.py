"""`subgoal collect` on the real ScienceWorld, killed at random moments, ends in the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import journal

COMMAND = (sys.executable, "-c", "from subgoal.cli.main import main; main()", "collect")
CONFIG = """
[world]
types = ["find-plant", "power-component", "lifespan-longest-lived", "chemistry-mix"]
[collect]
per_type = 4
"""


def start(run: Path, worlds: int) -> subprocess.Popen[bytes]:
    words = ("--config", str(run.with_name("c.toml")), "--run", str(run), "--worlds", str(worlds))
    return subprocess.Popen(
        (*COMMAND, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_later(process: subprocess.Popen[bytes], run: Path, wanted: int, extra: float) -> bool:
    """Kill a collect some moments after it holds `wanted` paths; tell whether it still ran."""
    plain = run / "trajectories.jsonl"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if plain.exists() and plain.read_bytes().count(b"\n") > wanted:
            time.sleep(extra)
            break
        time.sleep(0.02)
    worlds = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    os.kill(process.pid, signal.SIGKILL)
    killed = process.wait() == -signal.SIGKILL
    _, left = psutil.wait_procs(worlds, timeout=30)
    assert not left, "the worlds outlived their killed parent"
    return killed


@pytest.mark.slow
def test_a_collect_that_is_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, worlds=1).wait() == 0
    chance = random.Random(0)
    kills, manifest = 0, None
    for wanted in (0, 3, 7, 11):
        kills += kill_later(start(broken, 2), broken, wanted, chance.uniform(0, 0.5))
        manifest = RunFolder(broken).manifest("collect")
    assert kills >= 3
    assert manifest is not None
    assert manifest.state is StageState.BEGUN
    held = set(journal(RunFolder(broken)).by_key())
    assert 0 < len(held) < 16
    assert start(broken, worlds=2).wait() == 0
    for name in ("trajectories.jsonl.zst", "collect_failures.jsonl.zst"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert len(journal(RunFolder(broken)).by_key()) == 16
