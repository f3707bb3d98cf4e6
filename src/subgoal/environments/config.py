"""Which world: the section `[world]`, which all stages share."""

from subgoal.environments.registry import WorldName, WorldOptions
from subgoal.record import Rare, Record


class WorldConfig(Record):
    """The world of all stages."""

    environment: WorldName = "scienceworld"
    """The world: its name, `module:Class` or `gymnasium:ID`."""
    options: Rare[WorldOptions] = {}
    """Options of the world's class, by the names of its arguments, such as `{ games = 100 }`. Every
    world takes `valid_actions = false`: nobody is shown the list of actions that it accepts."""
    simplifications: str = ""
    """Simplifications of the world in which paths are collected and students learn from their own
    play, such as `easy`; empty: the plain world. In an evaluation the protocol decides."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
