"""`subgoal student-server`: students of a run folder, served to another process's evaluation."""

import os
import re
import signal
import subprocess
import sys

import pytest

from subgoal.cli.main import main
from subgoal.cli.student_server import StudentServerOptions, _students
from subgoal.errors import ConfigInvalid, StudentInvalid
from subgoal.evaluation.summary import journal
from subgoal.run_folder import RunFolder

CONFIG = """
[collect]
environment = "errand"
per_type = 2
[annotate]
teacher = "scripted"
[train]
roles = ["both"]
[train.dataset]
vocabulary = 400
context = 512
[train.training]
tokens = 2_000
batch_tokens = 512
looks = 1
threads = 1
[evaluate]
environment = "errand"
protocol = "plain"
per_type = 1
agents = ["hierarchical"]
"""


def _episodes(run):
    played = journal(RunFolder(run), "plain", "hierarchical").by_key()
    return {key: [step.action for step in one.steps] for key, one in played.items()}


def test_an_evaluation_on_a_server_is_the_one_on_this_machine(tmp_path, capsys):
    (tmp_path / "config.toml").write_text(CONFIG)
    run = tmp_path / "run"
    main(["run", "--config", str(tmp_path / "config.toml"), "--run", str(run)])
    here = _episodes(run)
    words = ["student-server", "--run", str(run), "--port", "0"]
    server = subprocess.Popen(
        [sys.executable, "-m", "subgoal.cli.main", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    try:
        assert server.stdout is not None
        said = ""
        while "base-url" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
        assert "the students both answer at" in said
        (url,) = re.findall(r"--evaluate.engine.server.base-url (\S+)", said)
        engine = ["--evaluate.engine.engine", "openai", "--evaluate.engine.server.base-url", url]
        main(["evaluate", "--run", str(run), "--restart", *engine])
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0
    assert _episodes(run) == here
    assert "hierarchical played both on openai both" in capsys.readouterr().out


def test_students_are_not_served_to_strangers(monkeypatch, capsys):
    monkeypatch.delenv("SUBGOAL_SERVER_KEY", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["student-server", "--host", "0.0.0.0"])
    assert ended.value.code == 2
    assert "set the environment variable SUBGOAL_SERVER_KEY" in capsys.readouterr().err


def test_a_folder_without_students_is_one_sentence(tmp_path):
    with pytest.raises(StudentInvalid, match="holds no student; first run `subgoal train"):
        _students(StudentServerOptions(run=tmp_path))
    with pytest.raises(ConfigInvalid, match="computes itself"):
        _students(StudentServerOptions.model_validate({"engine": {"engine": "openai"}}))
