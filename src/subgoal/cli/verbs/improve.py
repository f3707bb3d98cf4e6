"""`subgoal improve`: an agent's own successes become paths to learn from."""

from pathlib import Path

from subgoal.agents.config import Decoding
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.cluster import Backend
from subgoal.engines.config import EngineConfig
from subgoal.errors import ConfigInvalid
from subgoal.record import Rare
from subgoal.self_training.config import ImproveConfig


class ImproveOptions(WorldOptions):
    """Let an agent play train variations, and keep its successes as paths to learn from.

    A success is kept where no path was known, where it is shorter than the known one, or where it
    recovers from a mistake. What is written holds the old paths too: train the next round on it
    with --annotations. It works on this machine alone.
    Example: subgoal improve --run runs/mine
    """

    improve: ImproveConfig = ImproveConfig()
    """What the agent plays to learn from."""
    decoding: Decoding = Decoding()
    """How students write when they play."""
    engine: EngineConfig = EngineConfig()
    """What computes students when they play."""
    annotations: Path | None = None
    """File of annotated trajectories that its students learned from, to which its own are added;
    left out: the run folder's own."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = ImproveOptions


def command(options: ImproveOptions) -> None:
    """Run the verb."""
    if options.backend is not Backend.LOCAL:
        raise ConfigInvalid("improve works on this machine alone; leave --backend out")
    show(options.job().improve(**options.where()))
