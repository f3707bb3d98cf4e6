"""An elementary action taken apart: its verb and its arguments."""

import re
from typing import NamedTuple

_WALK = ("open door to", "go to", "teleport to")
_TWO = (
    ("move", "to"),
    ("pour", "into"),
    ("dunk", "into"),
    ("use", "on"),
    ("connect", "to"),
    ("put", "in"),
)
_ONE = (
    "pick up",
    "put down",
    "look around",
    "look at",
    "look in",
    "focus on",
    "close door to",
    "disconnect",
    "deactivate",
    "activate",
    "examine",
    "read",
    "mix",
    "open",
    "close",
    "eat",
    "flush",
    "take",
)
_WHERE = re.compile(r" in (?:your )?inventory$| in [a-z ]+ \((?:open|closed)\)$")

WALK = "walk"
"""The verb of every action that moves through rooms or opens a door on the way."""


class ActionParts(NamedTuple):
    """The verb of an action and what it acts on."""

    verb: str
    arguments: tuple[str, ...]


def take_apart(action: str) -> ActionParts:
    """Split `pour cup into bowl in inventory` into `pour` and `cup`, `bowl`.

    A verb that is not known is the first word; what follows is its argument.
    """
    text = action.strip().lower()
    for verb in _WALK:
        if text.startswith(verb + " "):
            return ActionParts(WALK, (text[len(verb) + 1 :],))
    for verb, between in _TWO:
        if text.startswith(verb + " ") and f" {between} " in text:
            first, second = text[len(verb) + 1 :].split(f" {between} ", 1)
            return ActionParts(verb, (_bare(first), _bare(second)))
    for verb in _ONE:
        if text == verb or text.startswith(verb + " "):
            rest = text[len(verb) + 1 :]
            return ActionParts(verb, (_bare(rest),) if rest else ())
    verb, _, rest = text.partition(" ")
    return ActionParts(verb, (_bare(rest),) if rest else ())


def _bare(name: str) -> str:
    return _WHERE.sub("", name)
