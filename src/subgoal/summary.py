"""What a stage did, as lines and tables that terminal, notebook and text show alike."""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from html import escape
from importlib.util import find_spec
from typing import Any

from subgoal.record import Record


class Tone(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    """As it stands."""
    STRONG = "strong"
    """What matters most."""
    FAINT = "faint"
    """Where something was read or written."""
    CAUTION = "caution"
    """What a reader must not miss."""


class TextLine(Record):
    """A line of text."""

    text: str
    """What it says."""
    tone: Tone = Tone.PLAIN
    """How it is meant."""


class Table(Record):
    """A grid of text."""

    title: str = ""
    """What it shows."""
    head: tuple[str, ...]
    """The heads of the columns; the first is the rows'."""
    rows: tuple[tuple[str, ...], ...]
    """The rows, each as long as the head."""

    def __str__(self) -> str:
        grid = (self.head, *self.rows)
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if number == 0 else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in grid
        ]
        return "\n".join([*(["", self.title] if self.title else []), *lines])


class Finding(Record):
    """What a check found."""

    fine: bool
    """False where the main job cannot run without a remedy."""
    text: str
    """What was found, and where something is missing, how to get it."""
    remark: bool = False
    """True where it is worth knowing although the main job can run."""

    def line(self, topic: str) -> TextLine:
        """Return it as a line, with what was looked at before it."""
        mark = "NO " if not self.fine else "-- " if self.remark else "ok "
        plain = self.fine and not self.remark
        return TextLine(
            text=f"{mark} {topic:13} {self.text}", tone=Tone.PLAIN if plain else Tone.CAUTION
        )


class Summary(Record):
    """What a stage did; it prints as text, and shows as HTML in a notebook."""

    @abstractmethod
    def parts(self) -> Sequence[TextLine | Table]:
        """Return what is shown, in its order."""

    def __str__(self) -> str:
        return "\n".join(
            part.text if isinstance(part, TextLine) else str(part) for part in self.parts()
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "\n".join(
            f"<div>{escape(part.text)}</div>" if isinstance(part, TextLine) else _html(part)
            for part in self.parts()
        )

    def frame(self) -> Any:
        """Return the main table as a DataFrame of pandas, or a sentence where that is missing."""
        if find_spec("pandas") is None:
            return "pandas is not installed; pip install pandas makes frame() return a DataFrame"
        from pandas import DataFrame  # pyright: ignore  # no dependency of the package

        table = next((part for part in self.parts() if isinstance(part, Table)), None)
        if table is None:
            return DataFrame()
        return DataFrame(list(table.rows), columns=list(table.head))


def files(read: object, written: object) -> tuple[TextLine, TextLine]:
    """Say what a stage read and wrote."""
    return (
        TextLine(text=f"read    {read}", tone=Tone.FAINT),
        TextLine(text=f"wrote   {written}", tone=Tone.FAINT),
    )


def _html(table: Table) -> str:
    title = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
