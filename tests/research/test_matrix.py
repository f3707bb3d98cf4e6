"""What a matrix consists of: what tables share is there once, in the order of what it tells."""

from pathlib import Path
from typing import Any

import pytest

from research.tables.cast import Play, Training, play_of
from research.tables.catalogue import Catalogue
from research.tables.matrix import Place, Sized, jobs
from research.tables.table import Table
from subgoal.agents.config import AgentName
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from tiny_tables import BASE, OVERALL, TABLES, sized, written


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return written(tmp_path / "tables", BASE, TABLES)


@pytest.fixture
def overall(catalogue: Catalogue) -> Sized:
    return sized(catalogue, "overall")[0]


def training(overall: Sized, **changed: Any) -> Training:
    table = overall.table.model_copy(update={"train": changed})
    found = play_of(table, table.rows[0], overall.scale, 0).training
    assert found is not None
    return found


def test_what_tables_share_is_done_once_and_the_first_seed_of_all_comes_first(
    catalogue: Catalogue,
) -> None:
    todo = jobs(sized(catalogue))
    trainings = [job for job in todo if job.training is not None]
    assert len({job.training.digest for job in trainings if job.training}) == len(trainings) == 8
    assert [job.tables for job in trainings[:4]] == [
        ["overall", "disturbed"],
        ["overall", "held-out"],
        ["held-out"],
        ["held-out"],
    ]
    assert [job.training.seed for job in trainings if job.training] == [0] * 4 + [1] * 4
    assert [job.row for job in todo[:5]] == [
        "hierarchical", "hierarchical", "flat", "flat", "random",
    ]  # fmt: skip


def test_a_digest_is_of_what_decides_the_students_alone(overall: Sized) -> None:
    same = training(overall)
    assert training(overall, side_by_side=False).digest == same.digest
    default = training(overall, dataset={"min_confidence": 0.0})
    assert default.digest == same.digest
    assert training(overall, dataset={"min_confidence": 0.5}).digest != same.digest
    assert training(overall, training={"tokens": 4001}).digest != same.digest
    tokens = BASE["train"]["training"]["tokens"]
    assert same.tokens == training(overall, roles=["planner", "executor"]).tokens == tokens


def test_threads_do_not_decide_what_is_played() -> None:
    plain = Play(config=EvaluateConfig(agents=(AgentName.FLAT,)))
    threads = plain.config.model_copy(update={"threads": 3})
    assert plain.digest == Play(config=threads).digest


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dataset": {"contxt": 1}}, r"row 'hierarchical'.*did you mean 'context'"),
        ({"annotations": "nowhere.jsonl"}, "there is no file nowhere"),
        ({"roles": ["flat"]}, "trains nobody"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_table(
    overall: Sized, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        training(overall, **changed)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a"}, {"name": "a"}], "same name"),
        ([{"name": "a", "against": "b"}], "'a' names 'b', which is no row"),
    ],
)
def test_rows_name_rows(rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Table.model_validate({**OVERALL, "name": "x", "rows": rows})


def test_a_table_or_scale_that_is_not_there_is_said(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="did you mean 'overall'"):
        catalogue.tables(["overal"])
    with pytest.raises(ConfigInvalid, match="no scale 'big'"):
        catalogue.scale("big")
    with pytest.raises(ConfigInvalid, match="there are no tables"):
        Catalogue(tmp_path / "nowhere").tables()


def test_students_of_a_run_folder_play_wherever_nothing_of_its_own_is_trained(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    tables = [
        Sized(one.table, one.name, one.scale.model_copy(update={"run": tmp_path}))
        for one in sized(catalogue)
    ]
    todo = jobs(tables)
    assert all(job.training is None and job.play and job.play.run == tmp_path for job in todo)
    asked = {str(job.play.agent) for job in todo if job.play}
    assert {"hierarchical", "flat"} <= asked
    place = Place(tmp_path / "matrix")
    folders = {str(place.play(job.play).path) for job in todo if job.play}
    assert all(folder.startswith(str(tmp_path / "matrix" / "others")) for folder in folders)
    brief = todo[0].play
    assert brief is not None
    fewer = brief.config.model_copy(update={"per_type": brief.config.per_type + 1})
    other = brief.model_copy(update={"config": fewer})
    assert place.play(other).path != place.play(brief).path
    trained = {row.name for one in tables for row in one.table.rows if row.train or row.pool}
    assert trained
    assert not trained & {row.name for one in tables for row in one.rows}
