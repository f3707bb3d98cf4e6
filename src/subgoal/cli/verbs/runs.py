"""`subgoal runs`: compare run folders, list them, or remove them."""

import sys
from pathlib import Path

from pydantic import Field

from subgoal.cli.output import say, show
from subgoal.errors import ConfigInvalid
from subgoal.record import Rare, Record, Words
from subgoal.report.runs import run_folders
from subgoal.storage.run_folder import RunFolder


class RunsOptions(Record):
    """Compare runs with the first one: did it help? Without runs, list run folders.

    Compared are the settings that differ, and the scores on the tasks that both runs have played,
    paired, with intervals.
    Example: subgoal runs runs/before runs/after
    """

    runs: Words[tuple[Path, ...]] = ()
    """Run folders to compare; the first is what the others are compared with."""
    as_json: bool = Field(default=False, alias="json")
    """Write the comparison as JSON."""
    folder: Path = Path("runs")
    """The folder of the run folders that are listed."""
    remove: tuple[Path, ...] = ()
    """Run folders to delete, such as runs/demo."""
    seed: Rare[int] = 0
    """Seed of the intervals."""


OPTIONS = RunsOptions


def command(options: RunsOptions) -> None:
    """Run the verb."""
    for path in options.remove:
        freed = RunFolder(path).size if path.is_dir() else 0
        RunFolder(path).remove()
        say(f"removed {path} ({freed / 1e6:.1f} MB)")
    if options.runs:
        _compare(options)
    elif not options.remove:
        show(run_folders(options.folder))


def _compare(options: RunsOptions) -> None:
    if len(options.runs) < 2:
        only = ", ".join(map(str, options.runs))
        raise ConfigInvalid(f"name another run folder to compare with {only}")
    from subgoal.report.comparison import compare_runs

    found = compare_runs(options.runs, options.seed)
    if options.as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        show(found)
