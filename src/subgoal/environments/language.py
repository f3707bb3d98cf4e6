"""The words of a world: how its actions are built, and how its answers are read.

Whatever takes an action apart, shortens a path or reads an answer finds here what the world calls
things. The record of a world is data beside its adapter; `registry.language` gives it without
starting a world. A field that is left empty says that the world has no such word, and who would
use it does without.
"""

import re

from pydantic import field_validator
from typing_extensions import override

from subgoal.record import Record


class WorldLanguage(Record):
    """The words of one world; verbs are those of `actions`, patterns are regular expressions."""

    actions: tuple[str, ...] = ()
    """How actions are built, such as `pick up {}` or `pour {} into {}`; of two that begin alike the
    likelier first. A verb of one word and one argument needs no entry. Empty: `up`, `to` and the
    like belong to the verb before them, and words such as `into` part two arguments."""
    turns: bool = False
    """Actions are turns of an agent with tools: what it says, and what it calls."""
    never_replaced: tuple[str, ...] = ()
    """How actions begin whose effect cannot be undone, such as `focus`: one is sent as an agent
    wrote it or not at all, and is never sent in place of another."""

    movement: tuple[str, ...] = ()
    """Verbs that bring the agent into another place, which is their argument if they have one."""
    teleport: str = ""
    """The verb among them that reaches any place at once."""
    open_door: str = ""
    """The verb that opens the way to a place."""
    close_door: str = ""
    """The verb that closes it."""

    looking: str = ""
    """The action that looks around."""
    idle: tuple[str, ...] = ()
    """Actions that change nothing."""
    watching: tuple[str, ...] = ()
    """Verbs of what is done again and again until something happens."""
    examining: tuple[str, ...] = ()
    """The verbs among them that only look at one thing."""
    leading: tuple[str, ...] = ()
    """Verbs of what prepares the action that follows."""

    focus: str = ""
    """The verb that names the thing which a task asks for."""
    take: str = ""
    """The verb that takes a thing up."""
    drop: str = ""
    """The verb that puts it down again."""
    carry: str = ""
    """The verb that moves a thing to another."""
    pour: str = ""
    """The verb that pours one thing into another."""
    mix: str = ""
    """The verb that makes one thing of what a container holds."""
    open: str = ""
    """The verb that opens a container."""
    close: str = ""
    """The verb that closes it."""

    subgoals: dict[str, str] = {}
    """By verb, what the scripted teacher calls a sub-goal that ends with it; others are called as
    the verb is."""
    forms: dict[str, str] = {}
    """By how an action is built, its functional form: `{"pick up {}": "PICK", "wait": "WAIT()"}`.
    Of two that fit one action the first."""

    asks: str = ""
    """How an answer begins that asks which of several numbered actions was meant."""
    in_vain: str = ""
    """What an answer says where an action changed nothing."""
    carried: str = ""
    """What follows the name of a thing that the agent carries."""
    at_hand: str = ""
    """The pattern whose first group is the name of what an action without argument acts on, in the
    description of what is seen."""
    room: str = ""
    """The pattern whose first group is the name of the room that is described."""
    door: str = ""
    """The pattern whose first group is the name of a place that a door leads to."""
    unsaid: str = ""
    """The pattern of what a description says and need not."""

    @override
    def __hash__(self) -> int:
        """Return the hash of what mostly tells languages apart: it is a key of caches."""
        return hash((self.actions, self.never_replaced))

    @field_validator("at_hand", "room", "door", "unsaid")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern

    @field_validator("at_hand", "room", "door")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        if pattern and not re.compile(pattern).groups:
            raise ValueError("no group; write (...) around the name")
        return pattern


NO_WORDS = WorldLanguage()
"""The language of a world of which nothing is known."""
TURNS = WorldLanguage(turns=True)
"""The language of logs."""
