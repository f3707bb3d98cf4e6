"""What every stage's verb shares: reading its options on top of the right defaults."""

import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar, cast

import tyro

from subgoal.cli.agent import fitted
from subgoal.cluster import Backend, Cluster
from subgoal.config import Config, config_for
from subgoal.environments.pool import WorldLimits
from subgoal.pipeline import Run
from subgoal.progress import printable
from subgoal.record import Record
from subgoal.run_folder import RunFolder

DEFAULT_RUN = Path("runs/default")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


class RunOptions(Record):
    """The options of all that works on a run folder with its configuration."""

    run: Path = DEFAULT_RUN
    """The run folder; all stages of one experiment share it."""
    config: Path | None = None
    """A TOML configuration; without it the run folder's own is used, else the defaults."""

    def job(self) -> Run:
        """Return the run that the options describe; sections that are no options are defaults."""
        sections = Config.model_fields.keys() & type(self).model_fields
        return Run(self.run, Config(**{name: getattr(self, name) for name in sections}))


class StageOptions(RunOptions):
    """The options that every stage has."""

    restart: bool = False
    """Run this stage again from its beginning. What it wrote before is deleted once the new one is
    complete, and comes back where the new one is refused."""


class ClusterOptions(StageOptions):
    """The options of stages whose work can be spread."""

    backend: Backend = Backend.LOCAL
    """Where the work is done; the result is the same."""
    ray_address: str = ""
    """Of a running Ray cluster, such as `auto`; empty: one is started on this machine."""

    def cluster(self) -> AbstractContextManager[Cluster | None]:
        """Return the cluster to work in, or None, for a `with` block."""
        return Cluster(self.ray_address) if self.backend is Backend.RAY else nullcontext()


class WorldOptions(ClusterOptions):
    """The options of stages that need worlds."""

    worlds: int | Literal["auto"] = "auto"
    """Worlds side by side (about 450 MB each); `auto`: as many as cores and memory allow (of
    evaluate four a core). With --backend ray: of each worker, which has one core; `auto`: one."""
    limits: WorldLimits = WorldLimits()
    """When a world is given up and replaced."""

    def where(self) -> dict[str, Any]:
        """Return what a stage with worlds takes, as keyword arguments."""
        return {"restart": self.restart, "worlds": self.worlds, "limits": self.limits}


O = TypeVar("O", bound=RunOptions)  # noqa: E741


def read_options(options: type[O], verb: str, words: Sequence[str], sections: Sequence[str]) -> O:
    """Parse a stage verb's options.

    Defaults come from `--config`, else from a released agent that plays, else from the run folder,
    else from the package.

    Args:
        options: The options' class; it has a field for each of `sections`.
        verb: The verb, for the usage line.
        words: The words after the verb.
        sections: Which sections of the configuration are options.

    Raises:
        ConfigInvalid: The configuration file is wrong, or there is no such agent.
        StudentInvalid: A released agent is damaged.
    """
    run, config = _peek(words, "--run"), _peek(words, "--config")
    agent = _peek(words, "--agent") if "agent" in options.model_fields else None
    folder = RunFolder(Path(run) if run else DEFAULT_RUN)
    found: Config = config_for(Path(config) if config else None, folder)
    if agent and not config:
        found = found.model_copy(update={"evaluate": fitted(found.evaluate, agent)})
    defaults = options.model_validate({name: getattr(found, name) for name in sections})
    with redirect_stdout(_printed(sys.stdout)), redirect_stderr(_printed(sys.stderr)):
        return tyro.cli(
            options,
            prog=f"subgoal {verb}",
            description=options.__doc__,
            args=words,
            default=defaults,
            config=(tyro.conf.EnumChoicesFromValues,),
        )


class _Printed:
    """A stream on which text is shown as text: help has defaults, which may be from anybody."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; of what steers a terminal only styles pass."""
        parts = enumerate(_STYLE.split(text))
        return self._stream.write("".join(part if n % 2 else printable(part) for n, part in parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _printed(stream: TextIO) -> TextIO:
    return cast("TextIO", _Printed(stream))


def _peek(words: Sequence[str], option: str) -> str | None:
    """Find an option's value before the whole line is parsed: it decides the defaults."""
    for index, word in enumerate(words):
        if word == option and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None
