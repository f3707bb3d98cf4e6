"""`subgoal report`: write the comparison, or the page of annotated paths."""

from subgoal.cli.options import RunOptions
from subgoal.cli.output import show
from subgoal.errors import ConfigInvalid
from subgoal.record import Rare
from subgoal.storage.run_folder import RunFolder


class ReportOptions(RunOptions):
    """Print the comparison of the agents, and write it as one HTML file.

    With --annotations, write a page to read the annotated paths instead.
    Example: subgoal report --run runs/mine
    """

    annotations: bool = False
    """Write `annotations.html` instead, a page of the annotated paths."""
    against: str = ""
    """Another teacher to show beside them. A run folder that annotated the same paths, or
    `recorded` for the annotations that ship with the package."""
    paths: int = 60
    """Number of annotated paths to show. The first of every task type come before the second of
    any."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = ReportOptions


def command(options: ReportOptions) -> None:
    """Run the verb."""
    if not options.annotations:
        if options.against:
            raise ConfigInvalid("--against stands another teacher beside --annotations; give both")
        show(options.job().report())
        return
    from subgoal.report.annotations import write_annotations

    show(write_annotations(RunFolder(options.run), options.against, options.paths))
