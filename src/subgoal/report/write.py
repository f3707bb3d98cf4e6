"""The stage `report`: a run folder in, `report.html` and `report.json` out."""

from pathlib import Path

from typing_extensions import override

from subgoal.report.analyses import ReportData, analyse
from subgoal.report.freshness import REPORT
from subgoal.report.html import page
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone


class ReportSummary(Summary):
    """What `report` did."""

    data: ReportData
    """What was found."""
    page: Path
    """The page."""
    json_file: Path
    """The same as JSON."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return every comparison, what a reader must know, and where the page lies."""
        results = self.data.results
        told = {caution for result in results for caution in result.cautions}
        cautions = [one for one in self.data.cautions if one not in told]  # others stand there
        return [
            *(TextLine(text=caution, tone=Tone.CAUTION) for caution in cautions),
            *(part for result in results for part in result.parts()),
            *(TextLine(text=f"Note: {note}", tone=Tone.CAUTION) for note in self.data.notes),
            TextLine(text=f"the report lies in {self.page}", tone=Tone.STRONG),
        ]


EPISODES = 60
"""Most episodes to step through; the first variations of every task type come first."""
MOST_BYTES = 5_000_000
"""Largest size of the page; fewer episodes are shown where they would not fit."""


def report(folder: RunFolder, seed: int = 0) -> ReportSummary:
    """Write the report of a run folder; cheap, so it is written anew at every call.

    Args:
        folder: The run folder.
        seed: Seed of the bootstrap intervals.

    Raises:
        RunFolderInvalid: Nothing was evaluated.
    """
    data = analyse(folder, EPISODES, seed)
    written = ReportSummary(data=data, page=folder / "report.html", json_file=folder / REPORT)
    write_text(written.page, page(data, MOST_BYTES))
    write_text(written.json_file, data.model_dump_json(indent=1) + "\n")
    return written
