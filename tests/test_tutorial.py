"""What docs/worlds.md tells a reader to write and to type goes from nothing to a trained agent."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.environments.registry import make
from subgoal.environments.testing import EnvironmentContract

PAGE = (Path(__file__).parents[1] / "docs" / "worlds.md").read_text()
SMALLER = {
    "400_000": "2_000",
    "per_type = 92": "per_type = 4",
    "vocabulary = 400": "vocabulary = 300",
}


def blocks(language: str) -> list[str]:
    """Return the code of one language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write what the page says into a working directory."""
    (tmp_path / "kitchen.py").write_text(blocks("python")[0])
    table = blocks("toml")[0]
    for shown, small in SMALLER.items():
        assert shown in table
        table = table.replace(shown, small)
    (tmp_path / "kitchen.toml").write_text(table)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("kitchen", None)


def test_the_commands_of_the_tutorial_work(
    kitchen: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    words = [shlex.split(line, comments=True)[1:] for line in lines if "kitchen" in line]
    assert [one[0] for one in words] == ["doctor", "run", "play", "play", "play"]
    small = {"doctor": ["--seconds", "1"], "run": ["--evaluate.per-type", "1"]}
    for one in words:
        if "--by-hand" not in one:
            main([*one, *small.get(one[0], [])])
    assert (kitchen / "runs" / "kitchen" / "report.html").exists()
    said = capfd.readouterr().out
    assert "keeps the contract" in said
    assert "hierarchical" in said


@pytest.mark.usefixtures("kitchen")
def test_the_kitchen_keeps_the_contract() -> None:
    class Kept(EnvironmentContract):
        def make(self):
            return make("kitchen:Kitchen")

    tests = Kept()
    for name in filter(lambda name: name.startswith("test_"), dir(tests)):
        getattr(tests, name)()
