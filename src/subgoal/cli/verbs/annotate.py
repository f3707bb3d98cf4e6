"""`subgoal annotate`: set sub-goals on the collected trajectories."""

from collections.abc import Sequence

from subgoal.annotation.annotate import AnnotateConfig, annotate, dry_run
from subgoal.cli.options import ClusterOptions, read_options
from subgoal.cli.output import show_annotated, show_forecast
from subgoal.errors import TeacherFailed
from subgoal.run_folder import RunFolder


class AnnotateOptions(ClusterOptions):
    """Set sub-goals on the trajectories with a teacher, and carry them over to the rest."""

    dry_run: bool = False
    """Count calls, tokens and money of the openai teacher, and send nothing."""
    retry_failed: bool = False
    """Ask the openai teacher again about the paths that it failed on, and only about those."""
    samples: int = 5
    """Annotated paths to print."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(AnnotateOptions, "annotate", words, ["annotate"])
    folder = RunFolder(options.run, options.restart)
    if options.dry_run:
        said, config = dry_run(options.annotate, folder), options.annotate
        show_forecast(said, config.openai, config.select)
        return
    with options.cluster() as cluster:
        summary = annotate(options.annotate, folder, options.retry_failed, cluster)
    show_annotated(summary, options.samples)
    if not summary.direct + summary.transferred:
        raise TeacherFailed("no path was annotated; the reasons are above")
