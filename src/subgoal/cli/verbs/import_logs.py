"""`subgoal import`: logs of an agent become the trajectories of a run."""

from subgoal.cli.options import StageOptions
from subgoal.cli.output import show
from subgoal.record import Own
from subgoal.trajectories.logs.config import LogsConfig


class ImportOptions(StageOptions):
    """Read the logs of an agent, and make them the trajectories of a run.

    What is left out is told with its reason, file and line. Then `annotate` and `train` go on as
    with the paths of a world.
    Example: subgoal import airline.jsonl.gz --run runs/airline --task-type-key domain
    """

    logs: Own[LogsConfig] = LogsConfig()
    """Which logs are imported, and what of them is learned from."""


OPTIONS = ImportOptions


def command(options: ImportOptions) -> None:
    """Run the verb."""
    show(options.job().import_logs(restart=options.restart))
