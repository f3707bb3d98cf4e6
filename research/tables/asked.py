"""Which tables at which scale: what `run` and `show` share.

A matrix keeps the folder of tables and the scale that it was last run with in `matrix.toml`, so
that `show` needs only `--run`.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from research.tables.catalogue import SHIPPED, Catalogue
from research.tables.matrix import Sized
from subgoal.record import Record
from subgoal.storage.journal import write_text
from subgoal.storage.toml_file import read_toml
from subgoal.validation import validated

PROGRAM = ("python", "-m", "research.tables")
"""How the command is called."""
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
        """Return tables with their scales, the most telling first.

        Args:
            names: Which; none: all.

        Raises:
            ConfigInvalid: There is no such table or scale, or one is wrong.
        """
        return [
            Sized(table, name, self.catalogue.scale(name))
            for table in self.catalogue.tables(names)
            for name in ((self.scale,) if self.scale else table.scales)
        ]

    def command(self, table: str, run: Path, scale: str) -> str:
        """Return the command that fills a table at a scale, or at its own where that is empty."""
        words = [*PROGRAM, "run", table, "--run", str(run), *(["--scale", scale] if scale else [])]
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
