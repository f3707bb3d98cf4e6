"""A table's figures laid out as grids of text, which terminal, Markdown and HTML render alike."""

from subgoal.evaluation.compare import PairedDifference
from subgoal.experiments.figures import (
    Cell,
    GroupKind,
    RowFigures,
    StudentFigures,
    TableFigures,
)
from subgoal.experiments.table import Layout
from subgoal.record import Record
from subgoal.report.published import published
from subgoal.report.terminal import p_text

MISSING = "-"
"""What stands where there is no figure yet."""

_CELL = (
    "A cell is the mean score and its 95 % bootstrap interval over variations of the same task "
    "types; with several seeds a task's score is its mean over the seeds."
)


class Grid(Record):
    """A grid of text."""

    title: str
    """What it shows."""
    head: tuple[str, ...]
    """The heads of the columns; the first is the rows'."""
    rows: tuple[tuple[str, ...], ...]
    """The rows, each as long as the head."""


def grids(table: TableFigures) -> list[Grid]:
    """Lay a table out: scores, differences where there are any, and students."""
    by_type = table.layout is Layout.TYPES
    laid = [_types(table) if by_type else _classes(table), _differences(table), _students(table)]
    return [grid for grid in laid if grid.rows]


def rules(table: TableFigures) -> list[str]:
    """Say under which protocol a table was played, on what data, and at which scale."""
    data = dict.fromkeys(one.data for row in table.rows for one in row.students)
    return [
        table.shows,
        f"Scale {table.scale}: {table.scale_title}",
        *(f"Protocol {rules}" for rules in dict.fromkeys(row.protocol for row in table.rows)),
        f"Data digest {', '.join(data) or 'not known yet'}",
        _CELL,
    ]


def notes(table: TableFigures) -> list[str]:
    """Say what a reader must know: published sources, rows that are partial, what is missing."""
    found = [f"{one.name}: {one.source}" for one in map(published, dict.fromkeys(table.published))]
    found += [
        f"{row.name} has {len(row.seeds)} of {row.wanted} seeds"
        for row in table.rows
        if 0 < len(row.seeds) < row.wanted
    ]
    found += [
        f"{row.name} and {row.against} were not played on the same tasks: they are not compared"
        for row in table.rows
        if row.against and row.cells and not row.differences and _known(table, row.against)
    ]
    found += _fewer(table)
    if table.done < table.wanted:
        found.append(
            f"not complete: {table.done} of {table.wanted} cells (a row under one seed); complete "
            f"it with `{table.completes}`"
        )
    return found


def _fewer(table: TableFigures) -> list[str]:
    """Say so where not as many variations were played as the protocol names."""
    played = {row.variations for row in table.rows if row.cells and row.variations < row.per_type}
    said = " or ".join(map(str, sorted(played)))
    return [f"{said} variations of a type were played at most, not the protocol's"] if said else []


def _known(table: TableFigures, name: str) -> bool:
    return any(row.name == name and row.cells for row in table.rows)


def _classes(table: TableFigures) -> Grid:
    groups = table.groups(GroupKind.ALL, GroupKind.LENGTH) or ["all"]
    rows = [
        (row.name, *(_score(row.cell(group)) for group in groups), _tasks(row))
        for row in table.rows
    ]
    rows += [
        (one.name, *(_plain(one.score(group)) for group in groups), "")
        for one in map(published, table.published)
    ]
    return Grid(title="Mean score", head=("agent", *groups, "tasks"), rows=tuple(rows))


def _types(table: TableFigures) -> Grid:
    groups = table.groups(*GroupKind)
    rows = [
        (group, *(_score(row.cell(group)) for row in table.rows)) for group in groups or ["all"]
    ]
    head = ("task type", *(row.name for row in table.rows))
    return Grid(title="Mean score by task type", head=head, rows=tuple(rows))


def _differences(table: TableFigures) -> Grid:
    kinds = (GroupKind.ALL, GroupKind.LENGTH)
    by_type = table.layout is Layout.TYPES
    compared = [row for row in table.rows if row.differences]
    groups = table.groups(*(GroupKind if by_type else kinds))
    rows = [
        (
            f"{row.name} - {row.against}" + (f": {group}" if group != "all" else ""),
            _difference(one),
            f"{one.wins}/{one.ties}/{one.losses}",
            p_text(one.p_value),
        )
        for row in compared
        for group in groups
        if (one := row.difference(group)) is not None
    ]
    head = ("paired, same tasks", "difference", "win/tie/loss", "p")
    return Grid(title="Paired differences in points", head=head, rows=tuple(rows))


def _students(table: TableFigures) -> Grid:
    rows = [
        (
            row.name,
            " + ".join(one.role for one in row.students) or MISSING,
            " + ".join(map(_size, row.students)) or MISSING,
            " + ".join(f"{one.tokens:,}" for one in row.students) or MISSING,
            " / ".join(dict.fromkeys(f"{one.paths:,}" for one in row.students)) or MISSING,
            ", ".join(map(str, row.seeds)) or MISSING,
        )
        for row in table.rows
        if row.wanted
    ]
    head = ("agent", "students", "parameters", "training tokens", "paths", "seeds")
    return Grid(title="Students", head=head, rows=tuple(rows))


def _size(student: StudentFigures) -> str:
    size = f"{student.parameters / 1e6:.2f}M"
    return f"{size} ({student.base})" if student.base else size


def _score(cell: Cell | None) -> str:
    return MISSING if cell is None else str(cell.score)


def _tasks(row: RowFigures) -> str:
    cell = row.cell("all")
    return MISSING if cell is None else str(cell.tasks)


def _plain(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"


def _difference(one: PairedDifference) -> str:
    between = one.difference
    return f"{between.mean:+.1f} [{between.low:+.1f}, {between.high:+.1f}]"
