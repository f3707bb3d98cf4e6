"""What docs/sharing.md tells a reader to type and to write works."""

import re
import shlex
import shutil
from pathlib import Path

from huggingface_hub import constants

import subgoal
from subgoal.cli.main import main
from tests.support.hub_server import TOKEN, HubServer

PAGE = (Path(__file__).parents[1] / "docs" / "sharing.md").read_text()
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
    "evaluate": {"protocol": "test", "per_type": 1, "agents": ["hierarchical"]},
}


def blocks(language: str) -> list[str]:
    """Return the code of one language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subgoal.Run("runs/mine", TABLES).all(worlds=1)
    for name in ("before", "after"):
        shutil.copytree("runs/mine", f"runs/{name}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    typed = [line for block in blocks("bash") for line in block.splitlines()]
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        for line in typed:
            main(shlex.split(line, comments=True)[1:])
    assert [shlex.split(line)[1] for line in typed] == ["runs", "share", "share", "reproduce"]
    assert len(hub.repositories) == 2
