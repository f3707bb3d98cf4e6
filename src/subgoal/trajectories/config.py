"""Which oracle paths are collected: the section `[collect]`."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, NonNegativeInt

from subgoal.environments.registry import WorldName
from subgoal.record import FromWorld, Rare, Record


class PathSource(StrEnum):
    """Where oracle paths may come from."""

    SHIPPED = "shipped"
    """Recorded and shipped paths first, the world's own oracle for the rest."""
    ENGINE = "engine"
    """The world's own oracle only."""


class CollectConfig(Record):
    """Which oracle paths are collected."""

    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all."""
    split: Rare[str] = "train"
    """Which split the variations are of."""
    per_type: int = Field(default=20, ge=1)
    """Number of variations per task type, or all where there are fewer. Of a file (`paths`), all
    are taken."""
    caps: Rare[dict[str, NonNegativeInt]] = {}
    """Largest number of variations of single task types, where `per_type` is more."""
    simplifications: FromWorld[str] = ""
    """Simplifications of the world, such as `easy`; empty: none."""
    source: Rare[PathSource] = PathSource.SHIPPED
    """`shipped`: known paths first. `engine`: only paths that the world's own oracle makes."""
    paths: Path | None = None
    """A JSONL file of your own expert paths. Fields: task, variation, actions. It is collected
    alone and completely, and the outcome of each line is told."""
    fill: Rare[bool] = False
    """With `paths`: add known and oracle paths of other variations, up to `per_type` per task
    type."""
    known_only: Rare[bool] = False
    """Leave out variations without a known path, instead of asking the world's oracle, which is
    slow."""
    max_moves: Rare[int] = Field(default=2000, ge=1)
    """Number of moves after which a replay is stopped."""
