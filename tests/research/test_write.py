"""A table of the matrix as text, Markdown, HTML and SVG: figures, gaps, nothing as markup."""

import re
from io import StringIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from research.tables.figures import Cell, GroupKind, RowFigures, StudentFigures, TableFigures
from research.tables.published import published
from research.tables.table import Chart, Content, Layout
from research.tables.write import as_markdown, chart_svg, printed, write_table
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.bootstrap import Interval
from subgoal.evaluation.compare import PairedDifference

ATTACK = "<script>|alert(1)</script> [x](y)"
BAR = r"(?<!\\)\|"
GROUPS = (("all", GroupKind.ALL), ("short", GroupKind.LENGTH), ("boil", GroupKind.TYPE))


def row(name: str, mean: float | None, at: float = 1e6, against: str = "") -> RowFigures:
    def around(value: float) -> Interval:
        return Interval(mean=value, low=value - 5, high=value + 5)

    student = StudentFigures(
        role="both", parameters=950_000, base="", tokens=4_000_000, data="0123", paths=400, types=2
    )
    known = mean is not None
    return RowFigures(
        name=name,
        agent="hierarchical",
        seeds=(0,) if known else (),
        wanted=2,
        protocol="dev: a few tasks",
        per_type=10,
        variations=3,
        students=(student,) if known else (),
        cells=tuple(
            Cell(kind=kind, name=group, tasks=9, score=around(mean or 0)) for group, kind in GROUPS
        )
        if known
        else (),
        against=against,
        differences=tuple(
            PairedDifference(
                name=group,
                episodes=9,
                difference=around(8),
                wins=5,
                ties=3,
                losses=1,
                p_value=0.0001,
            )
            for group, _ in GROUPS
        )
        if against
        else (),
        series="hierarchical",
        at=at,
        types=("boil", "melt"),
        all_types=30,
    )


def table(**changed: object) -> TableFigures:
    plain = TableFigures(
        name="overall",
        title="Overall",
        shows="Does it help?",
        source="paper, table 1",
        scale="quick",
        scale_title="very small",
        content=Content.SCORES,
        layout=Layout.CLASSES,
        chart=Chart.BARS,
        axis="parameters",
        published=("swift-only",),
        rows=(row("hierarchical", 60, 5e6, "flat"), row("flat", 52), row("later", None)),
        completes="python -m research.tables run overall --run here",
    )
    return plain.model_copy(update=changed)


def as_text(shown: TableFigures) -> str:
    console = Console(width=120, record=True, file=StringIO())
    console.print(printed(shown))
    return console.export_text()


def test_a_table_of_a_smaller_scale_says_so_and_how_it_is_filled_in_full() -> None:
    command = "python -m research.tables run overall --scale full"
    text = " ".join(as_text(table(whole=command, left_out=("small", "larger"))).split())
    assert (
        f"a smaller scale than `full`, which has also small; larger; in full: `{command}`" in text
    )
    assert "smaller scale" not in as_text(table())


def test_a_table_says_what_it_shows_how_it_was_played_and_what_is_missing() -> None:
    text = as_text(table())
    for said in (
        "Overall (paper, table 1)",
        "Scale quick: very small",
        "Protocol dev: a few tasks",
        "Data digest 0123",
        "Swift-only, 770M (published)",
        "3 variations of a type were played at most, not the protocol's",
        "not complete: 2 of 6 cells",
        "python -m research.tables run overall --run here",
    ):
        assert said in " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "hierarchical 60.0 [55.0, 65.0] 60.0 [55.0, 65.0] 9 of 2 types" in lines
    assert "later - - -" in lines
    assert "hierarchical - flat +8.0 [+3.0, +13.0] 5/3/1 <0.001" in lines
    assert "hierarchical both 0.95M 4,000,000 400 2 0" in lines


def test_a_table_of_fewer_types_says_which_and_that_published_figures_are_of_all() -> None:
    said = " ".join(as_text(table()).split())
    assert "only 2 of the 30 task types are played: boil, melt; published figures" in said
    assert "Swift-only, 770M (published) 46.25 79.68 30 types" in said
    plain = " ".join(as_text(table(published=())).split())
    assert "are played: boil, melt Note" in plain
    every = tuple(f"type {number}" for number in range(30))
    whole = table(rows=(row("hierarchical", 60).model_copy(update={"types": every}),))
    assert "task types are played" not in " ".join(as_text(whole).split())


def test_why_rows_are_not_compared_is_said() -> None:
    alone = row("hierarchical", 60).model_copy(update={"against": "flat", "not_compared": "so"})
    said = " ".join(as_text(table(rows=(alone, row("flat", 52)))).split())
    assert "hierarchical and flat are not compared: so" in said


def test_task_types_can_be_the_rows() -> None:
    lines = [" ".join(line.split()) for line in as_text(table(layout=Layout.TYPES)).splitlines()]
    assert "boil 60.0 [55.0, 65.0] 52.0 [47.0, 57.0] -" in lines
    assert "hierarchical - flat: boil +8.0 [+3.0, +13.0] 5/3/1 <0.001" in lines


def test_nothing_is_read_as_markup(tmp_path: Path) -> None:
    shown = table(title=ATTACK, rows=(row(ATTACK, 60),))
    files = write_table(shown, tmp_path)
    assert files.chart is not None
    page, drawn = files.page.read_text(), files.chart.read_text()
    assert "<script>" not in page + drawn
    assert "&lt;script&gt;" in page
    ElementTree.fromstring(drawn)
    text = files.markdown.read_text()
    assert "\\<script>\\|alert" in text
    assert "[x](y)" not in text
    assert "](overall.svg)" in text


def test_every_line_of_a_markdown_table_has_as_many_cells() -> None:
    lines = as_markdown(table(rows=(row("a | b", 60, 1e6, "flat"),))).splitlines()
    for before, line in pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert len(re.findall(BAR, before)) == len(re.findall(BAR, line))


def test_bars_stand_for_rows_and_published_figures() -> None:
    drawn = chart_svg(table())
    assert "hierarchical, all: 60.0 [55.0, 65.0]" in drawn
    assert "Swift-only, 770M (published), short: 79.68" in drawn
    assert "later" not in drawn
    assert ">2 of 30 task types<" in drawn
    assert "Swift-only, 770M (published), all 30 types" in drawn


def test_a_row_that_another_sums_up_is_not_drawn_beside_it() -> None:
    whole = row("sum", 50).model_copy(update={"wanted": 0})
    part = row("part", 40).model_copy(update={"types": ("boil",)})
    drawn = chart_svg(table(rows=(whole, part)))
    assert "sum, all" in drawn
    assert "part, all" not in drawn


def test_points_of_two_lines_at_one_place_do_not_hide_each_other() -> None:
    other = row("flat", 52, 1e6).model_copy(update={"series": "flat"})
    drawn = chart_svg(table(chart=Chart.LINES, rows=(row("hierarchical", 60), other)))
    across = [float(x) for x in re.findall(r'circle cx="([\d.]+)"', drawn)]
    assert abs(across[1] - across[0]) == 7


def test_the_page_holds_the_chart_and_does_not_paint_over_its_colours(tmp_path: Path) -> None:
    files = write_table(table(), tmp_path)
    page = files.page.read_text()
    assert files.chart is not None
    assert files.chart.read_text() in page
    assert 'class="alone"' in page
    assert "svg:not(.alone) text" in page
    assert "<img" not in page


def test_lines_go_through_the_rows_of_a_series_from_left_to_right() -> None:
    drawn = chart_svg(table(chart=Chart.LINES))
    points = re.findall(r'points="([^"]+)"', drawn)
    assert len(points) == 1
    across = [float(point.split(",")[0]) for point in points[0].split()]
    assert across == sorted(across)
    assert len(across) == 2
    assert ">5M<" in drawn


def test_there_is_no_chart_where_there_are_no_figures() -> None:
    for chart in Chart:
        assert chart_svg(table(chart=chart, rows=(row("later", None),))) == ""


def test_a_table_of_costs_names_the_source_of_the_published_tokens() -> None:
    said = " ".join(as_text(table(content=Content.LLM_COST)).split())
    assert "arXiv 2305.17390" in said
    assert "within the interval no episode is solved" in said


def test_a_published_figure_that_is_not_known_is_said() -> None:
    assert published("sub-goal-distillation").score("long") == 45.35
    with pytest.raises(ConfigInvalid, match="did you mean 'swift-only'"):
        published("swift-onyl")


def test_a_caution_stands_before_every_figure() -> None:
    shown = table(cautions=("flat: trained on 19 % of its budget",))
    for text in (as_text(shown), as_markdown(shown)):
        assert text.index("19 % of its budget") < text.index("60.0")
