"""Ctrl-C in mid-play: what was finished is kept, and how to go on is said."""

import subprocess
import sys
from pathlib import Path

from subgoal.cli.main import main
from subgoal.evaluation.summary import journal
from subgoal.storage.run_folder import RunFolder

INTERRUPTED = """
import os, signal, sys
from subgoal.cli.main import main
from subgoal.environments.errand import ErrandWorld

begun, reset = [], ErrandWorld.reset

def interrupted(world, task):
    begun.append(task)
    if len(begun) == 6:
        os.kill(os.getpid(), signal.SIGINT)  # as the keyboard does
        signal.sigtimedwait([], 1)  # the world is at work while it happens
    return reset(world, task)

ErrandWorld.reset = interrupted
# A suite that runs in the background of a shell hands down a signal that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""


def test_evaluate_keeps_whole_episodes_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a run")
    words = ["evaluate", "--run", str(folder.path), "--world.environment", "errand"]
    words += ["--evaluate.protocol", "test", "--evaluate.agents", "oracle", "--worlds", "1"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert f"subgoal evaluate --run '{folder.path}' --world.environment errand" in done.stderr
    store = journal(folder, "test", "oracle")
    assert store.path.read_bytes().endswith(b"}\n")
    kept = store.by_key()
    assert 1 <= len(kept) <= 5
    main(words)
    after = store.by_key()
    assert len(after) == 60
    assert {key: after[key] for key in kept} == kept
