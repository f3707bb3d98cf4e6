"""Worlds by name, imported only when asked for."""

from importlib import import_module
from typing import Any

from subgoal.environments.base import Environment
from subgoal.environments.boundary import checked_world, raised
from subgoal.errors import ConfigInvalid, EnvironmentFailed, SubgoalError, nearest

WORLDS: dict[str, tuple[str, str, str]] = {
    "errand": ("subgoal.environments.errand", "ErrandWorld", ""),
    "scienceworld": ("subgoal.environments.scienceworld.world", "ScienceWorld", "scienceworld"),
}
"""Name -> module, class, and the extra of this package that installs what the module needs."""


def names() -> tuple[str, ...]:
    """Return the names of all worlds, installed or not."""
    return tuple(WORLDS)


def make(name: str, **options: Any) -> Environment:
    """Build a world by name.

    Args:
        name: One of `names()`.
        options: Passed to the adapter's class.

    Raises:
        ConfigInvalid: No such world, or no such option.
        EnvironmentFailed: A package that the world needs is not installed, or its class is no
            world, or raised.
    """
    if name not in WORLDS:
        hint = nearest(name, WORLDS) or f"; there are: {', '.join(WORLDS)}"
        raise ConfigInvalid(f"there is no world '{name}'{hint}")
    module, kind, extra = WORLDS[name]
    try:
        return checked_world(getattr(import_module(module), kind)(**options), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
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
