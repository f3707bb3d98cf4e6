"""What docs/training.md tells a reader to type and to write works, in the tiny world."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tomli_w

import subgoal
from pages import TABLES, Page, configured, trained_run

PAGE = Page(
    "training.md",
    {
        "configs/scienceworld/gpu.toml": "small.toml",
        "configs/scienceworld/6-reinforced.toml": "reinforced.toml",
        "--num_processes 4": "--num_processes 2 --cpu",
        "--improve.per-type 10": "--improve.per-type 1",
        "3_000_000": "1_000",
        "layers = 8": "layers = 2",
        "test-conductivity": "fetch",
    },
)
COMMANDS = {
    "pip install torch": "runs/gpu/students/both/README.md",
    "--prepare": "runs/gpu/students/both/README.md",
    "accelerate launch": "runs/gpu/students/both/README.md",
    "subgoal improve": "runs/second/students/both/README.md",
    "subgoal reinforce": "runs/reinforced/students/both/README.md",
    "--to gguf": "student.gguf",
    "--to agent": "released/my-agent/README.md",
    "--to parquet": "data/both/turns/train.parquet",
}
"""Words of each block of commands, and what it makes last."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a reader has by then: a run, its annotations, configurations."""
    folder = tmp_path_factory.mktemp("reader")
    trained_run(folder)
    shutil.copy(folder / "runs" / "mine" / "annotations.jsonl.zst", folder)
    for name in ("gpu", "second"):
        configured(folder / "runs" / name, folder / "runs" / "mine")
    reinforce = {
        "annotations": "annotations.jsonl.zst",
        "reinforce": {
            "students": "runs/mine/students",
            "rounds": 1,
            "variations": 1,
            "attempts": 2,
            "dev_every": 0,
        },
    }
    (folder / "reinforced.toml").write_text(tomli_w.dumps(TABLES | reinforce))
    return folder


@pytest.fixture
def reader(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of that folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_of_commands_is_run() -> None:
    assert PAGE.has_each_once(*COMMANDS)


@pytest.mark.parametrize(("having", "last"), COMMANDS.items(), ids=COMMANDS)
def test_the_commands_of_the_page_work(having: str, last: str, reader: Path) -> None:
    PAGE.type_in(having)
    assert (reader / last).is_file()


@pytest.mark.parametrize(
    ("having", "layers"), [("keep_base", 1), ("only_renamed", 1), ("layers = 8", 2)]
)
@pytest.mark.usefixtures("reader")
def test_a_student_is_trained_further_as_the_page_says(having: str, layers: int) -> None:
    table = PAGE.block("toml", having)
    if having == "keep_base":
        table = 'train.student.model = "runs/mine/students/flat"\n' + table
    Path("further.toml").write_text('extends = "small.toml"\n' + table)
    run = subgoal.Run("runs/further", "further.toml")
    run.train(annotations="annotations.jsonl.zst", roles=["flat"])
    told = json.loads(Path("runs/further/students/flat/config.json").read_text())
    assert told["num_hidden_layers"] == layers


@pytest.mark.usefixtures("reader")
def test_texts_for_other_trainers_are_what_the_page_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    PAGE.type_in("--to parquet")
    columns: list[set[str]] = []
    names = {
        "load_dataset": datasets.load_dataset,
        "SFTConfig": SimpleNamespace,
        "SFTTrainer": lambda *_, train_dataset, **__: columns.append({*train_dataset.features}),
    }
    exec(PAGE.block("python", "SFTTrainer"), names)
    assert columns == [{"prompt", "completion", "key", "role"}, {"messages", "key", "role"}]
