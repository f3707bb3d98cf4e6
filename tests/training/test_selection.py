import pytest
import torch
from safetensors.torch import load_file

from subgoal.errors import TrainingFailed
from subgoal.training.config import Select, TrainingConfig, TrainingPrecision
from subgoal.training.log import LogLine, log
from subgoal.training.loop import finetune
from subgoal.training.selection import WeightSelection
from tiny_models import causal, lora, texts, weights

CONFIG = TrainingConfig(
    tokens=3_000,
    batch_tokens=200,
    learning_rate=1e-2,
    checkpoint_tokens=600,
    validations=6,
    precision=TrainingPrecision.FLOAT32,
)


def line(step, dev_loss=None, score=None):
    return LogLine(
        step=step, tokens=0, seconds=0.0, loss=1.0, rate=1.0, dev_loss=dev_loss, score=score
    )


def bests(select, looks):
    selection = WeightSelection(select, None, [])  # type: ignore[arg-type]
    return [step for step, look in enumerate(looks) if selection.consider(line(step, *look))]


def test_the_best_look_is_by_loss_or_by_score():
    looks = [(3.0, 10.0), (2.0, 5.0), (2.5, 10.0), (1.9, 11.0), (2.0, 11.0), (1.0, 3.0)]
    assert bests(Select.DEV_LOSS, looks) == [0, 1, 3, 5]
    assert bests(Select.SCORE, looks) == [0, 2, 3]
    assert bests(Select.LAST, looks[:3] + looks[4:5] + looks[2:3]) == [0, 1]
    assert bests(Select.SCORE, [(3.0, None), (2.0, None), (2.5, None)]) == [0, 1]


def test_a_selection_knows_again_what_the_log_holds():
    lines = [line(1, 3.0), line(2), line(3, 2.0), line(4, 2.5), line(5), line(6, 2.1)]
    selection = WeightSelection(Select.DEV_LOSS, None, lines)  # type: ignore[arg-type]
    assert not selection.consider(line(7, 2.05))
    assert selection.consider(line(8, 1.9))


class Scores:
    """Rollout scores as planned; remembers the weights that were scored."""

    def __init__(self, scores):
        self.scores, self.seen = scores, {}

    def __call__(self, model, line):
        assert not model.training
        self.seen[line.step] = weights(model).clone()
        return self.scores[len(self.seen) - 1]


def test_the_weights_of_the_best_score_are_what_is_left(tmp_path):
    scores = Scores([10.0, 30.0, 20.0, 5.0, 29.0, 1.0])
    config = CONFIG.model_copy(update={"select": Select.SCORE})
    model = causal()
    outcome = finetune(model, texts(), texts(5, 1), config, tmp_path, "x", scores)
    second = list(scores.seen)[1]
    assert (outcome.step, outcome.score) == (second, 30.0)
    assert torch.equal(weights(model), scores.seen[second])
    kept = load_file(tmp_path / "checkpoints" / "best" / "model.safetensors")
    assert kept.keys() == dict(model.named_parameters()).keys()
    assert [one.score for one in log(tmp_path / "log.jsonl") if one.score] == scores.scores


@pytest.mark.parametrize("make", [causal, lora])
@pytest.mark.parametrize("die", [4, 9])
def test_a_killed_run_keeps_the_best_so_far(make, die, tmp_path, monkeypatch):
    config = CONFIG.model_copy(update={"select": Select.SCORE})
    plan = [5.0, 40.0, 20.0, 30.0, 10.0, 35.0]

    def planned(model, line):
        return plan[min(5, round(line.tokens / 500) - 1)]

    whole, cut = make(), make()
    expected = finetune(whole, texts(), texts(5, 1), config, tmp_path / "whole", "x", planned)

    def dies(model, line):
        if line.step >= die:
            raise KeyboardInterrupt
        return planned(model, line)

    with pytest.raises(KeyboardInterrupt):
        finetune(make(), texts(), texts(5, 1), config, tmp_path / "cut", "x", dies)
    outcome = finetune(cut, texts(), texts(5, 1), config, tmp_path / "cut", "x", planned)
    assert (outcome.step, outcome.score) == (expected.step, expected.score)
    assert torch.equal(weights(whole), weights(cut))


def test_what_cannot_be_selected_is_said(tmp_path):
    config = CONFIG.model_copy(update={"select": Select.DEV_LOSS})
    with pytest.raises(TrainingFailed, match=r"select = 'dev_loss' needs validations.*dev_share"):
        finetune(causal(), texts(), [], config, tmp_path, "x")


def test_damaged_best_weights_are_named(tmp_path):
    selection = WeightSelection(Select.DEV_LOSS, tmp_path / "best", [])
    model = causal()
    assert selection.restore(model) is None
    selection.keep(line(3, 2.0), dict(model.named_parameters()))
    assert selection.restore(model) == line(3, 2.0)
    file = tmp_path / "best" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(TrainingFailed, match=r"best is damaged .model\.safetensors"):
        selection.restore(model)
