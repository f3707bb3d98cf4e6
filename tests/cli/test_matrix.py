"""`subgoal matrix` and `subgoal report --table`, as a user calls them; and the shipped tables."""

from pathlib import Path

import pytest

from subgoal.cli.main import main
from subgoal.experiments.cast import play_of
from subgoal.experiments.catalogue import Catalogue
from subgoal.report.published import published
from tiny_tables import BASE, OVERALL, written

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "configs").glob("*/base"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_shipped_table_can_be_run_at_every_scale(folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    catalogue = Catalogue(folder)
    scales = [file.stem for file in (folder / "base").glob("*.toml")]
    tables = catalogue.tables()
    assert len({table.order for table in tables}) == len(tables)
    for table in tables:
        assert table.scale in scales
        for name in table.published:
            published(name)
        for scale in scales:
            for row in table.at_scale(scale):
                assert not row.against or table.by_name[row.against] in table.at_scale(scale)
                if not row.pool:
                    play_of(table, row, catalogue.scale(scale), 0)


@pytest.fixture
def tables(tmp_path):
    return written(tmp_path / "tables", BASE, {"overall": OVERALL}).folder


def test_a_dry_run_lists_what_is_to_be_done_and_does_nothing(tables, tmp_path, capfd):
    run = tmp_path / "matrix"
    main(["matrix", "--configs", str(tables), "--run", str(run), "--dry-run"])
    said = " ".join(capfd.readouterr().out.split())
    assert "train both (hierarchical), seed 0" in said
    assert "4 trainings of 8,000 tokens, 4 plays" in said
    assert not run.exists()


def test_a_table_that_nothing_is_known_of_says_what_completes_it(tables, tmp_path, capfd):
    run = tmp_path / "matrix"
    main(["report", "--table", "all", "--configs", str(tables), "--run", str(run)])
    said = " ".join(capfd.readouterr().out.split())
    assert "not complete: 0 of 4 cells" in said
    assert f"subgoal matrix --tables overall --run {run} --scale tiny --configs {tables}" in said
    for ending in ("html", "md", "json"):
        assert (run / "tables" / f"overall.{ending}").stat().st_size > 0


def test_a_table_that_is_not_there_is_said(tables, tmp_path, capfd):
    for verb in (["matrix", "--tables", "overal"], ["report", "--table", "overal"]):
        with pytest.raises(SystemExit) as stopped:
            main([*verb, "--configs", str(tables), "--run", str(tmp_path / "m")])
        assert stopped.value.code == 2
        assert "did you mean 'overall'" in capfd.readouterr().err
