"""`subgoal annotate`: set sub-goals on the collected trajectories."""

from collections.abc import Sequence

from subgoal.annotation.annotate import AnnotateConfig, annotate
from subgoal.cli.options import StageOptions, read_options
from subgoal.cli.output import show_annotated
from subgoal.run_folder import RunFolder


class AnnotateOptions(StageOptions):
    """Set sub-goals on the trajectories with a teacher, and carry them over to the rest."""

    samples: int = 5
    """Annotated paths to print."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(AnnotateOptions, "annotate", words, ["annotate"])
    folder = RunFolder(options.run)
    if options.restart:
        folder.remove_stage("annotate")
    show_annotated(annotate(options.annotate, folder), options.samples)
