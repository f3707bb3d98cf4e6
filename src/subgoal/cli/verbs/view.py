"""`subgoal view`: watch episodes in a browser."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from subgoal.cli.output import say
from subgoal.errors import ConfigInvalid, SubgoalError, install
from subgoal.record import Own, Rare, Record, Words

if TYPE_CHECKING:
    from subgoal.agents.released import ReleasedAgent


class Watched(Record):
    """What is watched, and where."""

    runs: Words[tuple[Path, ...]] = ()
    """Run folders."""
    agent: str = ""
    """An agent that is ready, by name (`scienceworld`) or folder, to play tasks, too."""
    port: int = Field(default=8321, ge=0, lt=65536)
    """Port of the page; 0: any that is free."""
    host: Rare[str] = "127.0.0.1"
    """Address to listen on. Another than this machine's own needs a token in the environment
    variable SUBGOAL_TOKEN."""


class ViewOptions(Record):
    """Watch the episodes of run folders in a browser: each step, two agents side by side, failures.

    A run's students play there, too: a task, or on from any recorded step, steered by you. The page
    is served on this machine and loads nothing from the network. Ctrl-C ends it.
    Example: subgoal view runs/mine runs/other
    """

    view: Own[Watched] = Watched()
    """What is watched, and where."""


OPTIONS = ViewOptions


def command(options: ViewOptions) -> None:
    """Run the verb; serves until it is interrupted."""
    watched = options.view
    if not watched.runs and not watched.agent:
        raise ConfigInvalid("name the run folders to watch: `subgoal view runs/mine`")
    for run in watched.runs:
        if not run.is_dir():
            raise ConfigInvalid(f"{run} is no run folder; `subgoal runs` lists those there are")
    try:
        from subgoal.serving.view.local import serve_view
    except ModuleNotFoundError as error:
        raise SubgoalError(f"watching episodes: {install('fastapi', 'serve')}") from error
    serve_view(watched.runs, watched.host, watched.port, _ready, _agents(watched.agent))


def _agents(name: str) -> "list[ReleasedAgent]":
    from subgoal.agents.released import released_agent

    return [released_agent(name)] if name else []


def _ready(url: str) -> None:
    say(url, "bold")
    sys.stdout.flush()
