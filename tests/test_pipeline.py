"""The main job from Python, on the tiny world."""

import pytest

from subgoal.config import Config, changed
from subgoal.errors import ConfigInvalid
from subgoal.pipeline import Run
from subgoal.training.config import TrainConfig

CONFIG = {
    "collect": {"environment": "errand", "per_type": 3},
    "annotate": {"teacher": "scripted"},
    "train": {
        "roles": ["both"],
        "dataset": {"context": 512, "vocabulary": 500},
        "student": {"layers": 1},
        "training": {"tokens": 2000, "batch_tokens": 1024},
    },
    "evaluate": {"environment": "errand", "protocol": "plain", "agents": ["hierarchical"]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run(str(tmp_path_factory.mktemp("pipeline") / "Run 1"), CONFIG)
    run.collect()
    run.annotate()
    run.train(minutes=1)
    return run


def test_stages_take_keys_of_their_section_and_keep_them(run):
    assert run.config.train.training.minutes == 1
    assert run.config.train.training.tokens == 2000
    played = run.evaluate(types=["fetch"], per_type=1, worlds=1)
    assert [agent.overall.episodes for agent in played.agents] == [1]
    assert run.config.evaluate.types == ("fetch",)
    assert "hierarchical" in run.report().page.read_text()


def test_what_stages_return_prints_as_a_table_and_shortly(run):
    for summary in (run.collect(), run.annotate(), run.train(), run.evaluate(), run.report()):
        assert len(str(summary)) < 4000
        assert "\n" in str(summary)
        assert "<table>" in summary._repr_html_()


def test_the_students_of_a_run_are_an_agent(run):
    with run.agent() as player:
        assert player.agent.name == "run-1-hierarchical"
        assert player.play("fetch").task.environment == "errand"
    for name in ("random_action", "nobody"):
        with pytest.raises(ConfigInvalid, match=name):
            run.agent(name)


def test_a_key_alone_is_that_of_the_nearest_table():
    config = TrainConfig()
    assert changed(config, {"minutes": 5}, "x").training.minutes == 5
    assert changed(config, {"training": {"minutes": 5}}, "x").training.minutes == 5
    for wrong in ("minuets", "rolse"):
        with pytest.raises(ConfigInvalid, match="did you mean"):
            changed(config, {wrong: 5}, "x")
    with pytest.raises(ConfigInvalid, match=r"training\.seed"):
        changed(config, {"seed": 5}, "x")
    with pytest.raises(ConfigInvalid, match="minutes"):
        changed(config, {"minutes": "long"}, "x")


def test_a_configuration_is_a_file_tables_or_made(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[collect]\nper_type = 7\n")
    made = Config.model_validate({"collect": {"per_type": 7}})
    for config in (file, str(file), made, {"collect": {"per_type": 7}}):
        assert Run(tmp_path / "run", config).config == made
    assert Run(tmp_path / "run").config == Config()
    with pytest.raises(ConfigInvalid, match="did you mean 'collect'"):
        Run(tmp_path / "run", {"colect": {}})


def test_the_whole_job_keeps_its_configuration(tmp_path):
    first = Run(tmp_path / "run", {**CONFIG, "evaluate": {**CONFIG["evaluate"], "per_type": 1}})
    written = first.all(worlds=1)
    assert written.page.exists()
    assert Run(tmp_path / "run").config == first.config


def test_a_plan_needs_minutes(run):
    with pytest.raises(ConfigInvalid, match=r"plan\.minutes"):
        run.plan()
