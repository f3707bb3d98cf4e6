"""`subgoal view`: watch episodes in a browser."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from subgoal.cli.output import say
from subgoal.errors import ConfigInvalid, SubgoalError, install
from subgoal.record import Own, Rare, Record, Words
from subgoal.storage.manifest import SUFFIX

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
    """Watch run folders in a browser: each step, two agents side by side, failures, training.

    A run's students play there, too: a task, or on from any recorded step, steered by you; a run
    that is training shows how far it is. The page is served on this machine and loads nothing from
    the network. Ctrl-C ends it.
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
        if not _is_run(run):
            known = f"`subgoal runs --folder {_near(run)}` lists those there are"
            raise ConfigInvalid(f"{run} is no run folder; {known}")
    try:
        from subgoal.serving.view.local import serve_view
    except ModuleNotFoundError as error:
        raise SubgoalError(f"watching episodes: {install('fastapi', 'serve')}") from error
    serve_view(watched.runs, watched.host, watched.port, _ready, _agents(watched.agent))


def _is_run(folder: Path) -> bool:
    """Return whether a stage has begun in a folder, or episodes lie in it."""
    return any(folder.glob("*" + SUFFIX)) or (folder / "evaluation").is_dir()


def _near(place: Path) -> Path:
    """Return the folder whose run folders somebody may have meant who named a place."""
    return place if place.is_dir() and any(map(_is_run, place.iterdir())) else place.parent


def _agents(name: str) -> "list[ReleasedAgent]":
    from subgoal.agents.released import released_agent

    return [released_agent(name)] if name else []


def _ready(url: str) -> None:
    say(url, "bold")
    sys.stdout.flush()
