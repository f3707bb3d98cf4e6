"""`subgoal augment`: rewrite annotated paths in the world."""

from subgoal.augmentation.config import AugmentConfig
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.cluster import Backend
from subgoal.errors import ConfigInvalid


class AugmentOptions(WorldOptions):
    """Rewrite annotated paths in the world: students learn from what comes out.

    An agent that imitates a path is at best as fast as the path. Each rewritten path is replayed,
    and kept only if it solves its task in fewer steps. It works on this machine alone.
    """

    augment: AugmentConfig = AugmentConfig(shorten=True)
    """How annotated paths are rewritten."""


OPTIONS = AugmentOptions


def command(options: AugmentOptions) -> None:
    """Run the verb."""
    if options.backend is not Backend.LOCAL:
        raise ConfigInvalid("augment works on this machine alone; leave --backend out")
    show(options.job().augment(**options.where()))
