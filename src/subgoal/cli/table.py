"""Which tables at which scale, and how they are printed: what `matrix` and `report` share.

A matrix keeps the folder of tables and the scale that it was begun with in `matrix.toml`, so that a
report needs only `--run`.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from subgoal.cli.output import out, say
from subgoal.experiments.catalogue import FULL, SHIPPED, Catalogue
from subgoal.experiments.figures import figures
from subgoal.experiments.matrix import Place, Sized
from subgoal.journal import write_text
from subgoal.record import Record
from subgoal.report.table_cost import row_costs
from subgoal.report.tables import printed, write_table
from subgoal.toml_file import read_toml, validated

MATRIX = Path("runs/matrix")
"""Where a matrix lies, unless told otherwise."""
_KEPT = "matrix.toml"


class _Kept(Record):
    configs: Path = SHIPPED
    scale: str = ""


@dataclass(frozen=True)
class Asked:
    """Which tables were asked for.

    Attributes:
        catalogue: Where they lie.
        scale: At which scale; empty: each table's own.
    """

    catalogue: Catalogue
    scale: str

    def tables(self, names: Sequence[str] = ()) -> list[Sized]:
        """Return tables with their scales, the most telling first; no names: all.

        Raises:
            ConfigInvalid: There is no such table or scale, or one is wrong.
        """
        return [
            Sized(table, name, self.catalogue.scale(name))
            for table in self.catalogue.tables(names)
            for name in (self.scale or table.scale,)
        ]

    def command(self, table: str, run: Path, scale: str) -> str:
        """Return the command that fills a table at a scale."""
        words = ["subgoal", "matrix", "--tables", table, "--run", str(run), "--scale", scale]
        if self.catalogue.folder != SHIPPED:
            words += ["--configs", str(self.catalogue.folder)]
        return shlex.join(words)


def asked(run: Path, configs: Path | None, scale: str) -> Asked:
    """Return which tables are meant: by the options, else by what the matrix was last run with."""
    file = run / _KEPT
    kept = validated(_Kept, read_toml(file), str(file)) if file.is_file() else _Kept()
    return Asked(Catalogue(configs or kept.configs), scale or kept.scale)


def remember(run: Path, chosen: Asked) -> None:
    """Keep which tables and scale a matrix is run with."""
    kept = {"configs": str(chosen.catalogue.folder), "scale": chosen.scale}
    write_text(run / _KEPT, tomli_w.dumps(kept))


def table_command(name: str, run: Path) -> str:
    """Return the command that prints a table."""
    return shlex.join(["subgoal", "report", "--table", name, "--run", str(run)])


def show_tables(names: Sequence[str], run: Path, chosen: Asked, seed: int) -> None:
    """Print tables and write their files; `all` means all.

    Raises:
        ConfigInvalid: There is no such table or scale, or one is wrong.
    """
    place = Place(run)
    wanted = [name for word in names for name in word.split(",") if name]
    for sized in chosen.tables([] if "all" in wanted else wanted):
        completes = chosen.command(sized.table.name, run, sized.name)
        smaller = sized.name != FULL and FULL in chosen.catalogue.scales
        whole = chosen.command(sized.table.name, run, FULL) if smaller else ""
        found = figures(sized, place, completes, seed, whole)
        costs = row_costs(sized, place)
        out.print(printed(found, costs))
        files = write_table(found, run / "tables", costs)
        others = [files.markdown, files.json_file, *filter(None, (files.chart, files.cost_file))]
        say(f"the table lies in {files.page}", "bold green")
        say(f"beside it: {', '.join(file.name for file in others)}\n", "dim")
