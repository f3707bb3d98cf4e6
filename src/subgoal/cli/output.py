"""How results are printed: to standard output, world and model text never read as markup."""

import os
from typing import TYPE_CHECKING

from rich.table import Table as PrintedTable
from rich.text import Text

from subgoal.progress import PlainConsole
from subgoal.summary import Summary, Table, TextLine, Tone

if TYPE_CHECKING:
    from subgoal.annotation.subgoal import AnnotatedTrajectory

out = PlainConsole()
"""Standard output."""
if not out.is_terminal and "COLUMNS" not in os.environ:
    out.width = 120  # a file has no width; tables of 80 columns would cut names off

_SHOWN_ACTIONS = 4
_STYLES = {Tone.PLAIN: "", Tone.STRONG: "bold", Tone.FAINT: "dim", Tone.CAUTION: "yellow"}


def say(text: str, style: str = "") -> None:
    """Print a line as it is."""
    out.print(Text(text, style=style), soft_wrap=True)


def show(summary: Summary) -> None:
    """Print what a stage did."""
    for part in summary.parts():
        if isinstance(part, TextLine):
            say(part.text, _STYLES[part.tone])
        else:
            out.print(*([Text()] if part.title else []), printed(part), sep="\n")


def printed(table: Table) -> PrintedTable:
    """Return a table for the terminal."""
    grid = PrintedTable(
        title=Text(table.title) if table.title else None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for number, name in enumerate(table.head):
        grid.add_column(Text(name), justify="right" if number else "left")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid


def show_path(one: "AnnotatedTrajectory") -> None:
    """Print an annotated path to read."""
    task = one.trajectory.task
    how = f"transferred, confidence {one.confidence:.2f}" if one.transferred_from else one.teacher
    say(f"\n{task.key} ({how})", "bold")
    say(f"  {task.description}", "italic")
    for span in one.spans:
        actions = one.trajectory.actions[span.first - 1 : span.last]
        more = f" ... ({len(actions)} actions)" if len(actions) > _SHOWN_ACTIONS else ""
        line = Text("  ").append(str(span.subgoal), "cyan")
        out.print(line.append(f"  {' | '.join(actions[:_SHOWN_ACTIONS])}{more}"), soft_wrap=True)
