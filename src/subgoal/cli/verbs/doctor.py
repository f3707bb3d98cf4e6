"""`subgoal doctor`: is everything here that the main job needs?"""

from subgoal.cli.options import RunOptions
from subgoal.cli.output import show
from subgoal.config import config_for
from subgoal.doctor import diagnosis
from subgoal.storage.run_folder import RunFolder


class DoctorOptions(RunOptions):
    """Check what the main job needs: Java, the worlds, torch, memory, engines and the teacher.

    Exit code 1 says that something is missing, and the line about it says how to get it.
    """

    quick: bool = False
    """Leave out the checks that take seconds: threads, a GPU, and a teacher's endpoint."""


OPTIONS = DoctorOptions


def command(options: DoctorOptions) -> None:
    """Run the verb."""
    config = config_for(options.config, RunFolder(options.run))
    found = diagnosis(config.annotate, options.quick)
    show(found)
    if not found.fine:
        raise SystemExit(1)
