"""The experiment's configuration: one TOML file, one section a stage.

`subgoal run --config configs/demo.toml` reads it whole; every other verb reads its own section.
A run folder keeps the resolved configuration as `config.toml`, so that a verb needs only `--run`.
"""

import tomllib
from pathlib import Path
from typing import Any, TypeVar, cast

import tomli_w
from pydantic import BaseModel, ValidationError

from subgoal.annotation.annotate import AnnotateConfig
from subgoal.annotation.augment import AugmentConfig
from subgoal.errors import ConfigInvalid, nearest
from subgoal.evaluation.dev_score import RolloutConfig
from subgoal.evaluation.evaluate import EvaluateConfig
from subgoal.journal import write_text
from subgoal.record import Record
from subgoal.report.write import ReportConfig
from subgoal.run_folder import RunFolder
from subgoal.training.train import TrainConfig
from subgoal.trajectories.collect import CollectConfig

M = TypeVar("M", bound=BaseModel)


class ExperimentConfig(Record):
    """Everything that decides an experiment's result."""

    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals on them."""
    augment: AugmentConfig = AugmentConfig()
    """How annotated paths are rewritten before students learn from them."""
    train: TrainConfig = TrainConfig()
    """Which students are trained, on what, for how long."""
    rollout: RolloutConfig = RolloutConfig()
    """Which dev tasks students play while they are trained."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Which agents play which tasks."""
    report: ReportConfig = ReportConfig()
    """What the report shows."""


def load_config(path: Path) -> ExperimentConfig:
    """Read a TOML configuration.

    Raises:
        ConfigInvalid: The file is missing, is no TOML, or has an unknown key or a wrong value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigInvalid(f"there is no configuration file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigInvalid(f"{path} cannot be read as TOML: {error}") from error
    return validated(ExperimentConfig, table, str(path))


def save_config(config: ExperimentConfig, folder: RunFolder) -> None:
    """Write the resolved configuration into the run folder; None values are left out."""
    table = config.model_dump(mode="json", exclude_none=True)
    write_text(folder / "config.toml", tomli_w.dumps(table))


def config_for(config: Path | None, folder: RunFolder) -> ExperimentConfig:
    """Return the file's configuration, else the run folder's own, else the defaults."""
    kept = folder / "config.toml"
    if config is not None:
        return load_config(config)
    return load_config(kept) if kept.exists() else ExperimentConfig()


def validated(model: type[M], table: dict[str, Any], source: str) -> M:
    """Validate a table as a model.

    Raises:
        ConfigInvalid: With the key, what is wrong with it, and the nearest key that exists.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _fields_at(model, first["loc"][:-1])
            guess = nearest(str(first["loc"][-1]), known)
            raise ConfigInvalid(f"{source}: unknown key '{key}'{guess}") from error
        given = first["input"]
        raise ConfigInvalid(f"{source}: '{key}' = {given!r} is wrong: {first['msg']}") from error


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    at: Any = model
    for part in location:
        if isinstance(at, type) and issubclass(at, BaseModel) and part in at.model_fields:
            at = at.model_fields[str(part)].annotation
    if isinstance(at, type) and issubclass(at, BaseModel):
        return list(cast("type[BaseModel]", at).model_fields)
    return []
