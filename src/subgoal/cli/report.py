"""`subgoal report`: write the comparison."""

from collections.abc import Sequence

from subgoal.cli.options import StageOptions, read_options
from subgoal.cli.output import out, say
from subgoal.report.terminal import rendered
from subgoal.report.write import ReportConfig, report
from subgoal.run_folder import RunFolder


class ReportOptions(StageOptions):
    """Print the comparison and write it as one HTML file that needs no network."""

    report: ReportConfig = ReportConfig()
    """What the report shows."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(ReportOptions, "report", words, ["report"])
    write_report(options.report, RunFolder(options.run))


def write_report(config: ReportConfig, folder: RunFolder) -> None:
    """Write the report, print its tables, and end with where it lies."""
    written = report(config, folder)
    for result in written.data.results:
        out.print(rendered(result))
    say(f"the report lies in {written.page}", "bold green")
