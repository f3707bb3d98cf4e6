"""A class of your own (a teacher, a world): named `module:Class`, imported when it is needed."""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from subgoal.errors import ConfigInvalid, said_by

T = TypeVar("T")


def place_of(kind: Callable[..., object]) -> str:
    """Return where a class or function lies, as `module:name`."""
    return f"{kind.__module__}:{kind.__qualname__}"


def own_class(place: str, base: type[T], what: str) -> Callable[..., T]:
    """Import a class; modules in the working directory are found too.

    Args:
        place: Where it lies, as `module:Class`.
        base: What it must be a subclass of.
        what: Which setting names it, for messages.

    Raises:
        ConfigInvalid: It cannot be imported, is no such subclass, or lacks a method.
    """
    found = imported(place, what)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigInvalid(
            f"{what} is no {base.__name__.lower()}; make it a subclass of subgoal.{base.__name__}"
        )
    if inspect.isabstract(found):
        missing = ", ".join(sorted(vars(found)["__abstractmethods__"]))
        raise ConfigInvalid(f"{what} has no method {missing}; write it")
    return found


def imported(place: str, what: str) -> object:
    """Import anything by name; modules in the working directory are found too.

    Args:
        place: Where it lies, as `module:name`; a module alone is returned itself.
        what: Which setting names it, for messages.

    Raises:
        ConfigInvalid: It cannot be imported.
    """
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not look there by itself
        sys.path.append(here)
    try:
        found: object = import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # anybody's code, which may try to end the program
        raise ConfigInvalid(f"{what} cannot be imported: {said_by(error)}") from error
    return found
