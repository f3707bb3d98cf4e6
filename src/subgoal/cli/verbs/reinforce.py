"""`subgoal reinforce`: students get better at what they do by the world's own score."""

from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.cluster import Backend
from subgoal.errors import ConfigInvalid
from subgoal.self_training.config import ReinforceConfig
from subgoal.training.config import TrainConfig


class ReinforceOptions(WorldOptions):
    """Let students play train variations, and make what scores better more probable.

    Each round plays train variations several times and learns from how their scores differ, beside
    annotated paths ([train.dataset], train.annotations) that keep what was known. The average of
    the weights that plays best on dev is written into the run folder's `students`. A run that was
    stopped goes on after its last whole round.
    """

    reinforce: ReinforceConfig = ReinforceConfig()
    """How students are reinforced."""
    train: TrainConfig = TrainConfig()
    """Which annotated paths hold them; its dataset section and annotations count."""


OPTIONS = ReinforceOptions


def command(options: ReinforceOptions) -> None:
    """Run the verb."""
    if options.backend is not Backend.LOCAL:
        raise ConfigInvalid("reinforce works on this machine alone; leave --backend out")
    show(options.job().reinforce(**options.where()))
