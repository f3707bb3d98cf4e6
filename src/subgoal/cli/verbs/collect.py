"""`subgoal collect`: replay oracle paths and store them."""

from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.trajectories.config import CollectConfig


class CollectOptions(WorldOptions):
    """Replay oracle paths in the world and store them as trajectories.

    Known paths come first: your own, those that a teacher annotated, those that ship with the
    package. The world's own oracle makes the rest. A second call collects only what is missing.
    Example: subgoal collect --run runs/mine --world.types find-plant boil
    """

    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""


OPTIONS = CollectOptions


def command(options: CollectOptions) -> None:
    """Run the verb."""
    with options.cluster() as cluster:
        show(options.job().collect(**options.where(), cluster=cluster))
