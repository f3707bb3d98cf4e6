import os
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from subgoal.errors import TrainingFailed
from subgoal.pipeline import Run
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import Role
from subgoal.training.config import Tracker, TrainConfig, TrainingConfig
from subgoal.training.log import log
from subgoal.training.loop import finetune
from subgoal.training.texts import one_student
from subgoal.training.tracking import trackio_home
from tiny_models import causal, texts

CONFIG = TrainingConfig(
    tokens=1_500,
    batch_tokens=200,
    validations=3,
    checkpoint_tokens=0,
    trackers=(Tracker.TENSORBOARD,),
)


def scalars(folder):
    """What TensorBoard shows, read from its own files."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_tensorboard_shows_what_the_log_holds(tmp_path):
    played = iter((10.0, 40.0, 20.0))
    finetune(
        causal(), texts(), texts(5, 1), CONFIG, tmp_path, "train both", lambda *_: next(played)
    )
    lines = list(log(tmp_path / "log.jsonl"))
    assert [line.score for line in lines if line.score is not None] == [10.0, 40.0, 20.0]
    events = scalars(tmp_path / "tracking" / "train-both")
    for name in ("loss", "rate", "tokens", "dev_loss", "score"):
        shown = {one.step: one.value for one in events.Scalars(name)}
        held = {a.step: getattr(a, name) for a in lines if getattr(a, name) is not None}
        assert shown == pytest.approx(held)
    assert "setup" not in events.Tags()["scalars"]


@pytest.mark.parametrize("tracker", [Tracker.WANDB, Tracker.TRACKIO, Tracker.TENSORBOARD])
def test_a_missing_package_names_the_extra(tracker, tmp_path, monkeypatch):
    monkeypatch.setattr("subgoal.training.tracking.find_spec", lambda _: None)
    config = CONFIG.model_copy(update={"trackers": (tracker,)})
    with pytest.raises(TrainingFailed, match=rf"{tracker}' is not installed.*subgoal\[trackers\]"):
        finetune(causal(), texts(), [], config, tmp_path, "x")
    assert not (tmp_path / "tracking").exists()


def test_no_tracker_is_loaded_that_was_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    finetune(causal(), texts(), [], CONFIG.model_copy(update={"trackers": ()}), tmp_path, "x")
    assert "torch.utils.tensorboard" not in sys.modules


def test_what_agents_score_is_shown_beside_the_training(tmp_path):
    tables = {
        "world": {"environment": "errand"},
        "evaluate": {"protocol": "test", "per_type": 1, "agents": ["oracle", "random_action"]},
        "train": {"training": {"trackers": ["tensorboard"]}},
    }
    found = Run(tmp_path, tables).evaluate(worlds=1)
    events = scalars(tmp_path / "tracking" / "evaluate-test")
    shown = {one.agent: events.Scalars(one.agent)[0].value for one in found.agents}
    assert shown == pytest.approx({one.agent: one.overall.score.mean for one in found.agents})
    assert shown["oracle"] == 100


def test_who_watches_decides_nothing():
    one = one_student(TrainConfig(training=CONFIG), Role.BOTH)
    bare = CONFIG.model_copy(update={"trackers": ()})
    assert one.deciding() == one_student(TrainConfig(training=bare), Role.BOTH)


def test_trackio_keeps_a_run_in_one_place(tmp_path, monkeypatch):
    monkeypatch.setattr("subgoal.training.tracking._chosen", "")
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    trackio_home(RunFolder(tmp_path / "one"))
    assert os.environ["TRACKIO_DIR"] == str(tmp_path / "one/tracking/trackio")
    trackio_home(RunFolder(tmp_path / "two"))
    assert os.environ["TRACKIO_DIR"] == str(tmp_path / "two/tracking/trackio")
    monkeypatch.setenv("TRACKIO_DIR", "mine")
    trackio_home(RunFolder(tmp_path / "one"))
    assert os.environ["TRACKIO_DIR"] == "mine"
