"""A teacher of one's own: named `module:Class`, imported when it is needed."""

import inspect
import sys
from importlib import import_module
from pathlib import Path

from subgoal.annotation.teachers.base import Teacher
from subgoal.errors import ConfigInvalid, said_by


def place_of(teacher: Teacher) -> str:
    """Return where the class of a teacher lies, as `module:Class`."""
    return f"{type(teacher).__module__}:{type(teacher).__qualname__}"


def own_teacher(place: str) -> Teacher:
    """Import a teacher's class and make one; modules in the working directory are found too.

    Args:
        place: Where the class lies, as `module:Class`.

    Raises:
        ConfigInvalid: It cannot be imported, is no teacher, or cannot be made without arguments.
    """
    module, _, name = place.partition(":")
    what = f"annotate.teacher = '{place}'"
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not look there by itself
        sys.path.append(here)
    try:
        found: object = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ConfigInvalid(f"{what} cannot be imported: {said_by(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Teacher)):
        raise ConfigInvalid(f"{what} is no teacher; make it a subclass of subgoal.Teacher")
    if inspect.isabstract(found):
        raise ConfigInvalid(f"{what} has no method annotate(trajectory); write it")
    try:
        return found()
    except Exception as error:
        raise ConfigInvalid(f"{what} cannot be made without arguments: {said_by(error)}") from error
