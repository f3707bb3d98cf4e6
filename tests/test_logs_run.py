"""The main job on logs: from conversations to students, without a world."""

import json
from pathlib import Path

import pytest

from subgoal.annotation import annotate
from subgoal.config import Config, load_config
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.main_job import stages
from subgoal.pipeline import Run
from subgoal.storage.unpacking import lines
from subgoal.trajectories.logs.reading import file_of

TINY = {
    "annotate": {"teacher": "recorded"},
    "train": {
        "roles": ["both"],
        "dataset": {
            "context": 2048,
            "vocabulary": 500,
            "describe": False,
            "answer": 300,
            "turn": 16,
            "dev_share": 0.4,
        },
        "student": {"layers": 1},
        "training": {"tokens": 3000, "batch_tokens": 2048},
    },
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A few of the shipped conversations: some annotated, one solved and not, one failed."""
    log = tmp_path_factory.mktemp("logs") / "airline.jsonl"
    chosen = list(lines(file_of(Path("package:airline"))))
    solved = [line for line in chosen if json.loads(line)["reward"] == 1.0]
    log.write_bytes(b"".join([chosen[0], *solved[:8]]))
    return {**TINY, "logs": {"files": [str(log)], "group_key": "group"}}


def test_logs_become_students_and_nothing_is_played(config, tmp_path):
    run = Run(tmp_path / "run", config)
    assert not {"collect", "plan", "evaluate"} & set(run.stages())
    found = run.all()
    assert found == run.assess()
    annotated = list(annotate.journal(run.folder))
    assert {one.trajectory.task.environment for one in annotated} == {"log:airline"}
    assert {bool(one.transferred_from) for one in annotated} == {True, False}
    assert load_config(run.folder / "config.toml") == run.config
    run.all()  # complete stages are not run again


@pytest.mark.parametrize("more", [{"plan": {"minutes": 5}}, {"rollout": {"per_type": 1}}])
def test_a_log_that_is_to_be_played_is_refused_before_anything_is_done(config, more, tmp_path):
    run = Run(tmp_path / "run", {**config, **more})
    with pytest.raises(ConfigInvalid, match="log:airline"):
        run.all()
    assert not run.folder.manifests()


@pytest.mark.parametrize(
    "more",
    [{"train": {**TINY["train"], "dataset": {"dev_share": 0}}}, {"logs": {"task_type_key": "id"}}],
)
def test_a_log_of_which_nothing_is_held_out_is_refused_before_training(config, more, tmp_path):
    logs = {**config["logs"], **more.get("logs", {})}
    run = Run(tmp_path / "run", {**config, **more, "logs": logs})
    with pytest.raises(DataLeak, match="dev_share"):
        run.all()
    assert not (run.folder / "students").exists()


def test_an_evaluation_of_a_log_is_refused(config, tmp_path):
    with pytest.raises(ConfigInvalid, match="log:airline"):
        Run(tmp_path / "run", config).evaluate()


def test_the_log_is_the_world_whatever_else_is_named():
    for world in ({}, {"environment": "errand"}):
        config = Config.model_validate({"world": world, "logs": {"files": ["My log.jsonl"]}})
        assert config.evaluate.environment == config.world.environment == "log:my-log"
    assert stages(config)[0] == "import_logs"
