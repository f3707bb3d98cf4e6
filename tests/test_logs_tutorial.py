"""What docs/logs.md tells a reader to write and to type goes from a log to students."""

import json
import re
import shlex
from pathlib import Path

import pytest

import subgoal
from subgoal.cli.main import main
from subgoal.storage.unpacking import lines
from subgoal.trajectories.logs.formats.base import SkipKind
from subgoal.trajectories.logs.reading import file_of
from subgoal.trajectories.logs.sensitive import Sensitive

PAGE = (Path(__file__).parents[1] / "docs" / "logs.md").read_text()
SMALLER = {
    '"package:airline"': '"airline.jsonl"',
    "2_000_000": "3_000",
    "context = 4096": "context = 1024",
    "vocabulary = 2000": "vocabulary = 500",
    "turn = 600": "turn = 200",
    "8192": "2048",
}


def blocks(language: str) -> list[str]:
    """Return the code of one language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = list(lines(file_of(Path("package:airline"))))
    solved = [line for line in records if json.loads(line)["reward"] == 1.0]
    (tmp_path / "airline.jsonl").write_bytes(b"".join([records[0], *solved[:6]]))
    table = blocks("toml")[0]
    for shown, small in SMALLER.items():
        assert shown in table
        table = table.replace(shown, small)
    (tmp_path / "airline.toml").write_text(table + "[train.student]\nlayers = 1\n")
    monkeypatch.chdir(tmp_path)
    typed = [line for block in blocks("bash") for line in block.splitlines()]
    typed = [line for line in typed if "pretrained" not in line]  # tests/students has that
    for line in typed:
        main(shlex.split(line.replace("package:airline", "airline.jsonl"), comments=True)[1:])
    assert [shlex.split(line)[1] for line in typed][:3] == ["import", "run", "assess"]
    run = subgoal.Run(tmp_path / "runs" / "airline")
    exec(compile(blocks("python")[1], "docs/logs.md", "exec"), {"run": run})
    assert {"airline-flat", "airline-texts"} <= {one.name for one in tmp_path.iterdir()}


def test_the_page_names_all_that_is_left_out_or_replaced() -> None:
    told = set(re.findall(r"^\| ([^`|][^|]*) \|", PAGE, re.MULTILINE))
    assert {reason for one in told for reason in one.split("; ")} >= set(SkipKind)
    assert set(re.findall(r"^\| `<([a-z-]+)-1>` \|", PAGE, re.MULTILINE)) == set(Sensitive)
