"""`subgoal reproduce`: make a run again, and say what differs."""

from pathlib import Path

from subgoal.cli.options import DEFAULT_RUN
from subgoal.cli.output import show
from subgoal.errors import ConfigInvalid
from subgoal.record import Record, Words


class ReproduceOptions(Record):
    """Make a run again as a reproducibility file describes it, and say what differs.

    What differs are versions, the processor, what the stages wrote, and scores, paired by episode.
    Exit code 1: a score differs beyond its interval.
    Example: subgoal reproduce downloaded/reproduce.json --run runs/again
    """

    file: Words[tuple[Path, ...]] = ()
    """The file `reproduce.json`, or the folder that it lies in."""
    run: Path = DEFAULT_RUN
    """The run folder to make; it goes on where it was interrupted."""
    paid: bool = False
    """Ask an LLM again where one was asked, which may cost money."""
    trust: bool = False
    """Import the code and ask the servers that the file names."""


OPTIONS = ReproduceOptions


def command(options: ReproduceOptions) -> None:
    """Run the verb."""
    from subgoal.cli.verbs.run import JobPrinter
    from subgoal.config import Config
    from subgoal.pipeline import Run
    from subgoal.release.reproducible import at_hand, compared, reaches, read_reproducible
    from subgoal.validation import validated

    if len(options.file) != 1:
        raise ConfigInvalid("name one file: subgoal reproduce FILE --run FOLDER")
    (file,) = options.file
    wanted = read_reproducible(file)
    tables = at_hand(wanted, file if file.is_dir() else file.parent)
    reached = [] if options.trust else reaches(tables, Config().model_dump(mode="json"))
    if reached:
        raise ConfigInvalid(
            f"{file} names code, servers or keys: {', '.join(reached)}; read what they "
            "are, and give --trust where they may be used"
        )
    run = Run(options.run, validated(Config, tables, str(file)))
    if run.config.asks_model and not options.paid:
        raise ConfigInvalid(
            f"{file} asks an LLM, which may cost money; give --paid where that is meant"
        )
    run.all(watch=JobPrinter(), job=wanted.stages)
    found = compared(wanted, run.folder)
    show(found)
    if not found.fine:
        raise SystemExit(1)
