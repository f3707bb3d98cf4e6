"""`subgoal annotate`: set sub-goals on the collected trajectories."""

from subgoal.annotation.config import AnnotateConfig
from subgoal.cli.options import ClusterOptions
from subgoal.cli.output import show, show_path
from subgoal.errors import TeacherFailed
from subgoal.storage.run_folder import RunFolder


class AnnotateOptions(ClusterOptions):
    """Let a teacher set sub-goals on the trajectories, and carry them over to the rest.

    Example: subgoal annotate --run runs/mine --annotate.teacher openai --dry-run
    """

    dry_run: bool = False
    """Count the calls, tokens and money of the teacher `openai`, and send nothing."""
    retry_failed: bool = False
    """Ask the teacher `openai` only about the paths that it failed on."""
    samples: int = 5
    """Number of annotated paths to print."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals."""


OPTIONS = AnnotateOptions


def command(options: AnnotateOptions) -> None:
    """Run the verb."""
    if options.dry_run:
        from subgoal.annotation.annotate import dry_run

        show(dry_run(options.annotate, RunFolder(options.run)))
        return
    with options.cluster() as cluster:
        summary = options.job().annotate(
            restart=options.restart, retry_failed=options.retry_failed, cluster=cluster
        )
    show(summary)
    for one in summary.samples[: options.samples]:
        show_path(one)
    if not summary.direct + summary.transferred:
        raise TeacherFailed("no path was annotated; the reasons are above")
