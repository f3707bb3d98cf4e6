"""A table of the matrix, for the terminal and as files: JSON, Markdown, HTML, a chart as SVG."""

import json
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.text import Text

from research.tables.chart import table_chart
from research.tables.cost import RowCost
from research.tables.figures import TableFigures
from research.tables.grids import grids, notes, rules
from research.tables.length_chart import length_chart
from research.tables.table import Chart
from subgoal.cli.output import printed as printed_grid
from subgoal.record import Record
from subgoal.report.charts import BAR, LABELS, WIDTH
from subgoal.report.html import part, template
from subgoal.storage.journal import write_text

_PACKAGE = "research.tables"
_COLOURS = (
    "#2a78d6", "#e2632a", "#159a72", "#6b4fc4", "#8b8a84", "#c88a00", "#c2378a", "#3c7d0c",
    "#5c5b57",
)  # fmt: skip
"""Those of the report's page, darker where they stand for text."""


class TableFiles(Record):
    """Where a table was written."""

    json_file: Path
    """Its figures."""
    markdown: Path
    """For documentation."""
    cost_file: Path | None
    """What its rows cost, where it tells that."""
    page: Path
    """For a browser; needs no network."""
    chart: Path | None
    """Its chart; None where it has none, or no figure is known yet."""


def write_table(table: TableFigures, folder: Path, costs: Sequence[RowCost] = ()) -> TableFiles:
    """Write a table.

    Args:
        table: Its figures.
        folder: Where its files go, named after the table.
        costs: What its rows cost, where it tells that.
    """
    svg = chart_svg(table)
    written = TableFiles(
        json_file=folder / f"{table.name}.json",
        markdown=folder / f"{table.name}.md",
        cost_file=folder / f"{table.name}.cost.json" if costs else None,
        page=folder / f"{table.name}.html",
        chart=folder / f"{table.name}.svg" if svg else None,
    )
    write_text(written.json_file, table.model_dump_json(indent=1) + "\n")
    write_text(written.markdown, as_markdown(table, f"{table.name}.svg" if svg else "", costs))
    write_text(written.page, _page(table, svg, costs))
    if written.cost_file is not None:
        told = [one.model_dump(mode="json") for one in costs]
        write_text(written.cost_file, json.dumps(told, indent=1) + "\n")
    if written.chart is not None:
        write_text(written.chart, svg)
    return written


def printed(table: TableFigures, costs: Sequence[RowCost] = ()) -> RenderableType:
    """Return a table for the terminal."""
    source = f" ({table.source})" if table.source else ""
    parts: list[RenderableType] = [Text(f"{table.title}{source}", style="bold")]
    parts += [Text(line, style="bold yellow") for line in table.cautions]
    parts += [Text(line, style="dim") for line in rules(table)]
    for grid in grids(table, costs):
        parts += [Text(), printed_grid(grid)]
    parts.append(Text())
    parts += [Text(f"Note: {note}", style="yellow") for note in notes(table)]
    return Group(*parts)


def as_markdown(table: TableFigures, chart: str = "", costs: Sequence[RowCost] = ()) -> str:
    """Return a table as Markdown.

    Args:
        table: Its figures.
        chart: The chart's file, relative to the text's; empty: none.
        costs: What its rows cost, where it tells that.
    """
    lines = [f"## {_plain(table.title)}", ""]
    if table.source:
        lines += [f"{_plain(table.source)}.", ""]
    for line in table.cautions:
        lines += [f"**{_plain(line)}**", ""]
    for line in rules(table):
        lines += [_plain(line), ""]
    if chart:
        lines += [f"![{_plain(table.title)}]({chart})", ""]
    for grid in grids(table, costs):
        lines += [f"**{_plain(grid.title)}**", "", _row(grid.head)]
        lines.append(_row(["---", *["---:"] * (len(grid.head) - 1)]))
        lines += [_row(tuple(map(_plain, row))) for row in grid.rows]
        lines.append("")
    lines += [f"- {_plain(note)}" for note in notes(table)]
    return "\n".join(lines).rstrip() + "\n"


def chart_svg(table: TableFigures) -> str:
    """Return a table's chart as an SVG that stands alone; empty where it has none."""
    lengths = length_chart(table) if table.chart is Chart.LENGTHS else None
    if lengths is not None:
        drawn = template("lengths.svg.j2", _PACKAGE)
        return drawn.render(chart=lengths, colours=_COLOURS).rstrip()
    chart = table_chart(table)
    if chart is None:
        return ""
    drawn = template("table.svg.j2", _PACKAGE)
    return drawn.render(
        chart=chart, width=WIDTH, labels=LABELS, bar_height=BAR, colours=_COLOURS
    ).rstrip()


def _page(table: TableFigures, svg: str, costs: Sequence[RowCost]) -> str:
    return template("table.html.j2", _PACKAGE).render(
        table=table,
        rules=rules(table),
        grids=grids(table, costs),
        notes=notes(table),
        svg=Markup(svg),  # noqa: S704 - rendered by a template that escapes
        style=Markup(part("page.css")),  # noqa: S704 - our own file
    )


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Keep a text from being read as markup."""
    for character in "\\|*_<":
        text = text.replace(character, f"\\{character}")
    return text.replace("](", "]\\(")
