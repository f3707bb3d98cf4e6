"""`python -m research.tables`: train and play what the paper's tables need, and print them."""

import shlex
import sys
from collections.abc import Sequence
from itertools import groupby, takewhile
from pathlib import Path
from typing import Literal

from rich.table import Table as Printed
from rich.text import Text

from research.tables.asked import MATRIX, PROGRAM, Asked, asked, remember
from research.tables.catalogue import FULL
from research.tables.cost import row_costs
from research.tables.figures import figures
from research.tables.matrix import Job, Place, Sized, jobs
from research.tables.work import Work, described
from research.tables.write import printed, write_table
from subgoal.cli.main import guarded
from subgoal.cli.options import read_options
from subgoal.cli.output import out, say
from subgoal.environments.pool import WorldLimits
from subgoal.errors import ConfigInvalid
from subgoal.record import Record


class TableOptions(Record):
    """The options that both verbs have."""

    tables: tuple[str, ...] = ()
    """Which tables, such as `overall sizes`; none: all of `--configs`. They may stand
    right after the verb, too: `run overall sizes`."""
    run: Path = MATRIX
    """The folder of the matrix; all tables share it."""
    scale: str = ""
    """At which size: `full`, `quick`, or another of `configs`/base; none: the one that
    this matrix was last run with, else each table's own."""
    configs: Path | None = None
    """A folder of tables; none: the one that this matrix was last run with, else
    `research/tables/configs/scienceworld`."""


class RunTables(TableOptions):
    """Train and play what tables need; `show` prints them.

    What two tables share is done once. What is complete is not done again, so after Ctrl-C or a
    crash the same command goes on; the most telling tables come first, all with their first seed.
    """

    dry_run: bool = False
    """Only list what would be done, in order, with its budget and the tables that share it."""
    worlds: int | Literal["auto"] = "auto"
    """Worlds side by side; `auto`: as many as cores and memory allow."""
    limits: WorldLimits = WorldLimits()
    """When a world is given up and replaced."""


class ShowTables(TableOptions):
    """Print tables, as far as they are complete, and write them with their charts as files."""

    seed: int = 0
    """Seed of the bootstrap intervals."""


_VERBS: dict[str, type[RunTables] | type[ShowTables]] = {"run": RunTables, "show": ShowTables}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 0, 2 (a mistake that a user can repair) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: _obey(_read(words)), [*PROGRAM, *words])


def _read(words: Sequence[str]) -> RunTables | ShowTables:
    verb = words[0] if words else ""
    if verb not in _VERBS:
        raise ConfigInvalid(f"say first what is to be done: {' or '.join(_VERBS)}")
    tables = list(takewhile(lambda word: not word.startswith("-"), words[1:]))
    rest = words[1 + len(tables) :]
    given = [*(["--tables", *tables] if tables else []), *rest]
    return read_options(_VERBS[verb], shlex.join([*PROGRAM, verb]), given)


def _obey(options: RunTables | ShowTables) -> None:
    chosen = asked(options.run, options.configs, options.scale)
    tables = chosen.tables([name for word in options.tables for name in word.split(",") if name])
    if isinstance(options, ShowTables):
        for _, several in groupby(tables, key=lambda sized: sized.table.name):
            _show(list(several), options, chosen)
    elif options.dry_run:
        _list(jobs(tables), Place(options.run))
    else:
        remember(options.run, chosen)
        _run(jobs(tables), options)


def _run(todo: Sequence[Job], options: RunTables) -> None:
    place = Place(options.run)
    Work(place, options.worlds, options.limits).do(todo)
    done = sum(map(place.done, todo))
    say(f"{done} of {len(todo)} jobs are done; the tables:", "bold green")
    say("  " + shlex.join([*PROGRAM, "show", *options.tables, "--run", str(options.run)]))


def _show(several: Sequence[Sized], options: ShowTables, chosen: Asked) -> None:
    sized, run, place = several[0], options.run, Place(options.run)
    name = sized.table.name
    smaller = sized.name != FULL and FULL in chosen.catalogue.scales
    completes = chosen.command(name, run, sized.name if len(several) == 1 else "")
    whole = chosen.command(name, run, FULL) if smaller else ""
    found, costs = figures(several, place, completes, options.seed, whole), row_costs(sized, place)
    out.print(printed(found, costs))
    files = write_table(found, run / "tables", costs)
    others = [files.markdown, files.json_file, *filter(None, (files.chart, files.cost_file))]
    say(f"the table lies in {files.page}", "bold green")
    say(f"beside it: {', '.join(file.name for file in others)}\n", "dim")


def _list(todo: Sequence[Job], place: Place) -> None:
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


if __name__ == "__main__":
    main()
