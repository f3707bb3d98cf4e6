"""What a reader must know of trainings before scores are compared."""

import pytest

from subgoal.students.ending import Ending, TrainingExtent, cautions
from subgoal.training.checkpoint import Position
from subgoal.training.config import TrainingConfig
from subgoal.training.optimizers.schedule import share_learned, share_used
from subgoal.training.train import train


def extent(tokens: int, share: float | None = 1.0, ending: Ending = Ending.BUDGET):
    return TrainingExtent(tokens=tokens, share=share, ending=ending)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (extent(680_000, 0.189, Ending.CLOCK), "19 %"),
        (extent(1_000, 0.4, Ending.PATIENCE), "40 %"),
        (extent(1_000, 0.004, Ending.CLOCK), "0.4 %"),
        (extent(1_000, None, Ending.CLOCK), "1,000 tokens"),
    ],
)
def test_a_training_that_ended_early_says_of_how_much(one, said):
    assert said in one.caution


@pytest.mark.parametrize(
    "one",
    [
        extent(3_600_000),
        extent(3_599_000, 0.9997, Ending.CLOCK),  # the last batch, not a loss of training
        TrainingExtent(tokens=7),  # a card that does not say
    ],
)
def test_a_whole_training_needs_no_caution(one):
    assert one.caution == ""


def test_agents_that_share_a_student_share_its_caution():
    cut = extent(680_000, 0.19, Ending.CLOCK)
    found = cautions(
        {"hierarchical": {"both": cut}, "random": {"both": cut}, "oracle": {}, "flat": {}}
    )
    assert len(found) == 1
    assert "both (hierarchical, random)" in found[0]
    assert "19 %" in found[0]


def test_agents_trained_on_different_numbers_of_tokens_are_named_with_them():
    pair = {"planner": extent(500_000), "executor": extent(500_000)}
    assert cautions({"hierarchical": pair, "flat": {"flat": extent(1_010_000)}}) == []
    found = cautions({"hierarchical": pair, "flat": {"flat": extent(800_000)}, "oracle": {}})
    assert len(found) == 1
    assert "hierarchical 1,000,000" in found[0]
    assert "flat 800,000" in found[0]


@pytest.mark.parametrize(
    ("budget", "at", "learned", "used"),
    [
        ({"tokens": 100}, {"tokens": 25}, 0.25, 0.25),
        ({"tokens": 100, "minutes": 1.0}, {"tokens": 25, "seconds": 60.0}, 0.25, 1.0),
        ({"tokens": 0, "minutes": 1.0}, {"tokens": 25, "seconds": 30.0}, None, 0.5),
        ({"tokens": 0, "epochs": 2.0}, {"texts": 30}, 1.0, 1.0),
        ({"tokens": 100, "epochs": 2.0}, {"tokens": 150, "texts": 3}, 1.0, 1.0),
    ],
)
def test_time_is_no_part_of_what_was_learned(budget, at, learned, used):
    config, position = TrainingConfig(**budget), Position(**at)
    assert share_learned(config, position, texts=15) == learned
    assert share_used(config, position, texts=15) == used


def test_a_student_says_what_ended_its_training(tiny, tmp_path):
    from subgoal.storage.run_folder import RunFolder

    def trained(name, **training):
        config = tiny.model_copy(update={"training": tiny.training.model_copy(update=training)})
        return train(config, RunFolder(tmp_path / name))

    whole = trained("whole")
    assert whole.cards["both"].ending is Ending.BUDGET
    assert whole.cards["both"].share == 1
    assert whole.cautions == []
    cut = trained("cut", tokens=10**9, minutes=1e-6)
    card = cut.cards["both"]
    assert card.ending is Ending.CLOCK
    assert card.share == pytest.approx(card.tokens / 10**9)
    assert len(cut.cautions) == 1
    assert card.extent.caution in (tmp_path / "cut/students/both/README.md").read_text()
