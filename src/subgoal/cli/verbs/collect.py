"""`subgoal collect`: replay expert paths, or let a policy act, and store the trajectories."""

from subgoal.annotation.config import AnnotateConfig
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import show
from subgoal.record import Rare
from subgoal.trajectories.config import CollectConfig


class CollectOptions(WorldOptions):
    """Replay expert paths in the world, or let a policy act, and store the trajectories.

    Known paths come first: your own, those that a teacher annotated, those that ship with the
    package. The world's own oracle makes the rest, or a policy of your own (--collect.source
    module:name), or an LLM (--collect.source react). A second call collects only what is missing.
    Example: subgoal collect --run runs/mine --world.types find-plant boil
    """

    dry_run: bool = False
    """Count the calls, tokens and money of `--collect.source react`, and send nothing."""
    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""
    annotate: Rare[AnnotateConfig] = AnnotateConfig()
    """The model that acts with `--collect.source react`, in `annotate.openai`."""


OPTIONS = CollectOptions


def command(options: CollectOptions) -> None:
    """Run the verb."""
    if options.dry_run:
        from subgoal.agents.llm.forecast import forecast

        config = options.job().config
        show(forecast(config.collect, config.annotate.openai))
        return
    with options.cluster() as cluster:
        show(options.job().collect(**options.where(), cluster=cluster))
