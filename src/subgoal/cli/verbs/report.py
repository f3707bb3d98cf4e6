"""`subgoal report`: write the comparison, or the page of annotated paths."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from subgoal.cli.options import StageOptions
from subgoal.cli.output import say, show
from subgoal.errors import ConfigInvalid
from subgoal.report.config import ReportConfig
from subgoal.run_folder import RunFolder

if TYPE_CHECKING:
    from subgoal.annotation.subgoal import AnnotatedTrajectory

_RECORDED = "recorded"


class ReportOptions(StageOptions):
    """Print the comparison and write it as one HTML file that needs no network.

    With --annotations, write a page to read the annotated paths instead.
    """

    annotations: bool = False
    """Write `annotations.html` instead, a page of the annotated paths."""
    against: str = ""
    """Another teacher to show beside them. A run folder that annotated the same paths, or
    `recorded` for the annotations that ship with the package."""
    paths: int = 60
    """Number of annotated paths to show. The first of every task type come before the second of
    any."""
    report: ReportConfig = ReportConfig()
    """What the report shows."""


OPTIONS = ReportOptions


def command(options: ReportOptions) -> None:
    """Run the verb."""
    folder = RunFolder(options.run)
    if options.annotations:
        _write_annotations(folder, options.against, options.paths)
    elif options.against:
        raise ConfigInvalid("--against stands another teacher beside --annotations; give both")
    else:
        show(options.job().report())


def _write_annotations(folder: RunFolder, against: str, paths: int) -> None:
    from subgoal.annotation import annotate
    from subgoal.report.annotations import write_annotations

    folder.need("annotate", "annotate")
    annotated = list(annotate.journal(folder))
    page, agreement = write_annotations(
        folder, annotated, _others(annotated, against), against, paths
    )
    if agreement:
        say(
            f"boundary F1 {agreement.boundary_f1:.3f}, names {agreement.names:.1%}, exact "
            f"{agreement.exact:.1%} against {against}, over {agreement.paths} paths"
        )
    elif against:
        say(f"{against} has no annotation of the same steps", "yellow")
    say(f"the annotated paths lie in {page}", "bold green")


def _others(
    annotated: "Sequence[AnnotatedTrajectory]", against: str
) -> "list[AnnotatedTrajectory]":
    from subgoal.annotation import annotate
    from subgoal.annotation.teachers.recorded import recorded_annotations

    if not against:
        return []
    if against == _RECORDED:
        worlds = {one.trajectory.task.environment for one in annotated}
        return [one for world in sorted(worlds) for one in recorded_annotations(world)]
    other = RunFolder(Path(against))
    other.need("annotate", "annotate")
    return list(annotate.journal(other))
