"""`subgoal run`: the main job, from oracle paths to the report."""

from typing_extensions import override

from subgoal.augmentation.config import AugmentConfig
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import say, show
from subgoal.config import Config
from subgoal.evaluation.config import RolloutConfig
from subgoal.main_job import JobWatch
from subgoal.progress import clock
from subgoal.record import Rare
from subgoal.self_training.config import ImproveConfig, ReinforceConfig
from subgoal.summary import Summary


class JobOptions(WorldOptions, Config):
    """Run the main job: collect, annotate, train, evaluate, report.

    Logs that are named in the configuration are imported instead, and assessed instead of played.
    An interrupted run goes on where it stopped; a complete stage is not run again.
    Example: subgoal run --config configs/demo.toml --run runs/demo
    """

    restart: bool = False
    """Delete the whole run folder and begin again. First it is checked that the run can begin."""
    augment: Rare[AugmentConfig] = AugmentConfig()
    """How annotated paths are rewritten before students learn from them."""
    rollout: Rare[RolloutConfig] = RolloutConfig()
    """Which dev tasks students play while they are trained."""
    improve: Rare[ImproveConfig] = ImproveConfig()
    """Of `subgoal improve`, which is no part of the main job."""
    reinforce: Rare[ReinforceConfig] = ReinforceConfig()
    """Of `subgoal reinforce`, which is no part of the main job."""


OPTIONS = JobOptions
_TITLES = {
    "import_logs": "logs become trajectories",
    "collect": "oracle paths become trajectories",
    "annotate": "the teacher sets sub-goals",
    "augment": "paths become shorter",
    "plan": "what fits into the minutes given",
    "train": "small students learn from them",
    "improve": "an agent's own successes become paths",
    "reinforce": "students learn from the world's score",
    "assess": "they are asked at the turns of conversations they have not seen",
    "evaluate": "the agents play tasks they have not seen",
}


class JobPrinter(JobWatch):
    """Prints each stage but the last, whose result is the job's."""

    def __init__(self) -> None:
        self._before = 0.0
        self._last = False

    @override
    def begins(self, stage: str, number: int, stages: int) -> None:
        say(f"\n{number}/{stages} {stage}: {_TITLES[stage]}", "bold blue")
        self._last = number == stages

    @override
    def ends(self, stage: str, summary: Summary, seconds: float) -> None:
        if not self._last:
            show(summary)
        say(f"{clock(seconds)} for this, {clock(self._before)} before", "dim")
        self._before += seconds


def command(options: JobOptions) -> None:
    """Run the verb."""
    with options.cluster() as cluster:
        written = options.job().all(
            restart=options.restart,
            worlds=options.worlds,
            limits=options.limits,
            cluster=cluster,
            watch=JobPrinter(),
        )
    show(written)
