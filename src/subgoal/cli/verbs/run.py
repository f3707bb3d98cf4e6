"""`subgoal run`: the main job, from oracle paths to the report."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from subgoal.annotation.annotate import annotate
from subgoal.augmentation.augment import AugmentConfig, augment, learned_from
from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import (
    say,
    show_annotated,
    show_augmented,
    show_collected,
    show_planned,
    show_trained,
)
from subgoal.cli.verbs.report import write_report
from subgoal.cluster import Cluster
from subgoal.config import ExperimentConfig, load_config, save_config
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.dev_score import dev_scores
from subgoal.evaluation.evaluate import evaluate, tasks_of
from subgoal.progress import clock
from subgoal.run_folder import RunFolder
from subgoal.time_plan.plan import TimePlanConfig
from subgoal.time_plan.stage import as_planned, check_plan, time_plan
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
    check_plan(config.plan, config.train)
    if options.restart and folder.manifests():
        _check(config, folder)
        folder.remove()
    start = time.monotonic()
    with options.cluster() as cluster:
        job = _Job(config, options, folder, cluster)
        stages = job.stages()
        for number, (title, stage) in enumerate(stages.items(), start=1):
            say(f"\n{number}/{len(stages)} {title}", "bold blue")
            begun = time.monotonic()
            stage()
            job.keep_config()
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


class _Job:
    """The stages of the main job; `plan` replaces the configuration of those that follow it."""

    def __init__(
        self,
        config: ExperimentConfig,
        options: RunOptions,
        folder: RunFolder,
        cluster: Cluster | None,
    ) -> None:
        self._config, self._folder, self._cluster = config, folder, cluster
        self._where = options.worlds, options.limits
        kept = folder / "config.toml"
        self._keeps = not kept.exists() or bool(load_config(kept).plan.minutes)

    def stages(self) -> dict[str, Callable[[], None]]:
        """Return the stages that are run, by title."""
        stages = {
            "collect: oracle paths become trajectories": self._collect,
            "annotate: the teacher sets sub-goals": self._annotate,
            "augment: paths become shorter": self._augment,
            f"plan: what fits into {self._config.plan.minutes:g} minutes": self._plan,
            "train: small students learn from them": self._train,
            "evaluate: the agents play tasks they have not seen": self._evaluate,
        }
        left_out = [self._augment] if self._config.augment == AugmentConfig() else []
        left_out += [] if self._config.plan.minutes else [self._plan]
        return {title: stage for title, stage in stages.items() if stage not in left_out}

    def keep_config(self) -> None:
        """Write the configuration into the run folder, where it has none yet but the unplanned."""
        if self._keeps:
            save_config(self._config, self._folder)

    def _collect(self) -> None:
        asked = self._config.collect
        show_collected(collect(asked, self._folder, *self._where, self._cluster))

    def _annotate(self) -> None:
        show_annotated(annotate(self._config.annotate, self._folder, cluster=self._cluster))

    def _augment(self) -> None:
        show_augmented(augment(self._config.augment, self._folder, *self._where))

    def _plan(self) -> None:
        asked = self._config
        order = asked.collect.types
        plan = time_plan(asked.plan, asked.train, asked.evaluate, self._folder, order, *self._where)
        show_planned(plan)
        trained, played = as_planned(plan, asked.train, asked.evaluate)
        changed = {"plan": TimePlanConfig(), "train": trained, "evaluate": played}
        self._config = asked.model_copy(update=changed)

    def _train(self) -> None:
        watch = dev_scores(self._config.rollout, self._folder)
        show_trained(train(self._config.train, self._folder, watch))

    def _evaluate(self) -> None:
        asked = self._config.evaluate
        evaluate(asked, self._folder, *self._where, self._cluster)
        say(f"wrote   {self._folder / 'evaluation' / asked.protocol}", "dim")
