"""The stages of docs/quickstart.md, typed one after another, lead from nothing to an agent."""

import re
import shlex
from pathlib import Path

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


def test_the_stages_of_the_page_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(tomli_w.dumps(TABLES))
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (stages,) = (block for block in blocks if "subgoal annotate" in block)
    for shown, small in SMALLER.items():
        assert shown in stages
        stages = stages.replace(shown, small)
    for line in stages.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words[0] not in SERVERS:
            main(words)
    assert released_agent("my-agent").card.environment == "errand"
