"""`subgoal run`: the main job, from oracle paths to the report."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from subgoal.annotation.annotate import annotate
from subgoal.annotation.augment import AugmentConfig, augment, learned_from
from subgoal.cli.config import ExperimentConfig, save_config
from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import say, show_annotated, show_augmented, show_collected, show_trained
from subgoal.cli.report import write_report
from subgoal.cluster import Cluster
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.dev_score import dev_scores
from subgoal.evaluation.evaluate import evaluate, tasks_of
from subgoal.progress import clock
from subgoal.run_folder import RunFolder
from subgoal.training.train import train
from subgoal.trajectories.collect import collect, planned

SECTIONS = tuple(ExperimentConfig.model_fields)


class RunOptions(WorldOptions, ExperimentConfig):
    """The main job: collect, annotate, train, evaluate, report.

    An interrupted run goes on where it stopped; a complete stage is not run again.
    """

    restart: bool = False
    """Begin again: where the configuration can begin, the whole run folder is deleted."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(RunOptions, "run", words, SECTIONS)
    folder = RunFolder(options.run)
    config = ExperimentConfig(**{name: getattr(options, name) for name in SECTIONS})
    if options.restart and folder.manifests():
        _check(config, folder)
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


def _check(config: ExperimentConfig, folder: RunFolder) -> None:
    """Refuse a configuration that could not begin, before anything is deleted.

    Raises:
        SubgoalError: As the stage would refuse it.
        ConfigInvalid: A file that it reads lies in the run folder.
    """
    model = config.train.student.model
    named = {
        "collect.paths": config.collect.paths,
        "train.annotations": config.train.annotations,
        "train.student.model": Path(model).expanduser() if model else None,
        "evaluate.annotations": config.evaluate.annotations,
    }
    for name, path in named.items():
        if path is not None and path.resolve().is_relative_to(folder.path.resolve()):
            raise ConfigInvalid(
                f"{name} is {path}, which lies in the run folder that --restart deletes; copy it "
                "elsewhere and name the copy"
            )
        if path is not None and name.endswith("annotations"):
            learned_from(path, folder, name)
    planned(config.collect)
    tasks_of(config.evaluate)


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
