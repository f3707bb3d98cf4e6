"""What the verbs' options share, and how they are read on top of the right defaults."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel

from subgoal.cli.command_line import option_name, table_of
from subgoal.cli.help import help_of
from subgoal.cli.output import say
from subgoal.cluster import Backend, Cluster
from subgoal.environments.config import WorldConfig
from subgoal.environments.pool import WorldLimits
from subgoal.record import Rare, Record
from subgoal.shared_keys import gathered
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.toml_file import merged
from subgoal.validation import validated

if TYPE_CHECKING:  # the configuration of all stages, for verbs that have one
    from subgoal.pipeline import Run

DEFAULT_RUN = Path("runs/default")


class RunOptions(Record):
    """The options of all that works on a run folder with its configuration."""

    once: ClassVar[bool] = False
    """Whether the options count for one call: the run folder keeps of them the world alone."""
    run: Path = DEFAULT_RUN
    """The run folder that all stages of an experiment share."""
    config: Path | None = None
    """A TOML configuration; left out: the run folder's own, or else the defaults."""

    def job(self) -> "Run":
        """Return the run that the options describe, on top of the configuration they stand on."""
        from subgoal.config import Config, config_for
        from subgoal.pipeline import Run

        below = gathered(Config, config_for(self.config, RunFolder(self.run)).model_dump())
        given = {name: getattr(self, name) for name in sections(type(self))}
        asked = validated(Config, below | given, "", option_name)
        if not self.once:
            return Run(self.run, asked)
        lasting = below | {name: given[name] for name in ("world",) if name in given}
        return Run(self.run, validated(Config, lasting, "", option_name)).once(asked)


class StageOptions(RunOptions):
    """The options that every stage has."""

    restart: bool = False
    """Run this stage again from its beginning. What it wrote before is deleted once the new result
    is complete, and comes back where the new run is refused."""


class ClusterOptions(StageOptions):
    """The options of stages whose work can be spread."""

    backend: Rare[Backend] = Backend.LOCAL
    """Where the work is done: `local` or `ray`. The result is the same."""
    ray_address: Rare[str] = ""
    """Address of a running Ray cluster, such as `auto`; empty: start one on this machine."""

    def cluster(self) -> AbstractContextManager[Cluster | None]:
        """Return the cluster to work in, or None, for a `with` block."""
        return Cluster(self.ray_address) if self.backend is Backend.RAY else nullcontext()


class WorldOptions(ClusterOptions):
    """The options of stages that need worlds."""

    world: WorldConfig = WorldConfig()
    """The world of all stages."""
    worlds: int | Literal["auto"] = "auto"
    """Number of worlds side by side, about 450 MB each. `auto`: as many as cores and memory allow
    (`evaluate`: four per core). With --backend ray it is the number per worker, which has one core;
    `auto`: one."""
    limits: Rare[WorldLimits] = WorldLimits()
    """When a world is given up and replaced."""

    def where(self) -> dict[str, Any]:
        """Return what a stage with worlds takes, as keyword arguments."""
        return {"restart": self.restart, "worlds": self.worlds, "limits": self.limits}


O = TypeVar("O", bound=Record)  # noqa: E741


def sections(options: type[BaseModel]) -> list[str]:
    """Return the sections of the configuration that are options of a verb."""
    from subgoal.config import Config

    known = options.model_fields  # `annotations` of `report` is a switch
    return [
        name
        for name, field in Config.model_fields.items()
        if name in known and (name != "annotations" or known[name].annotation == field.annotation)
    ]


def read_options(options: type[O], command: str, words: Sequence[str]) -> O:
    """Read a command's options; asked for help, print it and exit with 0.

    What is not given comes from `--config`, else from a released agent that plays, else from the
    run folder, else from the package.

    Args:
        options: The options' class; a section of the configuration is a field of the same name.
        command: The command, such as `subgoal train`.
        words: The words after it.

    Raises:
        ConfigInvalid: An option or the configuration file is wrong, or there is no such agent.
        StudentInvalid: A released agent is damaged.
    """
    helps = {"-h": False, "--help": False, "--help-all": True}
    asked = [helps[word] for word in words if word in helps]
    table = table_of(options, [word for word in words if word not in helps])
    defaults = _defaults(options, table)
    if asked:
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        say(help_of(command, options, defaults, any(asked), width))  # defaults may be anybody's
        raise SystemExit(0)
    own = gathered(options, defaults.model_dump(by_alias=True))
    return validated(options, merged(own, table), "", option_name)


def _defaults(options: type[O], table: dict[str, Any]) -> O:
    """Return what holds where a command line says nothing."""
    if not issubclass(options, RunOptions):
        return options()
    from subgoal.cli.agent import fitted
    from subgoal.config import Config, config_for

    folder = RunFolder(Path(table.get("run", DEFAULT_RUN)))
    config = Path(table["config"]) if table.get("config") else None
    found: Config = config_for(config, folder)
    agent = table.get("agent") if "evaluate" in options.model_fields else None
    if agent and not config:
        found = fitted(found, agent)
    return options.model_validate({name: getattr(found, name) for name in sections(options)})
