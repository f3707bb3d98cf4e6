"""What a task asks about a thing: `whether tall plant height is a dominant or recessive trait`."""

import re
from typing import NamedTuple

_WHETHER = re.compile(r"\bwhether (\w+(?: \w+)+?) is\b")


class AskedProperty(NamedTuple):
    """A value of a property that a task asks about: `tall plant height`."""

    phrase: str
    """As the task says it."""
    thing: str
    """What has the property: `plant`."""


def asked_property(description: str) -> AskedProperty | None:
    """Return the value of a property that a task asks about.

    Args:
        description: The task's description.

    Returns:
        The property; None where the task asks about none that is told in three words or more.
    """
    match = _WHETHER.search(description)
    words = match[1].split() if match else []
    return AskedProperty(" ".join(words), words[-2]) if len(words) > 2 else None
