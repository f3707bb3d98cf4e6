"""Who plays which tasks: the sections `[evaluate]` and `[rollout]`."""

from pathlib import Path

from pydantic import Field

from subgoal.agents.config import AgentName, Decoding
from subgoal.engines.config import EngineConfig
from subgoal.record import Rare, Record


class EvaluateConfig(Record):
    """Which agents play which tasks."""

    environment: str = "scienceworld"
    """The world."""
    protocol: str = "dev"
    """`paper`, `swiftsage`, `plain`, `unseen`, `dev`, `dev-easy` or `dev-quick`."""
    types: tuple[str, ...] = ()
    """Task types; empty: all of the protocol's."""
    per_type: int = Field(default=0, ge=0)
    """Variations a type; 0: as the protocol says."""
    agents: tuple[AgentName, ...] = (AgentName.HIERARCHICAL, AgentName.FLAT)
    """Who plays."""
    annotations: Rare[Path | None] = None
    """A file of annotated trajectories (.jsonl or .jsonl.zst) whose sub-goals `random_subgoals`
    draws from; left out: the run folder's own annotations."""
    decoding: Decoding = Decoding()
    """How students write."""
    engine: EngineConfig = EngineConfig()
    """What students play on."""
    threads: Rare[int] = Field(default=0, ge=0)
    """CPU threads that students compute with; 0: one for each 16M parameters."""
    cache_megabytes: Rare[int] = 4096
    """What the texts of all episodes at once may keep computed; where they could need more, fewer
    are played at once. The stage's manifest names what one episode can need."""


class RolloutConfig(Record):
    """Which dev tasks students play while they are trained, at each look at held-out texts."""

    per_type: int = 0
    """Variations of each type that are played; 0: none, and training needs no world."""
    environment: Rare[str] = "scienceworld"
    """The world."""
    protocol: Rare[str] = "dev"
    """`dev` or `dev-easy`."""
    types: Rare[tuple[str, ...]] = ()
    """Task types; empty: all of the protocol's."""
