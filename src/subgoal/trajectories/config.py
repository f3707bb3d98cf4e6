"""Which oracle paths are collected: the section `[collect]`."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, NonNegativeInt

from subgoal.record import Rare, Record


class PathSource(StrEnum):
    """Where oracle paths may come from."""

    SHIPPED = "shipped"
    """Recorded and shipped paths first, the world's own oracle for the rest."""
    ENGINE = "engine"
    """The world's own oracle only."""


class CollectConfig(Record):
    """Which oracle paths are collected."""

    environment: str = "scienceworld"
    """The world."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
    split: Rare[str] = "train"
    """Which split's variations."""
    per_type: int = Field(default=20, ge=1)
    """Variations a type (fewer where there are fewer); of a file, all are taken."""
    caps: Rare[dict[str, NonNegativeInt]] = {}
    """Most variations of some types, by name, where `per_type` is more."""
    simplifications: str = ""
    """The world's simplification setting, such as `easy`; empty: the plain world."""
    source: Rare[PathSource] = PathSource.SHIPPED
    """Known paths first, or the world's own oracle only."""
    paths: Path | None = None
    """A JSONL file of your own expert paths (fields task, variation, actions): it is collected
    alone, all of it, and what comes of each line is said."""
    fill: Rare[bool] = False
    """With `paths`: add known and oracle paths of other variations, up to `per_type` a type."""
    known_only: Rare[bool] = False
    """Leave out variations without a known path instead of asking the world's oracle (slow)."""
    max_moves: Rare[int] = Field(default=2000, ge=1)
    """A replay stops after this many moves of the world."""
