"""`subgoal runs`: list run folders, or remove them."""

from pathlib import Path

from rich.table import Table
from rich.text import Text

from subgoal.cli.output import out, say
from subgoal.errors import RunFolderInvalid
from subgoal.manifest import StageState
from subgoal.record import Record
from subgoal.report.freshness import outdated
from subgoal.run_folder import RunFolder


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
        size = RunFolder(path).size if path.is_dir() else 0
        RunFolder(path).remove()
        say(f"removed {path} ({size / 1e6:.1f} MB)")
    if not options.remove:
        _list(options.folder)


def _list(place: Path) -> None:
    table = Table("run folder", "complete", "under way", "to do", "size", "seconds")
    found = sorted(path for path in place.glob("*") if path.is_dir()) if place.is_dir() else []
    for path in found:
        folder = RunFolder(path)
        size = f"{folder.size / 1e6:.1f} MB"
        try:
            stages = folder.manifests()
        except RunFolderInvalid as error:
            say(str(error), "yellow")
            table.add_row(Text(str(path)), "", "", "damaged", size, "")
            continue
        if not stages:
            continue
        complete = [m.stage for m in stages if m.state is StageState.COMPLETE]
        begun = [m.stage for m in stages if m.state is StageState.BEGUN]
        running = {stage: folder.running(stage) for stage in begun}
        under_way = [stage for stage in begun if running[stage]]
        to_do = [f"{stage} (interrupted)" for stage in begun if not running[stage]]
        to_do += [f"{m.stage} (lost a file)" for m in stages if m.state is StageState.LOST]
        to_do += [f"{stage} (stale)" for stage in folder.stale()]
        to_do += ["report (stale)"] if outdated(folder) else []
        seconds = sum(manifest.seconds for manifest in stages)
        cells = [", ".join(stages) or "-" for stages in (complete, under_way, to_do)]
        table.add_row(Text(str(path)), *cells, size, f"{seconds:.0f}")
    if table.row_count:
        out.print(table)
    else:
        say(f"there are no run folders in {place}; `subgoal run --run {place}/mine` makes one")
