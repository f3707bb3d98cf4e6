"""The experiment's configuration: one TOML file, one section a stage.

`subgoal run --config configs/demo.toml` reads it whole; every other verb reads its own section.
A run folder keeps the resolved configuration as `config.toml` when a stage begins in it, so that
the next verb needs only `--run`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast

import tomli_w
from pydantic import BaseModel, Field, model_validator

from subgoal.agents.config import Decoding
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.augmentation.config import AugmentConfig
from subgoal.connections.secret import masked
from subgoal.engines.config import EngineConfig
from subgoal.environments.config import WorldConfig
from subgoal.environments.registry import LOG
from subgoal.errors import ConfigInvalid, nearest
from subgoal.evaluation.config import AssessConfig, EvaluateConfig, RolloutConfig
from subgoal.evaluation.protocol import check_protocol
from subgoal.plain_text import REPLACEMENT, storable
from subgoal.record import Rare, Record, removed
from subgoal.self_training.config import ImproveConfig, ReinforceConfig
from subgoal.shared_keys import gathered, keys_of, shared, spread, values_of
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import CONFIG, RunFolder
from subgoal.storage.toml_file import merged, read_toml
from subgoal.time_plan.config import TimePlanConfig
from subgoal.training.config import TrainConfig
from subgoal.trajectories.config import CollectConfig, PathSource
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.validation import is_record, kind, validated

_SHARED = {"seed", "annotations", "decoding", "engine", "world"}
"""What is written once and read by several sections."""


class Config(Record):
    """Everything that decides an experiment's result.

    What several sections share is written once: `[world]`, `[decoding]`, `[engine]` and `seed`.

    >>> import subgoal
    >>> config = subgoal.Config(world={"environment": "errand"}, collect={"per_type": 5})
    >>> config.collect.environment, config.collect.per_type, config.annotate.teacher.value
    ('errand', 5, 'recorded')
    """

    seed: Rare[int] = Field(default=0, ge=0, lt=2**32)
    """Seed of initial weights, of the order of batches, and of all that is drawn or sampled."""
    annotations: Path | None = None
    """File of annotated trajectories to learn from. A .jsonl or .jsonl.zst; `improve` adds its own
    paths to it, and `random_subgoals` draws from its sub-goals. Left out: the run folder's own."""
    world: WorldConfig = WorldConfig()
    """The world of all stages."""
    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""
    logs: Rare[LogsConfig] = LogsConfig()
    """Which logs are imported, and what of them is learned from."""
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
    assess: Rare[AssessConfig] = AssessConfig()
    """Which agents are asked what they would do on held-out paths."""
    improve: ImproveConfig = ImproveConfig()
    """What an agent plays to learn from its own successes."""
    reinforce: ReinforceConfig = ReinforceConfig()
    """How students are reinforced by the world's score."""
    decoding: Decoding = Decoding()
    """How students write when they play."""
    engine: EngineConfig = EngineConfig()
    """What computes students when they play."""

    _removed = removed(
        report=(
            {"episodes": 60, "max_megabytes": 5.0},
            "a report steps through 60 episodes, as far as 5 MB hold them",
        )
    )

    @property
    def asks_model(self) -> bool:
        """True where a model behind an endpoint is asked, which may cost money."""
        acts = self.collect.source == PathSource.REACT and not self.logs.files
        annotates = self.annotate.teacher == TeacherKind.OPENAI
        return acts or annotates or any(agent.paid for agent in self.evaluate.agents)

    @model_validator(mode="before")
    @classmethod
    def _share(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return _spread(_of_log(cast("Mapping[str, Any]", given)))

    @model_validator(mode="after")
    def _check_protocols(self) -> Self:
        named = self.evaluate.protocol, self.rollout.protocol, self.reinforce.dev_protocol
        try:
            for name in named:
                check_protocol(name, self.world.environment)
        except ConfigInvalid as error:
            raise ValueError(str(error)) from None
        return self


def _of_log(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the log of a run its world, so that whatever would play it says that it cannot."""
    files, world = keys_of(given.get("logs")).get("files"), keys_of(given.get("world"))
    if not files or str(world.get("environment", "")).startswith(LOG):
        return given
    try:
        named = LogsConfig.model_validate({"files": files}).world
    except ValueError:  # the section's own validation says what is wrong
        return given
    return {**given, "world": {**world, "environment": named}}


def _spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give each section what it shares with others, as far as that is said."""
    tables, values = dict(given), values_of(given)
    for name in ("decoding", "engine"):
        if name in tables:
            values[name] = tables[name] = spread(_kind(name), tables[name], values, name)
    for name in Config.model_fields.keys() - _SHARED:
        if name in tables or values:
            tables[name] = spread(_kind(name), tables.get(name, {}), values, name)
    return tables


def _kind(section: str) -> type[Record]:
    return cast("type[Record]", Config.model_fields[section].annotation)


def load_config(path: Path) -> Config:
    """Read a TOML configuration, on top of the one that it `extends`, if it does.

    Raises:
        ConfigInvalid: A file is missing, is no TOML, or has an unknown key or a wrong value, or
            files extend each other.
    """
    return validated(Config, _extended(path), str(path))


def _extended(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a file's tables on top of those of the file that it extends."""
    table = read_toml(path)
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ConfigInvalid(f"{path}: 'extends' is wrong: it must be the name of a file")
    below, seen = path.parent / base, (*above, path.resolve())
    if below.resolve() in seen:
        raise ConfigInvalid(f"{path}: 'extends' leads back to {below}; break the circle")
    return merged(_extended(below, seen), table)


def save_config(config: Config, folder: RunFolder) -> None:
    """Write the resolved configuration into the run folder, as `kept_text` returns it.

    Raises:
        ConfigInvalid: A setting, or the name of a file in it, holds text that no file can hold.
    """
    write_text(folder / CONFIG, kept_text(config))


def kept_text(config: Config) -> str:
    """Return the resolved configuration as TOML, without None and without secrets.

    Raises:
        ConfigInvalid: A setting, or the name of a file in it, holds text that no file can hold.
    """
    tables = gathered(Config, config.model_dump(mode="json", exclude_none=True))
    text = tomli_w.dumps(masked(tables))
    odd = next((line for line in text.split("\n") if storable(line) != line), None)
    if odd is not None:
        raise ConfigInvalid(
            f"'{storable(odd).strip()}' is no UTF-8 where it has {REPLACEMENT}; rename the file, "
            "or write the setting anew"
        )
    return text


def config_for(config: Config | Mapping[str, Any] | str | Path | None, folder: RunFolder) -> Config:
    """Return the configuration of a run.

    Args:
        config: One that is made, tables by section on top of the defaults, a TOML file, or None:
            what the run folder kept, else the defaults. Tables and files that name no world are
            of the folder's.
        folder: The run folder.

    Raises:
        ConfigInvalid: The file is missing or is no TOML, or there is an unknown key or a wrong
            value.
    """
    if isinstance(config, Config):
        return config
    kept = folder / CONFIG
    if config is None:
        return load_config(kept) if kept.exists() else Config()
    mapping = isinstance(config, Mapping)
    table = config if mapping else _extended(Path(config))
    named = "environment" in keys_of(table.get("world")) or "logs" in table
    if kept.exists() and not named:
        table = merged({"world": read_toml(kept).get("world", {})}, table)
    return validated(Config, table, "config" if mapping else str(config))


def changed(config: Config, section: str, changes: Mapping[str, Any], source: str) -> Config:
    """Return a configuration with other values in one section, and in what it shares with others.

    Args:
        config: The configuration as it is.
        section: The section's name.
        changes: New values by key. The key of a table below the section may stand alone: of several
            tables that have it, the one nearest to the section is meant. A key that the section
            shares, such as `environment`, is changed for all sections.
        source: Who asks, for messages.

    Raises:
        ConfigInvalid: There is no such key (the nearest one is named), or a value is wrong.
    """
    if not changes:
        return config
    tables = [_placed(section, key, value, source) for key, value in changes.items()]
    return validated(Config, merged(gathered(Config, config.model_dump()), *tables), source)


def _placed(section: str, key: str, value: Any, source: str) -> dict[str, Any]:
    """Return a value in the tables in which its key stands."""
    known = list(_keys(_kind(section)))
    places = [place for place in known if place[-1] == key]
    near = [place for place in places if len(place) == min(map(len, places))]
    if not near:
        raise ConfigInvalid(
            f"{source}: unknown key '{key}'{nearest(key, {place[-1] for place in known})}"
        )
    table: Any = value
    for part in reversed(_at_home(section, near[0])):
        table = {part: table}
    return table


def _at_home(section: str, place: tuple[str, ...]) -> tuple[str, ...]:
    """Return where the key at a place of a section is written."""
    model: Any = _kind(section)
    for at, name in enumerate(place):
        mark = shared(model.model_fields[name])
        if mark is not None and not mark.own:
            return (*filter(None, [mark.section]), *place[at:])
        model = kind(model.model_fields[name].annotation)
    return (section, *place)


def _keys(section: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the place of every key below a section."""
    for name, field in section.model_fields.items():
        yield (name,)
        inner = kind(field.annotation)
        if is_record(inner):
            yield from ((name, *place) for place in _keys(inner))
