"""Which world: the section `[world]`, which all stages share."""

from subgoal.environments.registry import WorldName
from subgoal.record import Record


class WorldConfig(Record):
    """The world of all stages."""

    environment: WorldName = "scienceworld"
    """The world."""
    simplifications: str = ""
    """Simplifications of the world in which paths are collected and students learn from their own
    play, such as `easy`; empty: the plain world. In an evaluation the protocol decides."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
