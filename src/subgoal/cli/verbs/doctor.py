"""`subgoal doctor`: is everything here that the main job needs?"""

from pydantic import Field

from subgoal.cli.options import RunOptions
from subgoal.cli.output import show
from subgoal.config import config_for
from subgoal.storage.run_folder import RunFolder


class DoctorOptions(RunOptions):
    """Check what the main job needs: Java, the worlds, torch, memory, engines and the teacher.

    With --world, check a world instead: whether it keeps the contract, and what it can do. Exit
    code 1 says that something is missing or against the contract, and the line about it says what
    to do.
    """

    quick: bool = False
    """Leave out the checks that take seconds: threads, a GPU, and a teacher's endpoint."""
    examined: str = Field(default="", alias="world")
    """A world, such as `errand` or `my_worlds:Kitchen`, to be played in and reported on. Where it
    is the configuration's, with the options that are given there."""
    seconds: float = Field(default=60, gt=0)
    """About how long to play in the world; each check is made once, however slow the world is."""


OPTIONS = DoctorOptions


def command(options: DoctorOptions) -> None:
    """Run the verb."""
    config = config_for(options.config, RunFolder(options.run))
    if options.examined:
        from subgoal.doctor.world import world_diagnosis

        same = config.world.environment == options.examined
        given = config.world.options if same else {}
        found = world_diagnosis(options.examined, given, options.seconds)
    else:
        from subgoal.doctor.machine import diagnosis

        found = diagnosis(config.annotate, options.quick)
    show(found)
    if not found.fine:
        raise SystemExit(1)
