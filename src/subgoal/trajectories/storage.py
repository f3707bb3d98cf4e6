"""Where trajectories and oracle paths are kept: the run folder's journal, and lists of actions.

A list of actions is small and replays to the same trajectory, so it is what ships with the
package, what users bring, and what can be exported.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from os import SEEK_END
from pathlib import Path

import zstandard
from pydantic import ConfigDict

from subgoal.environments.base import Task
from subgoal.errors import ConfigInvalid
from subgoal.plain_text import numbered_lines
from subgoal.record import Record
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.unpacking import lines
from subgoal.trajectories.trajectory import Trajectory

FILE = "trajectories.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""


class OraclePath(Record):
    """Elementary actions that solve a task; one line of a path list. Other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    environment: str = ""
    """Name of the world; empty: the one that is collected from."""
    task: str
    """Task type."""
    variation: int
    """Variation number."""
    split: str = ""
    """Its split; empty: not said."""
    simplifications: str = ""
    """The setting that the path was made under; a path of the plain world is tried under any."""
    actions: tuple[str, ...]
    """Elementary actions, in order."""


Paths = Mapping[tuple[str, int], OraclePath]
"""Oracle paths by task type and variation."""


def journal(folder: RunFolder) -> Journal[Trajectory]:
    """Return the run folder's journal of trajectories."""
    return Journal(folder / FILE, Trajectory, "trajectories", lambda path: path.key)


def path_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a list of oracle paths (JSONL, or JSONL.gz) with their numbers.

    Raises:
        ConfigInvalid: The file cannot be read.
    """
    try:
        yield from numbered_lines(lines(path))
    except (OSError, EOFError, zlib.error, ValueError, zstandard.ZstdError) as error:
        raise ConfigInvalid(f"the list of paths {path} cannot be read: {error}") from error


def check_list(file: Path) -> None:
    """Make sure that paths can be added to a list, before somebody makes one.

    Raises:
        ConfigInvalid: The file cannot be written, or is packed.
    """
    try:
        if file.suffix != ".jsonl":
            raise ValueError("name a file that ends in .jsonl")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("ab").close()
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"the list of paths {file} cannot be written: {error}") from error


def add_path(file: Path, task: Task, actions: Sequence[str]) -> None:
    """Add a path to a list of paths (JSONL) that was checked.

    Args:
        file: The list; `collect.paths` reads it.
        task: What was played.
        actions: What was done.
    """
    path = OraclePath(
        environment=task.environment,
        task=task.name,
        variation=task.variation,
        split=task.split,
        simplifications=task.simplifications,
        actions=tuple(actions),
    )
    with file.open("a+b") as out:
        size = out.seek(0, SEEK_END)
        out.seek(max(0, size - 1))
        unended = out.read(1) not in {b"", b"\n"}
        out.write(b"\n" * unended + path.model_dump_json().encode() + b"\n")


@cache
def shipped_paths(environment: str) -> Paths:
    """Return the oracle paths of a world that ship with the package."""
    return _shipped(f"{environment}.jsonl.gz")


@cache
def recorded_paths(environment: str) -> Paths:
    """Return the paths of a world that the recorded annotations are of."""
    return _shipped(f"{environment}.recorded.jsonl.gz")


def _shipped(name: str) -> Paths:
    place = resources.files("subgoal.trajectories") / "oracle_paths" / name
    return _read_paths(place) if place.is_file() else {}


def _read_paths(place: Traversable) -> dict[tuple[str, int], OraclePath]:
    paths = [OraclePath.model_validate_json(line) for line in lines(place)]
    return {(path.task, path.variation): path for path in paths}
