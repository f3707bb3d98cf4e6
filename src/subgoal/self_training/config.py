"""What an agent plays to learn from: the sections `[improve]` and `[reinforce]`."""

from pathlib import Path

from pydantic import Field

from subgoal.agents.config import AgentName, Decoding
from subgoal.engines.config import EngineConfig
from subgoal.environments.registry import WorldName, WorldOptions
from subgoal.record import ForAll, FromWorld, Rare, Record, removed


class ImproveConfig(Record):
    """What an agent plays to learn from."""

    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    simplifications: FromWorld[str] = ""
    """Simplifications of the world; empty: the plain world."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Who plays. It must set sub-goals."""
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all."""
    per_type: int = Field(default=10, ge=1)
    """Number of train variations per task type, spread evenly over all of them."""
    tries: int = Field(default=1, ge=1)
    """Number of times that each is played: first greedily, then at `temperature`, each time with
    another seed."""
    temperature: Rare[float] = Field(default=0.5, gt=0)
    """Sampling temperature of the tries after the first."""
    annotations: ForAll[Path | None] = None
    """The annotated paths that its students learned from, to which its own are added; left out: the
    run folder's."""
    decoding: ForAll[Decoding] = Decoding()
    """How students write."""
    engine: ForAll[EngineConfig] = EngineConfig()
    """What computes the students."""


class ReinforceConfig(Record):
    """How students are reinforced."""

    environment: FromWorld[WorldName] = "scienceworld"
    """The world."""
    options: FromWorld[WorldOptions] = {}
    """Options of the world."""
    simplifications: FromWorld[str] = ""
    """Simplifications of the world; empty: the plain world."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Whose students are trained: `hierarchical` or `flat`."""
    students: Path | None = None
    """Folder of the students to begin with, one folder per role. What comes out is written into the
    run folder's `students`."""
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all."""
    rounds: int = Field(default=40, ge=1)
    """Number of rounds, each of play and updates."""
    variations: int = Field(default=40, ge=1)
    """Number of train variations that a round plays."""
    attempts: int = Field(default=6, ge=2)
    """Number of times that each is played per round."""
    temperature: Rare[float] = Field(default=0.8, gt=0)
    """Sampling temperature of these attempts."""
    floor: Rare[float] = Field(default=0.1, ge=0, lt=1)
    """Tokens below this probability are not made less probable still."""
    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Learning rate of AdamW. It falls evenly to a tenth over the rounds."""
    batch_tokens: Rare[int] = Field(default=33_000, ge=1)
    """Largest number of tokens per update, padding counted."""
    anchor: Rare[float] = Field(default=0.3, ge=0)
    """Weight of the loss on annotated paths in each update; 0: no annotated paths are needed."""
    average: Rare[float] = Field(default=0.15, gt=0, le=1)
    """Share of a round's weights in the running average that is kept."""
    dev_every: Rare[int] = Field(default=5, ge=0)
    """Number of rounds between two evaluations on dev, where the average plays greedily; 0: none,
    and the last average is kept."""
    dev_protocol: Rare[str] = "dev"
    """The protocol of these evaluations."""
    dev_per_type: Rare[int] = Field(default=0, ge=0)
    """Its number of variations per task type; 0: as the protocol says."""
    seed: ForAll[int] = 0
    """Seed of draws and samples."""
    _removed = removed(
        least_spread=(5.0, "it is 5 points"),
        blame=(0.5, "negative advantages count half"),
        clip=(1.0, "gradients are cut to 1"),
        anchor_tokens=(6_000, "an update has 6,000 tokens of annotated paths"),
        pull=(0.0, "weights are not drawn back to their average"),
    )
