"""`python -m research.tables`, as a user calls it; and the shipped tables."""

import subprocess
import sys
from pathlib import Path

import pytest

import subgoal.cli.main
from research.tables.__main__ import main
from research.tables.cast import play_of
from research.tables.catalogue import Catalogue
from research.tables.published import published
from tiny_tables import BASE, OVERALL, written

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "research/tables/configs").glob("*/base"))
assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_shipped_table_can_be_run_at_every_scale(folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    catalogue = Catalogue(folder)
    scales = [file.stem for file in (folder / "base").glob("*.toml")]
    tables = catalogue.tables()
    assert len({table.order for table in tables}) == len(tables)
    for table in tables:
        assert set(table.scales) <= set(scales)
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
    main(["run", "--configs", str(tables), "--run", str(run), "--dry-run"])
    said = " ".join(capfd.readouterr().out.split())
    assert "train both (hierarchical), seed 0" in said
    assert "4 trainings of 8,000 tokens, 4 plays" in said
    assert not run.exists()


def test_a_table_that_nothing_is_known_of_says_what_completes_it(tables, tmp_path, capfd):
    run = tmp_path / "matrix"
    main(["show", "--configs", str(tables), "--run", str(run)])
    said = " ".join(capfd.readouterr().out.split())
    assert "not complete: 0 of 4 cells" in said
    assert (
        f"python -m research.tables run overall --run {run} --scale tiny --configs {tables}" in said
    )
    for ending in ("html", "md", "json"):
        assert (run / "tables" / f"overall.{ending}").stat().st_size > 0


def test_a_table_that_is_not_there_is_said(tables, tmp_path, capfd):
    for verb in ("run", "show"):
        with pytest.raises(SystemExit) as stopped:
            main([verb, "overal", "--configs", str(tables), "--run", str(tmp_path / "m")])
        assert stopped.value.code == 2
        assert "did you mean 'overall'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["matrix", "--tables", "overall"], "python -m research.tables run"),
        (["report", "--table", "overall"], "python -m research.tables show"),
        (["report", "--run", "mine", "--table=all"], "python -m research.tables show"),
    ],
)
def test_an_old_call_names_the_new_command(old, new, capfd):
    with pytest.raises(SystemExit) as stopped:
        subgoal.cli.main.main(old)
    assert stopped.value.code == 2
    assert new in capfd.readouterr().err


def test_it_runs_from_a_clone_in_a_process_of_its_own(tmp_path):
    words = [sys.executable, "-m", "research.tables", "show", "overall", "--run", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "tables" / "overall.html").stat().st_size > 0
