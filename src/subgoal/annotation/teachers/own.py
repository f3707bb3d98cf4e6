"""A teacher of one's own: named `module:Class`, imported when it is needed."""

from subgoal.annotation.teachers.base import Teacher
from subgoal.environments.boundary import raised
from subgoal.errors import ConfigInvalid
from subgoal.own_class import own_class


def own_teacher(place: str) -> Teacher:
    """Import a teacher's class and make one; modules in the working directory are found too.

    Args:
        place: Where the class lies, as `module:Class`.

    Raises:
        ConfigInvalid: It cannot be imported, is no teacher, or cannot be made without arguments.
    """
    what = f"annotate.teacher = '{place}'"
    kind = own_class(place, Teacher, what)
    try:
        return kind()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # anybody's code
        raise ConfigInvalid(f"{what} cannot be made without arguments: {raised(error)}") from error
