"""`subgoal run`: the main job, from oracle paths to the report."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from subgoal.annotation.annotate import annotate
from subgoal.annotation.augment import AugmentConfig, augment
from subgoal.cli.config import ExperimentConfig, save_config
from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import say, show_annotated, show_augmented, show_collected, show_trained
from subgoal.cli.report import write_report
from subgoal.cluster import Cluster
from subgoal.evaluation.dev_score import dev_scores
from subgoal.evaluation.evaluate import evaluate
from subgoal.progress import clock
from subgoal.run_folder import RunFolder
from subgoal.training.train import train
from subgoal.trajectories.collect import collect

SECTIONS = tuple(ExperimentConfig.model_fields)


class RunOptions(WorldOptions, ExperimentConfig):
    """The main job: collect, annotate, train, evaluate, report.

    An interrupted run goes on where it stopped; a complete stage is not run again.
    """

    restart: bool = False
    """Delete the whole run folder, and begin again."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(RunOptions, "run", words, SECTIONS)
    folder = RunFolder(options.run)
    config = ExperimentConfig(**{name: getattr(options, name) for name in SECTIONS})
    if options.restart and folder.manifests():
        folder.remove()
    save = not (folder / "config.toml").exists()
    start = time.monotonic()
    with options.cluster() as cluster:
        stages = _stages(config, options, folder, cluster)
        for number, (title, stage) in enumerate(stages.items(), start=1):
            say(f"\n{number}/{len(stages)} {title}", "bold blue")
            begun = time.monotonic()
            stage()
            if save:
                save_config(config, folder)
                save = False
            say(f"{clock(time.monotonic() - begun)} for this, {clock(begun - start)} before", "dim")
    write_report(config.report, folder)


def _stages(
    config: ExperimentConfig, options: RunOptions, folder: RunFolder, cluster: Cluster | None
) -> dict[str, Callable[[], None]]:
    stages = {
        "collect: oracle paths become trajectories": lambda: show_collected(
            collect(config.collect, folder, options.worlds, options.limits, cluster)
        ),
        "annotate: the teacher sets sub-goals": lambda: show_annotated(
            annotate(config.annotate, folder, cluster=cluster)
        ),
        "augment: paths become shorter": lambda: show_augmented(
            augment(config.augment, folder, options.worlds, options.limits)
        ),
        "train: small students learn from them": lambda: show_trained(
            train(config.train, folder, dev_scores(config.rollout, folder))
        ),
        "evaluate: the agents play tasks they have not seen": lambda: _evaluate(
            config, options, folder, cluster
        ),
    }
    if config.augment == AugmentConfig():
        del stages["augment: paths become shorter"]
    return stages


def _evaluate(
    config: ExperimentConfig, options: RunOptions, folder: RunFolder, cluster: Cluster | None
) -> None:
    evaluate(config.evaluate, folder, options.worlds, options.limits, cluster)
    place: Path = folder / "evaluation" / config.evaluate.protocol
    say(f"wrote   {place}", "dim")
