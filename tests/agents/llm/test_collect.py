"""A model as the expert, over a real socket."""

import signal
import subprocess
import sys

import pytest

from subgoal.agents.llm.forecast import forecast
from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.cli.main import main
from subgoal.environments.base import StopReason
from subgoal.errors import ConfigInvalid, EnvironmentFailed, RunFolderInvalid, TeacherFailed
from subgoal.trajectories.collect import failures
from subgoal.trajectories.storage import journal

REACT = {"source": "react", "worlds": 2}


def test_paths_of_a_model_are_collected_whether_they_solve_or_not(serve, run_with):
    run = run_with(serve())
    summary = run.collect(per_type=1, **REACT)
    ends = {path.task.name: path.stop_reason for path in journal(run.folder)}
    assert {path.source for path in journal(run.folder)} == {"react"}
    assert ends.pop("visit-and-focus") is StopReason.LOOP
    assert set(ends.values()) == {StopReason.SOLVED}
    assert (summary.solved, summary.paths) == (2, 3)
    assert run.annotate(teacher="scripted").direct == 2


def test_a_collection_that_is_stopped_pays_for_nothing_twice(serve, run_with):
    server = serve(faults=FaultRates.spread(0.2), slow_seconds=0.01, retry_after=0.01)
    with pytest.raises(TeacherFailed):
        run_with(server, budget={"max_calls": 30}).collect(per_type=2, **REACT)
    before = server.delivered
    assert 0 < before.replies <= 30
    run = run_with(server)
    run.collect(per_type=2, **REACT)
    assert server.delivered.replies > before.replies
    assert server.delivered.repeated == 0
    paid = server.delivered.replies
    run.collect(per_type=2, **REACT)
    run.collect(per_type=2, restart=True, **REACT)
    assert server.delivered.replies == paid


def test_another_model_is_another_collection(serve, run_with):
    server = serve()
    run_with(server).collect(per_type=1, **REACT)
    with pytest.raises(RunFolderInvalid, match="expert"):
        run_with(server, model="rehearsal-2").collect(per_type=1, **REACT)


def test_a_task_that_the_model_refuses_is_named(serve, run_with):
    run = run_with(serve(context=300))
    with pytest.raises(EnvironmentFailed, match="context"):
        run.collect(per_type=1, **REACT)
    named = list(failures(run.folder))
    assert len(named) == 3
    assert all("context" in failure.reason for failure in named)


def test_a_dry_run_foresees_what_a_model_needs_that_acts_as_the_oracle(serve, run_with, tmp_path):
    server = serve()
    words = [
        *("--run", str(tmp_path / "run"), "--world.environment", "errand"),
        *("--world.types", "fetch", "--collect.source", "react", "--collect.per-type", "1"),
        *(
            "--annotate.openai.model",
            "rehearsal",
            "--annotate.openai.prices",
            "rehearsal",
            "1",
            "10",
        ),
        *("--annotate.openai.endpoint.base-url", server.base_url),
        *("--annotate.openai.ledger", str(tmp_path / "ledger.sqlite")),
    ]
    run = run_with(server)
    asked = run.config.collect.model_copy(
        update={"source": "react", "types": ("fetch",), "per_type": 1}
    )
    foreseen = forecast(asked, run.config.annotate.openai)
    main(["collect", *words, "--dry-run"])
    assert server.delivered.requests == 0
    main(["collect", *words])
    assert foreseen.calls == server.delivered.replies
    # Its thoughts are longer than the server's.
    assert foreseen.input_tokens >= server.delivered.input_tokens
    assert foreseen.cost is not None
    main(["play", *words[:4], *words[10:], "--agent", "react", "--task", "fetch"])
    assert server.delivered.replies > foreseen.calls


def test_what_is_free_has_no_dry_run(serve, run_with):
    run = run_with(serve())
    with pytest.raises(ConfigInvalid, match="shipped"):
        forecast(run.config.collect, run.config.annotate.openai)


KILLED = """
import os, signal
from subgoal import Run
from subgoal.annotation.teachers.llm.ledger import Ledger
answered, left = Ledger.answered, [9]
def counted(self, *given):
    answered(self, *given)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
Ledger.answered = counted
Run({folder!r}, {config!r}).collect(per_type=2, source="react", worlds=1)
"""


def test_a_collection_that_is_killed_pays_for_nothing_twice(serve, run_with):
    server = serve()
    run = run_with(server)
    config = run.config.model_dump(mode="json", include={"annotate": {"openai"}})
    config["world"] = {"environment": "errand"}
    script = KILLED.format(folder=str(run.folder.path), config=config)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert server.delivered.replies == 9
    assert run.collect(per_type=2, **REACT).paths == 6
    assert server.delivered.repeated == 0
