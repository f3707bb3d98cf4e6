"""`subgoal runs`: list run folders, or remove them."""

from pathlib import Path

from subgoal.cli.output import say, show
from subgoal.record import Record
from subgoal.report.runs import run_folders
from subgoal.storage.run_folder import RunFolder


class RunsOptions(Record):
    """List run folders with their state and size; with --remove, delete some of them."""

    folder: Path = Path("runs")
    """The folder of the run folders."""
    remove: tuple[Path, ...] = ()
    """Run folders to delete, such as runs/demo."""


OPTIONS = RunsOptions


def command(options: RunsOptions) -> None:
    """Run the verb."""
    for path in options.remove:
        freed = RunFolder(path).size if path.is_dir() else 0
        RunFolder(path).remove()
        say(f"removed {path} ({freed / 1e6:.1f} MB)")
    if not options.remove:
        show(run_folders(options.folder))
