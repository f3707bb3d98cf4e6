"""The words of a world: how its actions are built, and how its answers are read.

Whatever takes an action apart, shortens a path or reads an answer finds here what the world calls
things. The record of a world is data beside its adapter; `registry.language` gives it without
starting a world. A field that is left empty says that the world has no such word, and who would
use it does without.
"""

from subgoal.record import Record


class WorldLanguage(Record):
    """The words of one world; patterns are regular expressions."""

    never_replaced: tuple[str, ...] = ()
    """Verbs whose effect cannot be undone, such as `focus`: an action that begins with one is sent
    as an agent wrote it or not at all, and is never sent in place of another."""
    asks: str = ""
    """How an answer begins that asks which of several numbered actions was meant."""


NO_WORDS = WorldLanguage()
"""The language of a world of which nothing is known."""
