"""What an agent plays to learn from: the sections `[improve]` and `[reinforce]`."""

from pathlib import Path

from pydantic import Field

from subgoal.agents.config import AgentName, Decoding
from subgoal.engines.config import EngineConfig
from subgoal.record import Rare, Record


class ImproveConfig(Record):
    """What an agent plays to learn from."""

    environment: str = "scienceworld"
    """The world."""
    simplifications: Rare[str] = "easy"
    """The world's simplification setting; empty: none."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Who plays; it must set sub-goals."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
    per_type: int = Field(default=10, ge=1)
    """Train variations a type, evenly over those that there are."""
    tries: int = Field(default=1, ge=1)
    """How often each is played: greedily, then at `temperature` with a seed of its own."""
    temperature: Rare[float] = Field(default=0.5, gt=0)
    """Of the tries after the first."""
    annotations: Path | None = None
    """The annotated paths that its students learned from (.jsonl or .jsonl.zst), to which its own
    are added; left out: the run folder's."""
    decoding: Rare[Decoding] = Decoding(choose=True)
    """How students write."""
    engine: Rare[EngineConfig] = EngineConfig()
    """What students play on."""


class ReinforceConfig(Record):
    """How students are reinforced."""

    environment: str = "scienceworld"
    """The world."""
    simplifications: Rare[str] = "easy"
    """The world's simplification setting; empty: none."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Whose students are reinforced: `hierarchical` or `flat`."""
    students: Path | None = None
    """The folder that holds a folder for each student to begin with; they are written into the run
    folder's `students`."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
    rounds: int = Field(default=40, ge=1)
    """Rounds of play and updates."""
    variations: int = Field(default=40, ge=1)
    """Train variations that a round plays."""
    attempts: int = Field(default=6, ge=2)
    """How often each is played."""
    temperature: Rare[float] = Field(default=0.8, gt=0)
    """Of what students write in these attempts."""
    least_spread: Rare[float] = Field(default=5.0, ge=0)
    """Groups whose best and worst scores are nearer, in points, teach nothing."""
    blame: Rare[float] = Field(default=0.5, ge=0)
    """Factor of negative advantages."""
    floor: Rare[float] = Field(default=0.1, ge=0, lt=1)
    """A token of a smaller probability is not made less probable still."""
    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Of AdamW; it falls evenly to a tenth over the rounds."""
    clip: Rare[float] = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    batch_tokens: Rare[int] = Field(default=33_000, ge=1)
    """Most tokens of an update, padding counted."""
    anchor: Rare[float] = Field(default=0.3, ge=0)
    """Weight of the loss on annotated paths in each update; 0: none are needed."""
    anchor_tokens: Rare[int] = Field(default=6_000, ge=1)
    """Tokens of annotated paths in each update."""
    average: Rare[float] = Field(default=0.15, gt=0, le=1)
    """Share that a round's weights get in the average that is kept."""
    pull: Rare[float] = Field(default=0.0, ge=0, le=1)
    """Share of the way back to the average that the weights go after each round."""
    dev_every: Rare[int] = Field(default=5, ge=0)
    """Rounds between looks at dev, where the average plays greedily; 0: none, and the last average
    is kept."""
    dev_protocol: Rare[str] = "dev-easy"
    """The protocol of these looks."""
    dev_per_type: Rare[int] = Field(default=0, ge=0)
    """Its variations per type; 0: as the protocol says."""
    seed: Rare[int] = 0
    """Seed of draws and samples."""
