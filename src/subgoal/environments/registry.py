"""Worlds by name, imported only when asked for.

A world of your own needs no entry here. Its name is where its class lies, such as
`my_worlds:Garden`; or what an installed package calls it, by an entry point of the group
`subgoal.worlds`; or `gymnasium:` and its id in Gymnasium.
"""

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

from pydantic import JsonValue

from subgoal.environments.base import Ability, Environment
from subgoal.environments.boundary import checked_language, made, raised
from subgoal.environments.language import NO_WORDS, TURNS, WorldLanguage
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
GROUP = "subgoal.worlds"
"""The group of entry points by which packages offer worlds."""
GYMNASIUM = "gymnasium"
"""How names of Gymnasium's environments begin, and the extra that installs it."""
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
    if ":" in name or name in WORLDS:
        return
    offered = _offered(tuple(sys.path))
    if len(offered.get(name, ())) > 1:
        packages = ", ".join(sorted(_package(one) for one in offered[name]))
        raise ConfigInvalid(
            f"several packages offer a world '{name}': {packages}; uninstall all but one"
        )
    if name not in offered:
        names = [*WORLDS, *sorted(offered)]
        known = f"; there are: {', '.join(names)}, and module:Class of your own"
        raise ConfigInvalid(f"there is no world '{name}'{nearest(name, names) or known}")


@lru_cache(maxsize=1)
def _offered(path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """Return the worlds that installed packages offer, by name.

    Args:
        path: Where packages lie, `sys.path`: where it changes, others may be found.
    """
    del path
    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        others = found.setdefault(one.name, [])
        if all(one.value != other.value for other in others):
            others.append(one)
    return found


def _package(one: EntryPoint) -> str:
    return f"{one.dist.name} ({one.value})" if one.dist else one.value


_NAMED = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
"""Arguments that can be given by name."""
WorldName = Annotated[str, checked_by(check_name)]
"""The name of a world that there is, or where the class of one of your own lies."""
WorldOptions = dict[str, JsonValue]
"""What the class of a world is made with, by the names of its arguments."""


def make(name: str, /, **options: Any) -> Environment:
    """Build a world by name.

    Args:
        name: One of `WORLDS`, what an installed package offers, `module:Class` or `gymnasium:ID`.
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
        kind = _class(name)
        _check_options(kind, options, name)
        world = made(kind, options, name)
    except ModuleNotFoundError as error:
        missing, extra = (error.name or "").partition(".")[0], WORLDS.get(name, ("", "", ""))[2]
        extra = extra or (GYMNASIUM if missing == GYMNASIUM else "")
        if not extra or missing in {"", "subgoal"}:
            raise EnvironmentFailed(f"world '{name}' cannot be made: {raised(error)}") from error
        raise EnvironmentFailed(
            f"world '{name}' needs the package '{missing}', which is not installed;"
            f" run: pip install 'subgoal[{extra}]'"
        ) from error
    except (KeyboardInterrupt, SubgoalError):
        raise
    except BaseException as error:  # anybody's code
        raise EnvironmentFailed(f"world '{name}' cannot be made: {raised(error)}") from error
    if not listed:
        world.withheld |= {Ability.VALID_ACTIONS}
    return world


def _check_options(kind: Callable[..., object], options: Mapping[str, Any], name: str) -> None:
    """Refuse options that a world's class does not take, and a class that needs others."""
    try:
        parameters = signature(kind).parameters
    except (TypeError, ValueError):  # written in C, perhaps
        return
    open_ended = any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values())
    named = {key: one for key, one in parameters.items() if one.kind in _NAMED}
    for key in () if open_ended else options.keys() - named.keys():
        known = [*named, Ability.VALID_ACTIONS]
        hint = nearest(key, known) or f"; it has: {', '.join(known)}"
        raise ConfigInvalid(f"world '{name}' has no option '{key}'{hint}")
    for key, one in named.items():
        if one.default is Parameter.empty and key not in options:
            raise ConfigInvalid(
                f"world '{name}' needs the option '{key}': write options = {{ {key} = ... }} into "
                "[world]"
            )


@lru_cache
def language(name: str) -> WorldLanguage:
    """Return the words of a world, without starting it.

    Args:
        name: A world's name; one that is not known here has none.

    Raises:
        ConfigInvalid: A class of your own cannot be had.
        EnvironmentFailed: What it calls its language is none.
    """
    if name.startswith(LOG):
        return TURNS
    if name in LANGUAGES:
        return import_module(LANGUAGES[name]).LANGUAGE
    if name.startswith(f"{GYMNASIUM}:"):
        return NO_WORDS
    known = ":" in name or name in _offered(tuple(sys.path))
    return checked_language(_class(name), name) if known else NO_WORDS


def folder(name: str) -> Path | None:
    """Return the folder of the package in which a world's module lies; None: it lies in none.

    A package that cannot be imported has none: what was played in a world is read without it.
    """
    module = LANGUAGES.get(name) or name.partition(":")[0]
    for one in () if name in LANGUAGES else _offered(tuple(sys.path)).get(name, ()):
        module = one.module
    package = module.rpartition(".")[0]
    try:
        return Path(str(files(package))) if package else None
    except ImportError:
        return None


def _class(name: str) -> Any:
    kind, _, place = name.partition(":")
    if kind == GYMNASIUM:
        from subgoal.environments.gymnasium.world import GymnasiumWorld

        return partial(GymnasiumWorld, place)
    if ":" in name:
        return own_class(name, Environment, f"world '{name}'")
    if name not in WORLDS:
        check_name(name)
        (one,) = _offered(tuple(sys.path))[name]
        return own_class(
            f"{one.module}:{one.attr or ''}", Environment, f"world '{name}' of {_package(one)}"
        )
    module, kind, _ = WORLDS[name]
    return getattr(import_module(module), kind)
