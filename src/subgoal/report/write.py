"""The stage `report`: a run folder in, `report.html` and `report.json` out."""

from pathlib import Path

from subgoal.journal import write_text
from subgoal.record import Record
from subgoal.report.analyses import ReportData, analyse
from subgoal.report.freshness import REPORT
from subgoal.report.html import page
from subgoal.run_folder import RunFolder


class ReportConfig(Record):
    """What the report shows."""

    episodes: int = 60
    """At most this many episodes to step through: the first variations of every type."""
    max_megabytes: float = 5.0
    """Largest size of the page; fewer episodes are shown where they would not fit."""
    seed: int = 0
    """Seed of the bootstrap intervals."""


class ReportSummary(Record):
    """What `report` did."""

    data: ReportData
    """What was found."""
    page: Path
    """The page."""
    json_file: Path
    """The same as JSON."""


def report(config: ReportConfig, folder: RunFolder) -> ReportSummary:
    """Write the report of a run folder; cheap, so it is written anew at every call.

    Raises:
        RunFolderInvalid: Nothing was evaluated.
    """
    data = analyse(folder, config.episodes, config.seed)
    written = ReportSummary(data=data, page=folder / "report.html", json_file=folder / REPORT)
    write_text(written.page, page(data, int(config.max_megabytes * 1_000_000)))
    write_text(written.json_file, data.model_dump_json(indent=1) + "\n")
    return written
