"""TextWorld's games: which there are, how one is generated, and where it is kept.

A game is generated and compiled when it is first wanted, which takes a second or so, and kept in
the user's cache. The form without text that needs no compiler is of no use to an agent that reads;
the compiler comes with the package.
"""

import json
import shutil
import warnings
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from platformdirs import user_cache_path

from subgoal.environments.base import Task
from subgoal.environments.textworld.engine import PYTHON_ENGINE
from subgoal.errors import EnvironmentFailed

ENGINE_VERSION = "1.7.0"
"""The version of the package `textworld` that the variations belong to."""
KEPT_GAMES = 1000
"""So many games are kept, half a megabyte each; then those go that were played longest ago."""
ROUTE = "route"
"""The simplification in which a coin's or treasure's task tells each step of the way to it."""

COOKING: dict[str, dict[str, Any]] = {
    "cooking-1": {},
    "cooking-2": {"cook": True},
    "cooking-3": {"cut": True},
    "cooking-4": {"go": 6},
    "cooking-5": {"go": 9},
    "cooking-6": {"go": 12},
    "cooking-7": {"cook": True, "cut": True},
    "cooking-8": {"recipe": 3, "take": 3, "go": 6},
    "cooking-9": {"recipe": 3, "take": 3, "go": 6, "cook": True, "cut": True},
    "cooking-10": {"recipe": 3, "take": 3, "go": 12, "cook": True, "cut": True},
}
"""The cooking game by the levels of difficulty of Adhikari et al. (2020): 3, 7, 5 and 9 are levels
1 to 4 of the paper's tables. What is not said is one ingredient to take, one room, things to open.
"""
LEVELS = {
    "coin-5": ("tw-coin_collector", 5),
    "coin-10": ("tw-coin_collector", 10),
    "coin-110": ("tw-coin_collector", 110),
    "coin-210": ("tw-coin_collector", 210),
    "treasure-5": ("tw-treasure_hunter", 5),
    "treasure-15": ("tw-treasure_hunter", 15),
    "treasure-25": ("tw-treasure_hunter", 25),
}
"""Games with one level of difficulty, by the package's own numbers."""

VARIATIONS = {"train": range(400), "dev": range(400, 450), "test": range(450, 550)}
"""Seeds of each type; the cooking game's recipes are also kept apart by the package."""
_COOKING_SPLITS = {"train": "train", "dev": "valid", "test": "test"}
_NEXT_SEED = 1_000_000
_TRIES = 20


class GameFiles(NamedTuple):
    """A game that lies on disk."""

    story: Path
    """What the interpreter plays."""
    data: dict[str, Any]
    """What the package knows about it."""

    @property
    def path(self) -> Path:
        """Where `data` lies."""
        return self.story.with_suffix(".json")


def game(task: Task) -> GameFiles:
    """Return the game of a task, generating it where it is not kept.

    Args:
        task: A task that there is.

    Raises:
        EnvironmentFailed: It cannot be generated or compiled here.
    """
    _check_version()
    kept = user_cache_path("subgoal") / f"textworld-{ENGINE_VERSION}"
    folder = kept / task.key.replace("/", "_")
    with suppress(OSError, ValueError):
        data = json.loads((folder / "game.json").read_text(encoding="utf-8"))
        folder.touch()
        return GameFiles(folder / "game.z8", data)
    kept.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(dir=kept, prefix="making-"))
    try:
        with PYTHON_ENGINE:
            _generate(task, making / "game.z8")
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    _bound(kept)
    return game(task)


def interpreter() -> Any:
    """Import the interpreter, which need not warn that it does not know these games."""
    jericho: Any = import_module("jericho")
    warnings.simplefilter("ignore", jericho.UnsupportedGameWarning)
    return jericho


@lru_cache
def _check_version() -> None:
    found = version("textworld")
    if found != ENGINE_VERSION:
        raise EnvironmentFailed(
            f"world 'textworld' needs the package textworld {ENGINE_VERSION}, but {found} is"
            f" installed; run: pip install 'textworld=={ENGINE_VERSION}'"
        )


def _generate(task: Task, story: Path) -> None:
    generator: Any = import_module("textworld.generator")
    interpreter()  # the package plays a game to see whether it can be won
    try:
        made, options = _made(task, generator)
        options.path = str(story)
        generator.compile_game(made, options)
    except (generator.inform7.CouldNotCompileGameError, OSError) as error:
        raise EnvironmentFailed(
            f"the game {task.key} cannot be compiled by the compiler in the package textworld,"
            f" which is for Linux and macOS: {error}"
        ) from error
    story.with_suffix(".ni").unlink()


def _made(task: Task, generator: Any) -> tuple[Any, Any]:
    """Return a game and its options; of a few seeds no map fits the length of the quest."""
    challenges: Any = import_module("textworld.challenges")
    for seed in range(task.variation, _TRIES * _NEXT_SEED, _NEXT_SEED):
        options = generator.GameOptions()
        options.seeds = seed
        if task.name in COOKING:
            challenge, settings = "tw-cooking", _recipe(task, seed)
        else:
            challenge, level = LEVELS[task.name]
            settings = {"level": level}
            options.grammar.only_last_action = task.simplifications != ROUTE
        _, make, _ = challenges.CHALLENGES[challenge]
        with suppress(generator.QuestGenerationError):
            return make(settings, options), options
    raise EnvironmentFailed(f"no game can be generated for {task.key}")


def _recipe(task: Task, seed: int) -> dict[str, Any]:
    settings = {"recipe": 1, "take": 1, "go": 1, "open": True, **COOKING[task.name]}
    return {**settings, "recipe_seed": seed + 1, "split": _COOKING_SPLITS[task.split]}


def _bound(kept: Path) -> None:
    """Remove the games played longest ago; another process may do so at the same time."""
    with suppress(OSError):
        games = sorted(kept.iterdir(), key=lambda folder: folder.stat().st_mtime)
        for folder in games[:-KEPT_GAMES]:
            shutil.rmtree(folder, ignore_errors=True)
