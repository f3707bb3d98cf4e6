"""ALFWorld's games: a download that the user makes, and which of them are tasks."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from subgoal.environments.task_table import TaskTable
from subgoal.errors import EnvironmentFailed

NAME = "alfworld"
"""The world's name."""
TASK_TYPES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
"""The six, in the package's order."""
SPLITS = {"train": ("train", 0), "dev": ("valid_seen", 10_000), "test": ("valid_unseen", 20_000)}
"""Split -> the folder of its games, and the number of its first variation of a type."""

_GAMES = "json_2.1.1"
_FILE = "game.tw-pddl"
_UNPLAYED = re.compile("movable|Sliced")
"""Games that the package leaves out, by their folder's name."""
_SOLVABLE = re.compile(rb'"solvable":\s*true')


class Games(NamedTuple):
    """The games in a folder."""

    table: TaskTable
    """The tasks."""
    files: Mapping[tuple[str, int], Path]
    """By task type and variation, the game."""


@lru_cache
def games(folder: str) -> Games:
    """Find the games that can be solved, in the order of their folders' names.

    Args:
        folder: Where `alfworld-download` put them; empty: what `ALFWORLD_DATA` says, or the
            package's own default.

    Raises:
        EnvironmentFailed: A split has none there.
    """
    default = os.environ.get("ALFWORLD_DATA", "~/.cache/alfworld")
    base = Path(folder or default).expanduser()
    variations: dict[str, dict[str, list[int]]] = {}
    files: dict[tuple[str, int], Path] = {}
    for split, (place, first) in SPLITS.items():
        found = [
            file for file in sorted((base / _GAMES / place).glob(f"*/*/{_FILE}")) if _fit(file)
        ]
        if not found:
            raise EnvironmentFailed(
                f"world '{NAME}' has no games in {base / _GAMES / place}; run: alfworld-download"
                ", or set ALFWORLD_DATA or world.options.data to where they are"
            )
        for file in found:
            name = _type(file)
            numbers = variations.setdefault(name, {one: [] for one in SPLITS})[split]
            numbers.append(first + len(numbers))
            files[name, numbers[-1]] = file
    ordered = {name: variations[name] for name in TASK_TYPES if name in variations}
    return Games(TaskTable(NAME, ordered), files)


def _fit(file: Path) -> bool:
    """Return whether the package would play a game: whole files are read, so it comes last."""
    known = _type(file) in TASK_TYPES and not _UNPLAYED.search(str(file))
    return known and _SOLVABLE.search(file.read_bytes()) is not None


def _type(file: Path) -> str:
    return file.parts[-3].partition("-")[0]
