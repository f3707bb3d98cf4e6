"""The matrix at work on the tiny world: real students, each trained once."""

import fcntl
from pathlib import Path

import pytest

from research.tables.cast import play_of
from research.tables.catalogue import Catalogue
from research.tables.cost import row_costs
from research.tables.figures import figures
from research.tables.grids import grids
from research.tables.matrix import Place, jobs
from research.tables.work import MatrixIncomplete, Work
from subgoal.students.folder import read_card
from tiny_tables import BASE, DISTURBED, HEAD, OVERALL, sized, written

EXACT = {**OVERALL, "title": "Exact", "order": 3, "content": "exact_match"}
COST = {**HEAD, "title": "Cost", "order": 4, "content": "llm_cost", "rows": [{"name": "taught"}]}
ONE_SEED = BASE | {"seeds": [0]}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    tables = {"overall": OVERALL, "disturbed": DISTURBED, "exact": EXACT, "cost": COST}
    return written(tmp_path_factory.mktemp("tables") / "t", ONE_SEED, tables)


@pytest.fixture(scope="module")
def place(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("matrix"))
    Work(place, worlds=1).do(jobs(sized(catalogue)))
    return place


def test_everything_is_done_and_a_second_call_does_nothing_again(
    catalogue: Catalogue, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    todo = jobs(sized(catalogue))
    assert all(map(place.done, todo))
    assert len(list(place.folder.glob("runs/*/students/*/model.safetensors"))) == 2
    before = {file: file.stat().st_mtime_ns for file in place.folder.rglob("*") if file.is_file()}
    Work(place, worlds=1).do(todo)
    after = {file: file.stat().st_mtime_ns for file in place.folder.rglob("*") if file.is_file()}
    assert after == before
    assert capfd.readouterr().err == ""


def test_random_subgoals_are_drawn_from_what_the_student_was_trained_on(place: Place) -> None:
    (manifest,) = place.folder.glob("runs/*/plays/*/evaluate-test-random_subgoals.stage.json")
    assert '"annotations"' in manifest.read_text()
    episodes = manifest.parent / "evaluation" / "test" / "random_subgoals.jsonl.zst"
    assert episodes.stat().st_size > 0


def test_exact_match_is_taken_of_students_that_are_there(
    catalogue: Catalogue, place: Place
) -> None:
    table = figures(sized(catalogue, "exact"), place, "")
    assert (table.done, table.wanted) == (2, 2)
    match = table.rows[0].match
    assert match is not None
    assert match.overall.actions.asked > 0
    assert match.trained_on > match.overall.paths
    title, differences, _ = grids(table)
    assert title.head == ("agent", "actions", "sub-goals", "ends", "paths")
    assert differences.head[0] == "paired, same paths"
    (one,) = differences.rows
    assert one[0] == "hierarchical - flat"
    difference = table.rows[0].difference("all")
    assert difference is not None
    assert difference.episodes == match.overall.paths
    assert difference.difference.low <= difference.difference.mean <= difference.difference.high
    assert title.rows[1][2:4] == ("", "")  # the flat agent has no sub-goals


def test_exact_matches_on_other_held_out_paths_are_not_compared(
    catalogue: Catalogue, place: Place, tmp_path: Path
) -> None:
    rows = [EXACT["rows"][0], EXACT["rows"][1] | {"train": {"dataset": {"dev_share": 0.5}}}]
    other = written(tmp_path / "t", ONE_SEED, {"exact": EXACT | {"rows": rows}})
    Work(place, worlds=1).do(jobs(sized(other)))
    first = figures(sized(other), place, "").rows[0]
    assert first.differences == ()
    assert "train.dataset.dev_share" in first.not_compared


def test_a_row_costs_what_the_teacher_took(catalogue: Catalogue, place: Place) -> None:
    cost = sized(catalogue, "cost")[0]
    (one,) = row_costs(cost, place)
    assert (one.name, one.cost.teacher.paths) == ("taught", 12)
    laid = grids(figures([cost], place, ""), [one])
    assert [grid.rows[0][0] for grid in laid[1:4]] == ["12", "tokens a solved episode", "SayCan"]
    assert row_costs(sized(catalogue, "overall")[0], Place(place.folder / "nothing")) == []


def test_a_job_that_fails_leaves_the_others_their_turn(place: Place, tmp_path: Path) -> None:
    rows = [{"name": "x", "train": {"dataset": {"context": 8}}}, {"name": "y", "agent": "flat"}]
    catalogue = written(tmp_path / "t", ONE_SEED, {"one": OVERALL | {"rows": rows}})
    todo = jobs(sized(catalogue))
    with pytest.raises(MatrixIncomplete, match=r"2 of 4 jobs failed, first train both \(x\)"):
        Work(place, worlds=1).do(todo)  # the flat student is there already
    assert [place.done(job) for job in todo] == [False, False, True, True]


def test_what_another_process_does_is_left_to_it_and_what_builds_on_it_waits(
    catalogue: Catalogue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    todo, place = jobs(sized(catalogue, "overall")), Place(tmp_path)
    training = todo[0].training
    assert training is not None
    folder = place.training(training).path
    folder.mkdir(parents=True)
    done_meanwhile: list[bool] = []
    with (folder / ".train-both.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def wait(_: float) -> None:  # nothing is left but what the other one does
            done_meanwhile.extend(map(place.done, todo))
            fcntl.flock(lock, fcntl.LOCK_UN)

        monkeypatch.setattr("research.tables.work.sleep", wait)
        Work(place, worlds=1).do(todo)
    assert done_meanwhile == [False, False, True, True]
    assert all(map(place.done, todo))
    assert capfd.readouterr().err.count("left to the process that is doing it") == 1


def test_students_of_another_folder_and_agents_that_are_ready_play_too(
    catalogue: Catalogue, place: Place, released: Path, tmp_path: Path
) -> None:
    overall = sized(catalogue, "overall")[0]
    play = play_of(overall.table, overall.table.by_name["flat"], overall.scale, 0)
    assert play.training is not None
    rows = [
        {"name": "there", "agent": "flat", "against": "ready"}
        | {"run": str(place.training(play.training).path)},
        {"name": "ready", "released": str(released)},
    ]
    other = written(tmp_path / "t", BASE, {"one": {**HEAD, "title": "?", "order": 1, "rows": rows}})
    todo = jobs(sized(other))
    assert [job.training for job in todo] == [None, None]
    mine = Place(tmp_path / "matrix")
    Work(mine, worlds=1).do(todo)
    table = figures(sized(other), mine, "")
    assert (table.done, table.wanted) == (2, 2)
    assert table.rows[0].differences
    assert table.rows[1].students[0].parameters > 100_000


def test_a_row_may_have_fewer_of_the_teachers_annotations(tmp_path: Path) -> None:
    few = {"name": "few", "train": {"teacher": {"per_type": 1}}}
    catalogue = written(
        tmp_path / "t", ONE_SEED, {"few": {**HEAD, "title": "Few", "order": 9, "rows": [few]}}
    )
    place = Place(tmp_path / "matrix")
    Work(place, worlds=1).do([job for job in jobs(sized(catalogue)) if job.training])
    (card,) = (
        read_card(card.parent) for card in place.folder.glob("runs/*/students/*/student.json")
    )
    assert card.teachers["transfer"] >= 6
