"""Which oracle paths are collected: the section `[collect]`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from subgoal.environments.registry import WorldName, WorldOptions
from subgoal.errors import ConfigInvalid, nearest
from subgoal.record import FromWorld, Rare, Record, removed
from subgoal.validation import checked_by


class PathSource(StrEnum):
    """Where oracle paths may come from."""

    SHIPPED = "shipped"
    """Recorded and shipped paths first, the world's own oracle for the rest."""
    ENGINE = "engine"
    """The world's own oracle only."""
    REACT = "react"
    """A language model acts, as the agent `react` does."""


def _check_source(name: str) -> None:
    if name not in set(PathSource) and ":" not in name:
        known = f"; there are: {', '.join(PathSource)}; or a policy of your own, as module:name"
        raise ConfigInvalid(f"there is no source '{name}'{nearest(name, PathSource) or known}")


PER_TYPE = 20
"""Variations per task type where nothing else is said."""


class CollectConfig(Record):
    """Which oracle paths are collected."""

    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all."""
    split: Rare[str] = "train"
    """Which split the variations are of."""
    per_type: PositiveInt | dict[str, NonNegativeInt] = PER_TYPE
    """Number of variations per task type, or all where there are fewer. Of a file (`paths`), all
    are taken. A table says it by task type, with `default`."""
    simplifications: FromWorld[str] = ""
    """Simplifications of the world, such as `easy`; empty: none."""
    source: Rare[Annotated[str, checked_by(_check_source)]] = PathSource.SHIPPED
    """`shipped`: known paths first. `engine`: only paths that the world's own oracle makes. Or who
    acts in the world: `react` (the model of `[annotate.openai]`), or a policy of your own as
    `module:name`."""
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
    _removed = removed(
        caps=(
            {},
            "write it as the table collect.per_type, with the per_type of others as `default`",
        )
    )
