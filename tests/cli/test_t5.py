"""The paper's students made small: `configs/t5-tiny.toml` with less of everything."""

from pathlib import Path

import pytest
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from subgoal.agents.config import AgentName
from subgoal.agents.factory import AgentShop
from subgoal.cli.main import main
from subgoal.config import load_config
from subgoal.text.format import Role

CONFIG = Path(__file__).parents[2] / "configs" / "t5-tiny.toml"
LESS = {
    "per_type = 40": "per_type = 3",
    "tokens = 100_000": "tokens = 1_000\nthreads = 1",
    'size = "nano"': 'size = "nano"\nlayers = 1',
    "vocabulary = 1024": "vocabulary = 500",
    "per_type = 2": "per_type = 1",
    'environment = "errand"': 'environment = "errand"\ntypes = ["fetch"]',
    ', "random_action"]': "]",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("t5")
    text = CONFIG.read_text()
    for much, less in LESS.items():
        assert much in text
        text = text.replace(much, less)
    (place / "config.toml").write_text(text)
    main(["run", "--config", str(place / "config.toml"), "--run", str(place / "run")])
    return place / "run"


def test_the_papers_students_are_trained_saved_loaded_and_played(run):
    assert load_config(run / "config.toml").train.dataset.planner_asked == "every_step"
    for role in ("planner", "executor", "first", "flat"):
        folder = run / "students" / role
        model = AutoModelForSeq2SeqLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert model.config.vocab_size >= len(tokenizer)
        assert tokenizer.pad_token_id == model.config.pad_token_id == 0
    assert len(list((run / "evaluation/test").glob("*.zst"))) == 2


def test_an_own_first_student_is_taken_where_there_is_one(run):
    shop = AgentShop(run / "students")
    shop.factory(AgentName.HIERARCHICAL)
    assert set(shop.cards) == {Role.PLANNER, Role.EXECUTOR, Role.FIRST}
    (run / "students" / "first").rename(run / "first")
    alone = AgentShop(run / "students")
    assert alone.roles(AgentName.HIERARCHICAL) == (Role.PLANNER, Role.EXECUTOR)
