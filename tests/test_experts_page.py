"""What docs/experts.md tells a reader to write and to type works, in the tiny world."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from pages import TABLES, Page, trained_run
from subgoal.annotation import annotate
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer
from subgoal.cli.main import main
from subgoal.environments.errand import ErrandWorld
from subgoal.evaluation.summary import played
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import failures
from subgoal.trajectories.storage import journal

PAGE = Page("experts.md", {"find-plant": "fetch", "per_type = 5": "per_type = 1"})
AGENTS = ["hierarchical", "react", "llm_planner", "asks_when_stuck"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of all stages."""
    folder = tmp_path_factory.mktemp("reader")
    trained_run(folder)
    return folder


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder where nothing was collected; a run's configuration is there."""
    monkeypatch.chdir(tmp_path)
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/config.toml").write_text(tomli_w.dumps(TABLES))
    return tmp_path


@pytest.fixture
def asked(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TeacherServer]:
    """A server that knows the paths of a run, in its folder."""
    known = list(annotate.journal(RunFolder(made / "runs" / "mine")))
    with TeacherServer(ServerConfig(port=0, environment="errand"), known) as server:
        yield server


def address(server: TeacherServer) -> list[str]:
    """Return the options by which the page asks a server of this machine."""
    (shown,) = re.findall(r"`(--\S*base-url) http://127\.0\.0\.1:8089/v1`", PAGE.text)
    return [shown, server.base_url, "--annotate.openai.ledger", "ledger.sqlite"]


def test_every_block_of_commands_is_run() -> None:
    assert PAGE.has_each_once("my_policies", "--by-hand", "--evaluate.agents")


def test_a_policy_of_the_page_is_collected(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = re.findall(r"^(?:>>>|\.\.\.) (.*)$", PAGE.block("python", "thorough"), re.MULTILINE)
    begins = said.index("def thorough(now):")
    (reader / "my_policies.py").write_text("\n".join(said[begins : begins + 2]))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_policies", raising=False)
    PAGE.type_in("my_policies")
    paths = list(journal(RunFolder(reader / "runs" / "mine")))
    assert len(paths) == 6
    assert all("thorough" in path.source for path in paths)
    sys.modules.pop("my_policies", None)


def test_what_a_person_plays_is_collected(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ErrandWorld() as world:
        task = [task for task in world.tasks("train") if task.name == "fetch"][3]
        path = world.oracle_path(task)
    typed = iter(path)
    monkeypatch.setattr("rich.console.Console.input", lambda *_, **__: next(typed))
    PAGE.type_in("--by-hand", "--world.environment", "errand")
    (played_path,) = journal(RunFolder(reader / "runs" / "mine"))
    assert played_path.actions == tuple(path)


def test_a_model_acts_as_the_page_says(asked: TeacherServer, reader: Path) -> None:
    table = PAGE.block("toml", "react")
    (reader / "react.toml").write_text(table)
    words = ["collect", "--run", "runs/react", "--config", "react.toml", *address(asked)]
    main([*words, "--world.environment", "errand", "--dry-run"])
    assert not asked.delivered.replies
    main([*words, "--world.environment", "errand"])
    run = RunFolder(reader / "runs" / "react")
    assert {path.source for path in journal(run)} == {"react"}
    assert not list(failures(run))


def test_agents_that_ask_play(
    made: Path, asked: TeacherServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    PAGE.type_in("--evaluate.agents", *address(asked))
    run = RunFolder(tmp_path / "runs" / "mine")
    assert [len(played(run, "dev", agent)) for agent in AGENTS] == [1, 1, 1, 1]
    assert played(run, "dev", "react")[0].spent.calls
