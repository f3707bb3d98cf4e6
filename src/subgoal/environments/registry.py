"""Worlds by name, imported only when asked for.

A world of your own needs no entry: its name is where its class lies, such as `my_worlds:Garden`.
"""

from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import JsonValue

from subgoal.environments.base import Ability, Environment
from subgoal.environments.boundary import checked_language, checked_world, raised
from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.errors import ConfigInvalid, EnvironmentFailed, SubgoalError, nearest
from subgoal.own_class import own_class
from subgoal.validation import checked_by

LOG = "log:"
"""How the name of a log begins, which is no world: `log:airline` is learned from, not played."""
WORLDS: dict[str, tuple[str, str, str]] = {
    "babyai": ("subgoal.environments.babyai.world", "BabyAI", "babyai"),
    "errand": ("subgoal.environments.errand", "ErrandWorld", ""),
    "scienceworld": ("subgoal.environments.scienceworld.world", "ScienceWorld", "scienceworld"),
    "textworldexpress": (
        "subgoal.environments.textworld_express.world",
        "TextWorldExpress",
        "textworldexpress",
    ),
    "textworld": ("subgoal.environments.textworld.world", "TextWorld", "textworld"),
    "alfworld": ("subgoal.environments.alfworld.world", "AlfWorld", "alfworld"),
}
"""Name -> module, class, and the extra of this package that installs what the module needs."""
LANGUAGES = {
    "babyai": "subgoal.environments.babyai.language",
    "errand": "subgoal.environments.errand",
    "scienceworld": "subgoal.environments.scienceworld.language",
    "textworldexpress": "subgoal.environments.textworld_express.language",
    "textworld": "subgoal.environments.textworld.language",
    "alfworld": "subgoal.environments.alfworld.language",
}
"""Name -> the module whose `LANGUAGE` is the world's; it needs no extra."""


def check_name(name: str) -> None:
    """Check the name of a world; a class of your own is not imported yet.

    Raises:
        ConfigInvalid: There is none.
    """
    if ":" not in name and name not in WORLDS:
        known = f"; there are: {', '.join(WORLDS)}, and module:Class of your own"
        raise ConfigInvalid(f"there is no world '{name}'{nearest(name, WORLDS) or known}")


WorldName = Annotated[str, checked_by(check_name)]
"""The name of a world that there is, or where the class of one of your own lies."""
WorldOptions = dict[str, JsonValue]
"""What the class of a world is made with, by the names of its arguments."""


def make(name: str, **options: Any) -> Environment:
    """Build a world by name.

    Args:
        name: One of `WORLDS`, or where the class of a world of your own lies, as `module:Class`.
        options: Passed to the adapter's class, but for `valid_actions`: where it is false, nobody
            is shown what the world lists.

    Raises:
        ConfigInvalid: No such world, or no such option, or your own class cannot be had.
        EnvironmentFailed: A package that the world needs is not installed, or its class is no
            world, or raised.
    """
    check_name(name)
    if name.startswith(LOG):
        raise ConfigInvalid(
            f"'{name}' is a log and no world, so nothing can be played in it; see how students do "
            "on its conversations with `subgoal assess`"
        )
    listed = options.pop(Ability.VALID_ACTIONS, True)
    if not isinstance(listed, bool):
        raise ConfigInvalid(f"world '{name}': the option {Ability.VALID_ACTIONS} is true or false")
    try:
        world = checked_world(_class(name)(**options), name)
    except ModuleNotFoundError as error:
        missing, extra = (error.name or "").partition(".")[0], WORLDS.get(name, ("", "", ""))[2]
        if not extra or missing in {"", "subgoal"}:
            raise EnvironmentFailed(f"world '{name}' cannot be made: {raised(error)}") from error
        raise EnvironmentFailed(
            f"world '{name}' needs the package '{missing}', which is not installed;"
            f" run: pip install 'subgoal[{extra}]'"
        ) from error
    except (KeyboardInterrupt, SubgoalError):
        raise
    except BaseException as error:  # anybody's code
        if options and "unexpected keyword argument" in str(error):
            raise ConfigInvalid(f"world '{name}': {str(error).split('() ')[-1]}") from error
        raise EnvironmentFailed(f"world '{name}' cannot be made: {raised(error)}") from error
    if not listed:
        world.withheld |= {Ability.VALID_ACTIONS}
    return world


@lru_cache
def language(name: str) -> WorldLanguage:
    """Return the words of a world, without starting it.

    Args:
        name: A world's name; of one that is not known here, as logs name them, there are none.

    Raises:
        ConfigInvalid: A class of your own cannot be had.
        EnvironmentFailed: What it calls its language is none.
    """
    if name.startswith(LOG):
        return NO_WORDS
    if name in LANGUAGES:
        return import_module(LANGUAGES[name]).LANGUAGE
    return checked_language(_class(name), name) if ":" in name else NO_WORDS


def folder(name: str) -> Path | None:
    """Return the folder of the package in which a world's module lies; None: it lies in none.

    A package that cannot be imported has none: what was played in a world is read without it.
    """
    module = LANGUAGES.get(name, name).partition(":")[0]
    package = module.rpartition(".")[0]
    try:
        return Path(str(files(package))) if package else None
    except ImportError:
        return None


def _class(name: str) -> Any:
    if ":" in name:
        return own_class(name, Environment, f"world '{name}'")
    module, kind, _ = WORLDS[name]
    return getattr(import_module(module), kind)
