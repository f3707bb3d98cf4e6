"""What docs/quickstart.md tells a reader to write and to type leads from nothing to an agent."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import tomli_w

from subgoal.agents.released import released_agent
from subgoal.cli.main import main

PAGE = (Path(__file__).parents[1] / "docs" / "quickstart.md").read_text()
TABLES = {
    "world": {"environment": "errand"},
    "collect": {"per_type": 2},
    "annotate": {"teacher": "scripted"},
    "train": {
        "roles": ["both"],
        "dataset": {"vocabulary": 400, "context": 512},
        "student": {"layers": 1},
        "training": {"tokens": 1_000, "batch_tokens": 512, "checkpoint_tokens": 0, "threads": 1},
    },
    "evaluate": {"types": ["fetch"], "per_type": 1, "agents": ["hierarchical"]},
    "improve": {"per_type": 1},
    "reinforce": {"rounds": 1, "variations": 1, "attempts": 2, "dev_every": 0},
}
SMALLER = {"configs/demo.toml": "small.toml", "find-plant": "fetch"}
"""The tiny world, which needs no Java, for a moment."""
SERVERS = ("serve", "view")
"""What goes on until it is stopped; tests of their own run them."""


def block(language: str, having: str) -> str:
    """Return the code on the page that has these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (one for one in blocks if having in one)
    return found


def test_the_stages_of_the_page_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(tomli_w.dumps(TABLES))
    stages = block("bash", "subgoal annotate")
    for shown, small in SMALLER.items():
        assert shown in stages
        stages = stages.replace(shown, small)
    for line in stages.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words[0] not in SERVERS:
            main(words)
    assert released_agent("my-agent").card.environment == "errand"


@pytest.mark.parametrize(("name", "code"), [("rooms", "rooms.jsonl"), ("lamps", "class Lamps")])
def test_what_is_ones_own_is_learned(name, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    Path(f"{name}.py").write_text(block("python", code))
    table = block("toml", f"{name}" + (".jsonl" if name == "rooms" else ":Lamps"))
    table, known = re.subn(r"tokens = (50|100)_000", "tokens = 1_000", table)
    assert known == 1
    Path(f"{name}.toml").write_text(table + "[train.student]\nlayers = 1\n")
    for line in block("bash", f"{name}.toml").splitlines():
        program, *words = shlex.split(line.replace("200_000", "2_000"), comments=True)
        if program == "python":
            runpy.run_path(words[0])
        elif words[0] not in SERVERS:
            main(words)
    made = "assessment.html" if name == "rooms" else "report.html"
    assert Path("runs", name, made).is_file()
    sys.modules.pop(name, None)
