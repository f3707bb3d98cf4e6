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
    types: FromWorld[tuple[str, ...]] = ()
    """Task types; empty: all."""
    per_type: int = Field(default=10, ge=1)
    """Number of train variations per task type, spread evenly over all of them."""
    tries: int = Field(default=1, ge=1)
    """Number of times that each is played: first greedily, then sampled at a temperature of 0.5,
    each time with another seed."""
    annotations: ForAll[Path | None] = None
    """The annotated paths that its students learned from, to which its own are added; left out: the
    run folder's."""
    decoding: ForAll[Decoding] = Decoding()
    """How students write."""
    engine: ForAll[EngineConfig] = EngineConfig()
    """What computes the students."""
    _removed = removed(
        agent=("hierarchical", "the hierarchical agent plays: no other sets sub-goals of its own"),
        temperature=(0.5, "tries after the first are sampled at 0.5"),
    )


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
    """Number of times that each is played per round, sampled at a temperature of 0.8."""
    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Learning rate of AdamW. It falls evenly to a tenth over the rounds."""
    anchor: Rare[float] = Field(default=0.3, ge=0)
    """Weight of the loss on annotated paths in each update; 0: no annotated paths are needed."""
    dev_every: Rare[int] = Field(default=5, ge=0)
    """Number of rounds between two evaluations on dev, where the running average of the weights
    plays greedily; 0: none, and the last average is kept."""
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
        temperature=(0.8, "attempts are sampled at 0.8"),
        floor=(0.1, "tokens below a probability of 0.1 are not made less probable still"),
        batch_tokens=(33_000, "at most 8,000 tokens are computed at once"),
        average=(0.15, "the running average takes 0.15 of each round's weights"),
        pull=(0.0, "weights are not drawn back to their average"),
    )
