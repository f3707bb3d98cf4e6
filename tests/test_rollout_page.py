"""What docs/rollout.md tells a reader to write and to type works, in the tiny world."""

import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages import Page, trained_run
from subgoal.agents.student_engine import decided, open_student
from subgoal.cli.main import main
from subgoal.engines.config import EngineConfig, EngineName
from subgoal.evaluation.summary import played
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from support.completions_server import CompletionsServer, ServedStudent

RAY = "subgoal evaluate --run runs/mine --backend ray --ray-address auto"
VLLM = "vllm serve runs/mine/students/both"
SMALLER = {
    RAY: f"# an extra that `dev` lacks (tests/test_cluster.py): {RAY}",
    VLLM: f"# a server of its own, which stands below for a moment: {VLLM}",
    'base = "paper" ': 'base = "test" ',
    "find-plant": "fetch",
    "boil": "deliver-two",
    "per_type = 10": "per_type = 1",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of all stages."""
    folder = tmp_path_factory.mktemp("reader")
    trained_run(folder)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Stand in a copy of that folder; the run in it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def served(made: Path) -> Iterator[str]:
    """The run's student in both roles behind a server; its address."""
    folder = made / "runs" / "mine" / "students" / "both"
    here = EngineConfig(engine=EngineName.TRANSFORMERS)
    student = open_student(folder, Role.BOTH, decided(folder, Role.BOTH, here))
    with CompletionsServer({"both": ServedStudent(student.engine, student.tokenizer.decode)}) as on:
        yield on.base_url


def test_every_block_of_commands_is_run() -> None:
    assert Page("rollout.md", SMALLER).has_each_once("--evaluate.protocol test", VLLM)


def test_protocols_and_worlds_are_given_as_the_page_says(run: RunFolder) -> None:
    Page("rollout.md", SMALLER).type_in("--evaluate.protocol test")
    assert len(played(run, "test", "hierarchical")) == len(played(run, "dev", "hierarchical")) == 1


def test_protocols_of_ones_own_are_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = Page("rollout.md", SMALLER).block("toml", "[protocols.short]")
    Path("my_protocols.toml").write_text(table)
    words = ["evaluate", "--run", "runs/mine", "--world.environment", "errand"]
    counted: dict[str, Counter[tuple[str, str]]] = {}
    for name in ("short", "careful"):
        asked = ["--evaluate.protocol", f"my_protocols.toml:{name}"]
        main([*words, "--evaluate.agents", "oracle", *asked])
        tasks = [one.task for one in played(RunFolder(Path("runs/mine")), name, "oracle")]
        counted[name] = Counter((task.name, task.simplifications) for task in tasks)
    assert counted["short"] == {("fetch", ""): 3, ("deliver-two", ""): 3}
    assert counted["careful"] == {("fetch", "easy"): 1, ("deliver-two", "easy"): 1}


def test_the_engines_of_the_page_are_what_is_taken_by_default() -> None:
    table = Page("rollout.md", SMALLER).block("toml", "[engine]")
    assert EngineConfig.model_validate(tomllib.loads(table)["engine"]) == EngineConfig()


def test_a_student_on_a_server_plays_as_here(
    run: RunFolder, served: str, capfd: pytest.CaptureFixture[str]
) -> None:
    page = Page("rollout.md", {**SMALLER, "http://127.0.0.1:8000/v1": served})
    (here,) = played(run, "dev", "hierarchical")
    page.type_in(VLLM, "--restart")
    (there,) = played(run, "dev", "hierarchical")
    assert [step.action for step in there.steps] == [step.action for step in here.steps]
    assert "openai" in capfd.readouterr().out
