"""A table's figures laid out as grids of text, which terminal, Markdown and HTML render alike."""

from collections.abc import Sequence

from research.tables.catalogue import FULL
from research.tables.cost import MISSING, RowCost, cost_grids
from research.tables.exact_match import ExactMatch
from research.tables.figures import (
    LENGTHS,
    Cell,
    GroupKind,
    RowFigures,
    StudentFigures,
    TableFigures,
)
from research.tables.lengths import LENGTH_CLASSES
from research.tables.published import PUBLISHED_TYPES, TOKENS_SOURCE, published
from research.tables.table import Content, Layout
from subgoal.evaluation.compare import PairedDifference
from subgoal.evaluation.tables import p_text
from subgoal.summary import Table as Grid

_CELL = (
    "A cell is the mean score and its 95 % bootstrap interval over variations of the same task "
    "types; with several seeds a task's score is its mean over the seeds."
)

_MATCH = (
    "Protocol: paths of tasks that the students were not trained on (train.dataset.dev_share); "
    "each action is asked for with the true history and sub-goal. A cell is the mean share written "
    "exactly, in percent, and its 95 % bootstrap interval over paths of the same task types."
)


_COST = (
    "Tokens are counted and not drawn from a sample: intervals of costs are those of the actions "
    "that an episode takes and of how often it is solved, over variations of the same task types. "
    "`no bound`: within the interval no episode is solved."
)


def grids(table: TableFigures, costs: Sequence[RowCost] = ()) -> list[Grid]:
    """Lay a table out: scores (or exact match), differences, costs, and students.

    Args:
        table: Its figures.
        costs: What its rows cost in tokens of a large language model, where it tells that.
    """
    if table.content is Content.EXACT_MATCH:
        laid = [_matches(table), _differences(table), _students(table)]
    else:
        by_type = table.layout is Layout.TYPES
        laid = [_types(table) if by_type else _classes(table), _differences(table), _long(table)]
        laid += [*cost_grids(costs), _students(table)]
    return [grid for grid in laid if grid.rows]


def rules(table: TableFigures) -> list[str]:
    """Say under which protocol a table was played, on what data, and at which scale."""
    match = table.content is Content.EXACT_MATCH
    data = dict.fromkeys(one.data for row in table.rows for one in row.students)
    return [
        table.shows,
        f"Scale {table.scale}: {table.scale_title}",
        *(f"Protocol {one}" for one in dict.fromkeys(r.protocol for r in table.rows) if not match),
        f"Data digest {', '.join(data) or 'not known yet'}",
        _MATCH if match else _CELL,
        *([LENGTH_CLASSES] if table.lengths else []),
        *([_COST] if table.content is Content.LLM_COST else []),
    ]


def notes(table: TableFigures) -> list[str]:
    """Say what a reader must know: published sources, rows that are partial, what is missing."""
    found = [f"{one.name}: {one.source}" for one in map(published, dict.fromkeys(table.published))]
    if table.content is Content.LLM_COST:
        found.append(f"tokens an action of agents that ask a language model: {TOKENS_SOURCE}")
    found += [
        f"{row.name} has {len(row.seeds)} of {row.wanted} seeds"
        for row in table.rows
        if 0 < len(row.seeds) < row.wanted
    ]
    found += [
        f"{row.name} and {row.against} are not compared: {row.not_compared}"
        for row in table.rows
        if row.not_compared
    ]
    found += [*_fewer_types(table), *_fewer(table)]
    found += [
        f"{row.name}: the world broke off {row.broken} episodes, which count with the score that "
        f"they had; play them again with `{table.completes}`"
        for row in table.rows
        if row.broken
    ]
    if table.whole:
        more = f", which has also {'; '.join(table.left_out)}" if table.left_out else ""
        found.append(f"a smaller scale than `{FULL}`{more}; in full: `{table.whole}`")
    if table.done < table.wanted:
        found.append(
            f"not complete: {table.done} of {table.wanted} cells (a row under one seed); complete "
            f"it with `{table.completes}`"
        )
    return found


def _fewer(table: TableFigures) -> list[str]:
    """Say so where not as many variations were played as the protocol names, or more."""
    played = {row.variations for row in table.rows if row.cells and row.variations != row.per_type}
    said = " or ".join(map(str, sorted(played)))
    return [f"{said} variations of a type were played at most, not the protocol's"] if said else []


def _fewer_types(table: TableFigures) -> list[str]:
    """Say so where not all task types of the protocol are in the table, and which are."""
    names, of = table.types
    if not of or len(names) >= of:
        return []
    what = "read" if table.content is Content.EXACT_MATCH else "played"
    said = f"only {len(names)} of the {of} task types are {what}: {', '.join(names)}"
    if table.published:
        said += (
            f"; published figures are means over all {PUBLISHED_TYPES} and are not to be compared "
            "with these"
        )
    return [said]


def _classes(table: TableFigures) -> Grid:
    groups = table.groups(GroupKind.ALL, GroupKind.LENGTH) or ["all"]
    rows = [
        (row.name, *(_score(row.cell(group)) for group in groups), _tasks(row))
        for row in table.rows
    ]
    rows += [
        (one.name, *(_plain(one.score(group)) for group in groups), f"{PUBLISHED_TYPES} types")
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


def _matches(table: TableFigures) -> Grid:
    found = [row.match for row in table.rows if row.match]
    classes = list(dict.fromkeys(group.name for match in found for group in match.classes))
    rows = [(row.name, *_shares(row.match, classes)) for row in table.rows]
    heads = ("actions", *(f"actions, {name}" for name in classes), "sub-goals", "ends", "paths")
    return Grid(title="Exact match", head=("agent", *heads), rows=tuple(rows))


def _shares(match: ExactMatch | None, classes: Sequence[str]) -> list[str]:
    if match is None:
        return [MISSING] * (4 + len(classes))
    by_name = {group.name: group for group in match.classes}
    overall = match.overall
    told = [by_name[name].actions if name in by_name else None for name in classes]
    shares = [overall.actions, *told, overall.subgoals, overall.ends]
    texts = (MISSING if one is None else str(one.exact or "") for one in shares)
    return [*texts, f"{overall.paths} of {_of_types(overall.types)}"]


def _differences(table: TableFigures) -> Grid:
    kinds = (GroupKind.ALL, GroupKind.LENGTH)
    by_type = table.layout is Layout.TYPES
    compared = [row for row in table.rows if row.differences]
    groups = table.groups(*(GroupKind if by_type else kinds)) or [
        "all",
        *LENGTHS,
    ]  # exact matches have no cells
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
    match = table.content is Content.EXACT_MATCH
    head = ("paired, same paths" if match else "paired, same tasks", "difference", "win/tie/loss")
    title = "Paired differences in points" + (" of actions written exactly" if match else "")
    return Grid(title=title, head=(*head, "p"), rows=tuple(rows))


def _long(table: TableFigures) -> Grid:
    """Lay out what a hierarchy is worth by task type, the shortest first."""
    shown = [row for row in table.rows if row.series and row.differences]
    types = [(n, one, world) for world, of in table.lengths.items() for one, n in of.items()]
    rows = [
        (one, world, f"{count:g}", *(_plain_difference(row.difference(one)) for row in shown))
        for count, one, world in sorted(types)
        if shown
    ]
    head = ("task type", "world", "actions", *(row.series for row in shown))
    return Grid(title="Paired differences by length of the task", head=head, rows=tuple(rows))


def _students(table: TableFigures) -> Grid:
    rows = [
        (
            row.name,
            " + ".join(one.role for one in row.students) or MISSING,
            " + ".join(map(_size, row.students)) or MISSING,
            " + ".join(f"{one.tokens:,}" for one in row.students) or MISSING,
            " / ".join(dict.fromkeys(f"{one.paths:,}" for one in row.students)) or MISSING,
            " / ".join(dict.fromkeys(str(one.types) for one in row.students)) or MISSING,
            ", ".join(map(str, row.seeds)) or MISSING,
        )
        for row in table.rows
        if row.wanted
    ]
    head = ("agent", "students", "parameters", "training tokens", "paths", "types", "seeds")
    return Grid(title="Students", head=head, rows=tuple(rows))


def _size(student: StudentFigures) -> str:
    size = f"{student.parameters / 1e6:.2f}M"
    return f"{size} ({student.base})" if student.base else size


def _score(cell: Cell | None) -> str:
    return MISSING if cell is None else str(cell.score)


def _tasks(row: RowFigures) -> str:
    cell = row.cell("all")
    return MISSING if cell is None else f"{cell.tasks} of {_of_types(len(row.types))}"


def _of_types(count: int) -> str:
    return f"{count} type{'' if count == 1 else 's'}"


def _plain(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"


def _plain_difference(one: PairedDifference | None) -> str:
    return MISSING if one is None else _difference(one)


def _difference(one: PairedDifference) -> str:
    between = one.difference
    return f"{between.mean:+.1f} [{between.low:+.1f}, {between.high:+.1f}]"
