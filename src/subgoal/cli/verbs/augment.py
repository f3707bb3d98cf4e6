"""`subgoal augment`: rewrite annotated paths in the world."""

from subgoal.augmentation.config import AugmentConfig
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.cluster import Backend
from subgoal.errors import ConfigInvalid


class AugmentOptions(WorldOptions):
    """Rewrite annotated paths in the world, so that students learn from better or more paths.

    Each rewritten path is replayed, and kept only if it solves its task. Without options paths are
    shortened. It works on this machine alone.
    Example: subgoal augment --run runs/mine
    """

    augment: AugmentConfig = AugmentConfig(shorten=True)
    """How annotated paths are rewritten."""


OPTIONS = AugmentOptions


def command(options: AugmentOptions) -> None:
    """Run the verb."""
    if options.backend is not Backend.LOCAL:
        raise ConfigInvalid("augment works on this machine alone; leave --backend out")
    show(options.job().augment(**options.where()))
