"""A table of several worlds: what is left is done, and the worlds stand side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomli_w

from research.tables.__main__ import main
from research.tables.asked import asked
from research.tables.figures import GroupKind, TableFigures
from research.tables.matrix import Place, jobs
from research.tables.work import Work
from tiny_tables import BASE, written

TABLE: dict[str, Any] = {
    "title": "Worlds",
    "shows": "?",
    "order": 1,
    "chart": "lengths",
    "axis": "actions",
    "scales": ["near", "far"],
    "rows": [
        {"name": "hierarchical", "against": "flat", "series": "hierarchical - flat"},
        {"name": "flat", "agent": "flat"},
        {"name": "random", "agent": "random_action"},
        {"name": "oracle", "agent": "oracle", "scales": ["near"]},
    ],
}


def _world(kind: str, title: str) -> Mapping[str, Any]:
    collect = BASE["collect"] | {"types": [kind]}
    evaluate = BASE["evaluate"] | {"types": [kind], "per_type": 2}
    return BASE | {"title": title, "seeds": [0], "collect": collect, "evaluate": evaluate}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds")
    catalogue = written(folder / "tables", BASE, {"worlds": TABLE})
    for name, kind in {"near": "fetch", "far": "deliver-two"}.items():
        (catalogue.folder / "base" / f"{name}.toml").write_text(tomli_w.dumps(_world(kind, name)))
    run = folder / "matrix"
    todo = jobs(asked(run, catalogue.folder, "").tables())
    Work(Place(run), worlds=1).do(todo[:3])  # and then it was interrupted
    main(["run", "--configs", str(catalogue.folder), "--run", str(run), "--worlds", "1"])
    main(["show", "worlds", "--run", str(run)])
    return run


def _shown(run: Path) -> TableFigures:
    return TableFigures.model_validate_json((run / "tables/worlds.json").read_text())


def test_what_was_interrupted_is_completed_and_nothing_is_trained_twice(run: Path) -> None:
    table = _shown(run)
    assert (table.done, table.wanted) == (7, 7)
    assert len(list(run.glob("runs/*/students/*/model.safetensors"))) == 4
    assert len(list(run.glob("untrained/errand/plays/*/evaluate-test-random_action*"))) == 2


def test_a_row_stands_there_for_all_worlds_and_for_each(run: Path) -> None:
    rows = {row.name: row for row in _shown(run).rows}
    both, near, far = (
        rows[f"{name}"] for name in ("hierarchical", "hierarchical: near", "hierarchical: far")
    )
    assert (near.types, far.types, set(both.types)) == (
        ("fetch",),
        ("deliver-two",),
        {"fetch", "deliver-two"},
    )
    parts = [row.cells[0].score.mean for row in (near, far)]
    assert both.cells[0].score.mean == pytest.approx(sum(parts) / 2)
    assert far.against == "flat: far"
    assert far.differences
    assert {name for name in rows if name.startswith("oracle")} == {"oracle: near"}


def test_task_types_are_grouped_by_the_length_of_their_oracle_paths(run: Path) -> None:
    table = _shown(run)
    assert table.lengths["near"]["fetch"] < table.lengths["far"]["deliver-two"]
    assert table.groups(GroupKind.LENGTH)
    drawn = ElementTree.parse(run / "tables/worlds.svg").getroot()
    told = [one.text or "" for one in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any(one.startswith("fetch (") for one in told)
    assert "hierarchical - flat" in (run / "tables/worlds.md").read_text()
