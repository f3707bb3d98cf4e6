"""A grid of text, which terminal, Markdown and HTML render alike."""

from subgoal.record import Record

MISSING = "-"
"""What stands where there is no figure yet."""


class Grid(Record):
    """A grid of text."""

    title: str
    """What it shows."""
    head: tuple[str, ...]
    """The heads of the columns; the first is the rows'."""
    rows: tuple[tuple[str, ...], ...]
    """The rows, each as long as the head."""
