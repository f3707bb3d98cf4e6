"""`subgoal collect`: replay oracle paths and store them."""

from collections.abc import Sequence

from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import show_collected
from subgoal.run_folder import RunFolder
from subgoal.trajectories.collect import CollectConfig, CollectSummary, collect


class CollectOptions(WorldOptions):
    """Replay oracle paths in the world and store them as trajectories.

    Known paths come first (your own, those a teacher annotated, those that ship with the
    package), then the world's own oracle. A second call does only what is missing.
    """

    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected."""


def run_stage(options: CollectOptions) -> CollectSummary:
    """Collect into the run folder and print what was done."""
    folder = RunFolder(options.run, options.restart)
    with options.cluster() as cluster:
        summary = collect(options.collect, folder, options.worlds, options.limits, cluster)
    show_collected(summary)
    return summary


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    run_stage(read_options(CollectOptions, "collect", words, ["collect"]))
