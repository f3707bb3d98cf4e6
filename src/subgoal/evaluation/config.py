"""Who plays which tasks, and is asked on which paths: `[evaluate]`, `[assess]`, `[rollout]`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from subgoal.agents.config import AgentName, Decoding
from subgoal.engines.config import EngineConfig
from subgoal.environments.registry import WorldName, WorldOptions
from subgoal.record import ForAll, FromWorld, FromWorldOrOwn, Rare, Record, removed


class EvaluateConfig(Record):
    """Which agents play which tasks."""

    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    protocol: str = "dev"
    """Which tasks, limits and score. Every world has `dev` and `test`; ScienceWorld has `dev-easy`,
    `dev-quick`, `plain`, `paper`, `swiftsage`, `unseen` and `unseen-final`, too;
    `my_protocols.toml:short` is one
    of your own."""
    types: Rare[FromWorldOrOwn[tuple[str, ...]]] = ()
    """Task types; empty: those of `[world]`."""
    per_type: int = Field(default=0, ge=0)
    """Number of variations per task type; 0: as the protocol says."""
    agents: tuple[AgentName, ...] = (AgentName.HIERARCHICAL, AgentName.FLAT)
    """Who plays: `hierarchical`, `flat`, `random_subgoals`, `semi_random_subgoals`,
    `random_action`, `oracle`. The model of `[annotate.openai]` is asked by `react`, `llm_planner`
    and `asks_when_stuck`."""
    annotations: ForAll[Path | None] = None
    """A file of annotated trajectories, from whose sub-goals `random_subgoals` draws and
    `llm_planner` chooses; left out: the run folder's own."""
    decoding: ForAll[Decoding] = Decoding()
    """How students write."""
    engine: ForAll[EngineConfig] = EngineConfig()
    """What computes the students."""
    _removed = removed(
        threads=(0, "students compute with a CPU thread per 16M parameters"),
        cache_megabytes=(4096, "the KV cache has at most 4 GiB; fewer --worlds need less"),
    )


class AssessConfig(Record):
    """Which students are asked what they would do at the turns of held-out paths."""

    agents: tuple[Literal["hierarchical", "flat"], ...] = ()
    """Whose students: `hierarchical`, `flat`; empty: all that are trained."""
    annotations: ForAll[Path | None] = None
    """The file of annotated trajectories that students learned from; left out: the run folder's
    own."""
    decoding: ForAll[Decoding] = Decoding()
    """How students write."""
    engine: ForAll[EngineConfig] = EngineConfig()
    """What computes the students."""


class RolloutConfig(Record):
    """Which dev tasks students play while they are trained, at each look at held-out texts."""

    per_type: int = 0
    """Number of variations per task type that students play at each validation; 0: none, and
    training needs no world."""
    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    protocol: Rare[str] = "dev"
    """Which tasks, limits and score, as for `[evaluate]`."""
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all of the protocol."""
