"""The main job: its stages, who hears of them, and what is checked before it begins."""

from pathlib import Path

from subgoal.augmentation.config import AugmentConfig
from subgoal.config import Config
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary


class JobWatch:
    """Is told how `Run.all` comes along; override what is of interest."""

    def begins(self, stage: str, number: int, stages: int) -> None:
        """Hear that a stage begins.

        Args:
            stage: Its name, a method of `Run`.
            number: Which it is, from 1.
            stages: How many there are.
        """

    def ends(self, stage: str, summary: Summary, seconds: float) -> None:
        """Hear that a stage is complete.

        Args:
            stage: Its name.
            summary: What it did.
            seconds: Wall-clock seconds that it took now.
        """


def stages(config: Config) -> tuple[str, ...]:
    """Return the stages that a configuration asks for, in their order; each is a method of `Run`.

    Args:
        config: The configuration; of logs, which nobody can play, students are assessed.
    """
    left_out = {"augment"} if config.augment == AugmentConfig() else set[str]()
    left_out |= set() if config.plan.minutes else {"plan"}
    job = ("collect", "annotate", "augment", "plan", "train", "evaluate")
    if config.logs.files:
        job = ("import_logs", "annotate", "augment", "train", "assess")
    return tuple(stage for stage in job if stage not in left_out)


def check_job(config: Config) -> None:
    """Refuse a job that cannot be done, before it begins.

    Args:
        config: The configuration.

    Raises:
        ConfigInvalid: A log is to be played, or the run must fit into minutes and cannot.
        TaskUnknown: There is nothing to play in the end.
    """
    from subgoal.evaluation.evaluate import tasks_of
    from subgoal.time_plan.stage import check_plan

    check_plan(config.plan, config.train)
    if not config.logs.files or config.plan.minutes or config.rollout.per_type:
        tasks_of(config.evaluate)


def check_held_out(config: Config, folder: RunFolder) -> None:
    """Refuse a job that ends in `assess` and has nothing to ask about, before it trains.

    Args:
        config: The configuration.
        folder: The run folder, annotated.

    Raises:
        DataLeak: Nothing is held out.
    """
    from subgoal.augmentation.augment import learned_from
    from subgoal.training.texts import split

    store, source = learned_from(config.annotations, folder, "annotations")
    training, dev = split(config.train, store)
    if not dev:
        raise DataLeak(
            f"none of the {len(training)} paths of {source} would be held out, so the students "
            "could not be assessed: set train.dataset.dev_share, and bring at least two groups "
            "(logs.group_key); `subgoal train` trains on all there is"
        )


def check_start(config: Config, folder: RunFolder) -> None:
    """Refuse a configuration that could not begin, before anything is deleted.

    Args:
        config: The configuration.
        folder: The run folder that is deleted.

    Raises:
        SubgoalError: As the stage would refuse it.
        ConfigInvalid: A file that it reads lies in the run folder.
    """
    from subgoal.augmentation.augment import learned_from
    from subgoal.evaluation.evaluate import tasks_of
    from subgoal.trajectories.collect import planned
    from subgoal.trajectories.logs.reading import check_file, file_of

    model = config.train.student.model
    named = {
        "collect.paths": config.collect.paths,
        "annotations": config.annotations,
        "train.student.model": Path(model).expanduser() if model else None,
    }
    for name, path in named.items():
        if path is not None and path.resolve().is_relative_to(folder.path.resolve()):
            raise ConfigInvalid(
                f"{name} is {path}, which lies in the run folder that a restart deletes; copy it "
                "elsewhere and name the copy"
            )
        if path is not None and name == "annotations":
            learned_from(path, folder, name)
    if config.logs.files:
        for one in config.logs.files:
            check_file(file_of(one), config.logs.format)
    else:
        planned(config.collect)
        tasks_of(config.evaluate)
