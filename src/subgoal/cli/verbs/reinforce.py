"""`subgoal reinforce`: students get better at what they do by the world's own score."""

from pathlib import Path

from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.record import Rare
from subgoal.self_training.config import ReinforceConfig
from subgoal.training.config import TrainConfig


class ReinforceOptions(WorldOptions):
    """Reinforce students: what scores better in the world becomes more probable.

    Each round plays train variations several times and learns from the differences of their
    scores, beside annotated paths ([train.dataset], --annotations) that keep what was known.
    The average of the weights that plays best on dev is written into the run folder's `students`.
    An interrupted run goes on after its last complete round. With --backend ray the workers of a
    cluster play; what they played is learned from here.
    Example: subgoal reinforce --config configs/scienceworld/6-reinforced.toml --run runs/better
    """

    reinforce: ReinforceConfig = ReinforceConfig()
    """How students are reinforced."""
    train: TrainConfig = TrainConfig()
    """Which annotated paths hold them; its dataset section counts."""
    annotations: Path | None = None
    """File of annotated trajectories to learn from beside play; left out: the run folder's own."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = ReinforceOptions


def command(options: ReinforceOptions) -> None:
    """Run the verb."""
    with options.cluster() as cluster:
        show(options.job().reinforce(**options.where(), cluster=cluster))
