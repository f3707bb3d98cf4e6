"""`subgoal matrix`: train and play what the paper's tables and ablations need, each once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tyro
from rich.table import Table as Printed
from rich.text import Text

from subgoal.cli.output import out, say
from subgoal.cli.table import MATRIX, asked, remember, table_command
from subgoal.environments.pool import WorldLimits
from subgoal.experiments.matrix import Job, Place, jobs
from subgoal.experiments.work import Work, described
from subgoal.record import Record


class MatrixOptions(Record):
    """Train and play what tables need; `subgoal report --table NAME` prints them.

    What two tables share is done once. What is complete is not done again, so after Ctrl-C or a
    crash the same command goes on; the most telling tables come first, all with their first seed.
    """

    tables: tuple[str, ...] = ()
    """Which tables, such as `overall sizes` or `overall,sizes`; none: all of `configs`."""
    run: Path = MATRIX
    """The folder of the matrix; all tables share it."""
    scale: str = ""
    """At which size: `full`, `quick`, or another of `configs`/base; none: the one that
    this matrix was last run with, else each table's own."""
    configs: Path | None = None
    """A folder of tables; none: the one that this matrix was last run with, else
    `configs/tables`."""
    dry_run: bool = False
    """Only list what would be done, in order, with its budget and the tables that share it."""
    worlds: int | Literal["auto"] = "auto"
    """Worlds side by side; `auto`: as many as cores and memory allow."""
    limits: WorldLimits = WorldLimits()
    """When a world is given up and replaced."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = tyro.cli(
        MatrixOptions, prog="subgoal matrix", description=MatrixOptions.__doc__, args=words
    )
    names = [name for word in options.tables for name in word.split(",") if name]
    chosen = asked(options.run, options.configs, options.scale)
    tables = chosen.tables(names)
    place, todo = Place(options.run), jobs(tables)
    if options.dry_run:
        _show(todo, place)
        return
    remember(options.run, chosen)
    Work(place, options.worlds, options.limits).do(todo)
    done = sum(map(place.done, todo))
    say(f"{done} of {len(todo)} jobs are done; the tables:", "bold green")
    for table in tables:
        say(f"  {table_command(table.table.name, options.run)}")


def _show(todo: Sequence[Job], place: Place) -> None:
    table = Printed("", "job", "tokens", "tables", "state")
    for number, job in enumerate(todo, start=1):
        tokens = f"{job.training.tokens:,}" if job.training is not None else ""
        state = "done" if place.done(job) else "wants a GPU" if job.gpu else "to do"
        cells = (str(number), described(job), tokens, ", ".join(job.tables), state)
        table.add_row(*map(Text, cells))
    out.print(table)
    trainings = [job.training for job in todo if job.training is not None]
    left = [one for one in trainings if not place.trained(one)]
    say(
        f"{len(trainings)} trainings of {sum(one.tokens for one in trainings):,} tokens, "
        f"{len(todo) - len(trainings)} plays and exact matches; to do: {len(left)} trainings of "
        f"{sum(one.tokens for one in left):,} tokens; nothing was done",
        "bold",
    )
