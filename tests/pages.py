"""What a page of docs/ shows, done as a reader would, in the tiny world and for a moment."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import subgoal
from subgoal.cli.main import main

DOCS = Path(__file__).parents[1] / "docs"
TABLES: dict[str, Any] = {
    "world": {"environment": "errand"},
    "collect": {"per_type": 2},
    "annotate": {"teacher": "scripted"},
    "train": {
        "roles": ["both", "flat"],
        "dataset": {"vocabulary": 400, "context": 512},
        "student": {"layers": 1},
        "training": {"tokens": 1_000, "batch_tokens": 512, "checkpoint_tokens": 0, "threads": 1},
    },
    "evaluate": {"types": ["fetch"], "per_type": 1, "agents": ["hierarchical"]},
}
"""The configuration of a run of some seconds."""


class Page:
    """A page of docs/.

    Args:
        name: Its file's name.
        smaller: What it shows, and what a test takes in its place.
    """

    def __init__(self, name: str, smaller: Mapping[str, str]) -> None:
        self.text = (DOCS / name).read_text()
        self.smaller = smaller
        assert all(shown in self.text for shown in smaller)

    def blocks(self, language: str) -> list[str]:
        """Return the code of one language on the page."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def block(self, language: str, having: str) -> str:
        """Return the code that has these words, made smaller."""
        (found,) = (one for one in self.blocks(language) if having in one)
        for shown, small in self.smaller.items():
            found = found.replace(shown, small)
        return found

    def type_in(self, having: str, *further: str) -> None:
        """Do what the block of commands says that has these words, but for installing packages.

        Args:
            having: The words.
            further: Options for each command beside those that are shown.
        """
        for line in self.block("bash", having).replace("\\\n", " ").splitlines():
            match shlex.split(line, comments=True):
                case ["subgoal", *words]:
                    main([*words, *further])
                case ["accelerate", "launch", *words]:
                    launcher = [sys.executable, "-m", "accelerate.commands.launch"]
                    subprocess.run([*launcher, *words, *further], check=True)
                case [] | ["pip", "install", *_]:
                    pass
                case words:
                    pytest.fail(f"nobody here can type {words}")

    def has_each_once(self, *having: str) -> bool:
        """Return whether each block of commands has some of these words, and no two have one's."""
        found = [[words for words in having if words in one] for one in self.blocks("bash")]
        return all(len(one) == 1 for one in found) and len(found) == len(having)


def trained_run(folder: Path) -> None:
    """Write a run of all stages, and its configuration alone as `small.toml`, into a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("small.toml").write_text(tomli_w.dumps(TABLES))
        subgoal.Run("runs/mine", TABLES).all(worlds=1)


def configured(run: Path, by: Path) -> None:
    """Give a run folder, with nothing in it yet, the configuration of another one."""
    run.mkdir(parents=True)
    shutil.copy(by / "config.toml", run)
