"""Tables and scales as they lie on disk: `NAME.toml`, and `base/SCALE.toml` beside them."""

from collections.abc import Sequence
from pathlib import Path

from research.tables.scale import Scale
from research.tables.table import Table
from subgoal.errors import ConfigInvalid, nearest
from subgoal.storage.toml_file import read_toml
from subgoal.validation import validated

SHIPPED = Path("research/tables/configs/scienceworld")
"""The folder of the paper's tables, in the repository."""
FULL = "full"
"""The scale at which a folder's tables are whole, where it has one of this name."""


class Catalogue:
    """The tables of one folder.

    Args:
        folder: Where the tables lie.
    """

    def __init__(self, folder: Path = SHIPPED) -> None:
        self.folder = folder

    @property
    def names(self) -> list[str]:
        """The names of all tables, sorted."""
        return sorted(file.stem for file in self.folder.glob("*.toml"))

    @property
    def scales(self) -> list[str]:
        """The names of all scales, sorted."""
        return sorted(file.stem for file in (self.folder / "base").glob("*.toml"))

    def tables(self, names: Sequence[str] = ()) -> list[Table]:
        """Read tables, the most telling first.

        Args:
            names: Which; empty: all.

        Raises:
            ConfigInvalid: There is no such table, or one is wrong.
        """
        found = self.names
        if not found:
            raise ConfigInvalid(
                f"there are no tables in {self.folder}; run this in the repository of subgoal, or "
                "name a folder of tables with --configs"
            )
        for name in names:
            if name not in found:
                guess = nearest(name, found) or f"; there are: {', '.join(found)}"
                raise ConfigInvalid(f"{self.folder} has no table '{name}'{guess}")
        read = [self._table(name) for name in names or found]
        return sorted(read, key=lambda table: (table.order, table.name))

    def scale(self, name: str) -> Scale:
        """Read a scale.

        Raises:
            ConfigInvalid: There is no such scale, or it is wrong.
        """
        known = self.scales
        if name not in known:
            guess = nearest(name, known) or f"; there are: {', '.join(known) or 'none'}"
            raise ConfigInvalid(f"{self.folder / 'base'} has no scale '{name}'{guess}")
        file = self.folder / "base" / f"{name}.toml"
        return validated(Scale, read_toml(file), str(file))

    def _table(self, name: str) -> Table:
        file = self.folder / f"{name}.toml"
        return validated(Table, {"name": name, **read_toml(file)}, str(file))
