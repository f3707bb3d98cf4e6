"""`subgoal improve`: an agent's own successes become paths to learn from."""

from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.cluster import Backend
from subgoal.errors import ConfigInvalid
from subgoal.self_training.config import ImproveConfig


class ImproveOptions(WorldOptions):
    """Let the agent play train variations, and keep what it does well as paths to learn from.

    Kept is what solves its task where no path was known, in fewer moves than the path that was, or
    after a mistake, each replayed and under the agent's own sub-goals. What is written holds the
    old paths too: train the next round on it with --train.annotations. It works on this machine
    alone.
    """

    improve: ImproveConfig = ImproveConfig()
    """What the agent plays to learn from."""


OPTIONS = ImproveOptions


def command(options: ImproveOptions) -> None:
    """Run the verb."""
    if options.backend is not Backend.LOCAL:
        raise ConfigInvalid("improve works on this machine alone; leave --backend out")
    show(options.job().improve(**options.where()))
