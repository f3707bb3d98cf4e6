"""The experiment's configuration: one TOML file, one section a stage.

`subgoal run --config configs/demo.toml` reads it whole; every other verb reads its own section.
A run folder keeps the resolved configuration as `config.toml`, so that a verb needs only `--run`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel

from subgoal.annotation.config import AnnotateConfig
from subgoal.augmentation.config import AugmentConfig
from subgoal.errors import ConfigInvalid, nearest
from subgoal.evaluation.config import EvaluateConfig, RolloutConfig
from subgoal.journal import write_text
from subgoal.plain_text import REPLACEMENT, storable
from subgoal.record import Record
from subgoal.report.config import ReportConfig
from subgoal.run_folder import RunFolder
from subgoal.secret import masked
from subgoal.self_training.config import ImproveConfig, ReinforceConfig
from subgoal.time_plan.config import TimePlanConfig
from subgoal.toml_file import merged, read_toml
from subgoal.training.config import TrainConfig
from subgoal.trajectories.config import CollectConfig
from subgoal.validation import validated

R = TypeVar("R", bound=Record)


class Config(Record):
    """Everything that decides an experiment's result.

    >>> import subgoal
    >>> config = subgoal.Config(collect={"environment": "errand", "per_type": 5})
    >>> config.collect.per_type, config.annotate.teacher.value
    (5, 'recorded')
    """

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


def load_config(path: Path) -> Config:
    """Read a TOML configuration.

    Raises:
        ConfigInvalid: The file is missing, is no TOML, or has an unknown key or a wrong value.
    """
    return validated(Config, read_toml(path), str(path))


def save_config(config: Config, folder: RunFolder) -> None:
    """Write the resolved configuration into the run folder, without None and without secrets.

    Raises:
        ConfigInvalid: A setting, or the name of a file in it, holds text that no file can hold.
    """
    text = tomli_w.dumps(masked(config.model_dump(mode="json", exclude_none=True)))
    odd = next((line for line in text.split("\n") if storable(line) != line), None)
    if odd is not None:
        raise ConfigInvalid(
            f"'{storable(odd).strip()}' is no UTF-8 where it has {REPLACEMENT}; rename the file, "
            "or write the setting anew"
        )
    write_text(folder / "config.toml", text)


def config_for(config: Config | Mapping[str, Any] | str | Path | None, folder: RunFolder) -> Config:
    """Return the configuration of a run.

    Args:
        config: One that is made, tables by section on top of the defaults, a TOML file, or None:
            what the run folder kept, else the defaults.
        folder: The run folder.

    Raises:
        ConfigInvalid: The file is missing or is no TOML, or there is an unknown key or a wrong
            value.
    """
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return validated(Config, config, "config")
    kept = folder / "config.toml"
    if config is not None:
        return load_config(Path(config))
    return load_config(kept) if kept.exists() else Config()


def changed(section: R, changes: Mapping[str, Any], source: str) -> R:
    """Return a section with other values.

    Args:
        section: The section as it is.
        changes: New values by key. The key of a table below the section may stand alone: of several
            tables that have it, the one nearest to the section is meant.
        source: Who asks, for messages.

    Raises:
        ConfigInvalid: There is no such key (the nearest one is named), two tables have it, or a
            value is wrong.
    """
    if not changes:
        return section
    tables = [_placed(type(section), key, value, source) for key, value in changes.items()]
    return validated(type(section), merged(section.model_dump(), *tables), source)


def _placed(section: type[Record], key: str, value: Any, source: str) -> dict[str, Any]:
    """Return a value in the tables in which its key stands."""
    places = [place for place in _keys(section) if place[-1] == key]
    near = [place for place in places if len(place) == min(map(len, places))]
    if not near:
        known = {place[-1] for place in _keys(section)}
        raise ConfigInvalid(f"{source}: unknown key '{key}'{nearest(key, known)}")
    if len(near) > 1:
        tables = " or ".join(f"{place[0]}={{...}}" for place in near)
        raise ConfigInvalid(
            f"{source}: '{key}' stands in {' and in '.join(map('.'.join, near))}; give it in its "
            f"table, {tables}"
        )
    table: Any = value
    for part in reversed(near[0]):
        table = {part: table}
    return table


def _keys(section: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the place of every key below a section."""
    for name, field in section.model_fields.items():
        yield (name,)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((name, *place) for place in _keys(kind))
