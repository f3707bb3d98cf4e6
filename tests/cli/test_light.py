"""What only prints text answers at once: it loads neither torch nor the like."""

import json
import subprocess
import sys

import pytest

from subgoal.cli.main import VERBS, main

HEAVY = ("torch", "transformers", "numba", "ctranslate2", "py4j", "pandas")
EACH = """
import json, sys
from contextlib import suppress
from subgoal.cli.main import main
for words in json.loads(sys.argv[1]):
    with suppress(SystemExit):
        main(words)
    loaded = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    if loaded:
        sys.exit(f"`subgoal {' '.join(words)}` loads {', '.join(loaded)}")
"""


def run_all(*commands):
    """Run commands one after another in a process of their own, and see what they load."""
    words = [[str(word) for word in command] for command in commands]
    code = [sys.executable, "-c", EACH, json.dumps(words), json.dumps(HEAVY)]
    done = subprocess.run(code, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_help_is_light():
    said = run_all([], ["help"], *([verb, "--help"] for verb in VERBS), ["completion"]).stdout
    assert all(verb in said for verb in VERBS)


def test_a_mistake_in_a_command_line_is_told_lightly():
    run_all(
        ["trian"],
        ["train", "--train.roles", "bot"],
        ["train", "--tokens", "1e6"],
        ["run", "--worlds", "many"],
        ["play", "--agent", "nobody"],
        ["evaluate", "--agent", "nobody"],
        ["evaluate", "--evaluate.protocol", "pape"],
        ["evaluate", "--evaluate.environment", "erand"],
        ["play", "--by-hand", "--task", "nothing", "--evaluate.environment", "errand"],
    )


@pytest.mark.parametrize("text", ["[train", "[trian]", "[train]\nroles = ['bot']"])
def test_a_mistake_in_a_configuration_is_told_lightly(tmp_path, text):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    said = run_all(*([verb, "--config", file] for verb in ("run", "train", "play"))).stderr
    assert said.count(str(file)) == 3


def test_an_agent_without_students_plays_lightly(tmp_path):
    world = ("--world.environment", "errand", "--evaluate.protocol", "test")
    agents = ("oracle", "random_action")
    run_all(*(["play", "--run", tmp_path, "--agent", agent, *world] for agent in agents))


def test_what_there_is_is_listed_and_reported_lightly(tmp_path):
    world = ("--world.environment", "errand", "--evaluate.protocol", "test")
    played = ("--evaluate.agents", "oracle", "--evaluate.per-type", "1")
    run = tmp_path / "run"
    main(["evaluate", "--run", str(run), *world, *played])
    said = run_all(["runs", "--folder", tmp_path], ["report", "--run", run], ["doctor", "--quick"])
    assert str(run / "report.html") in "".join(said.stdout.split())
