"""The experiment's configuration: one TOML file, one section a stage.

`subgoal run --config configs/demo.toml` reads it whole; every other verb reads its own section.
A run folder keeps the resolved configuration as `config.toml`, so that a verb needs only `--run`.
"""

from pathlib import Path

import tomli_w

from subgoal.annotation.annotate import AnnotateConfig
from subgoal.augmentation.augment import AugmentConfig
from subgoal.evaluation.dev_score import RolloutConfig
from subgoal.evaluation.evaluate import EvaluateConfig
from subgoal.journal import write_text
from subgoal.record import Record
from subgoal.report.write import ReportConfig
from subgoal.run_folder import RunFolder
from subgoal.secret import masked
from subgoal.self_training.own_successes import ImproveConfig
from subgoal.self_training.reinforce import ReinforceConfig
from subgoal.time_plan.plan import TimePlanConfig
from subgoal.toml_file import read_toml, validated
from subgoal.training.train import TrainConfig
from subgoal.trajectories.collect import CollectConfig


class ExperimentConfig(Record):
    """Everything that decides an experiment's result."""

    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals on them."""
    augment: AugmentConfig = AugmentConfig()
    """How annotated paths are rewritten before students learn from them."""
    plan: TimePlanConfig = TimePlanConfig()
    """Into how many minutes `subgoal run` must fit, and what it may leave out for that."""
    train: TrainConfig = TrainConfig()
    """Which students are trained, on what, for how long."""
    rollout: RolloutConfig = RolloutConfig()
    """Which dev tasks students play while they are trained."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Which agents play which tasks."""
    improve: ImproveConfig = ImproveConfig()
    """What an agent plays to learn from its own successes."""
    reinforce: ReinforceConfig = ReinforceConfig()
    """How students are reinforced by the world's score."""
    report: ReportConfig = ReportConfig()
    """What the report shows."""


def load_config(path: Path) -> ExperimentConfig:
    """Read a TOML configuration.

    Raises:
        ConfigInvalid: The file is missing, is no TOML, or has an unknown key or a wrong value.
    """
    return validated(ExperimentConfig, read_toml(path), str(path))


def save_config(config: ExperimentConfig, folder: RunFolder) -> None:
    """Write the resolved configuration into the run folder, without None and without secrets."""
    table = masked(config.model_dump(mode="json", exclude_none=True))
    write_text(folder / "config.toml", tomli_w.dumps(table))


def config_for(config: Path | None, folder: RunFolder) -> ExperimentConfig:
    """Return the file's configuration, else the run folder's own, else the defaults."""
    kept = folder / "config.toml"
    if config is not None:
        return load_config(config)
    return load_config(kept) if kept.exists() else ExperimentConfig()
