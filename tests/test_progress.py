"""Progress: plain lines, rows of a board, and updates for another process."""

import io
import json
import time

import pytest
from rich.console import Console

from subgoal import progress
from subgoal.errors import EnvironmentFailed
from subgoal.progress import Board, Progress, Update, clock, kept_in, tell_loading
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder


class _Clock:
    """The `time` of one module: a clock that all modules shared would stop other threads' loops."""

    def __init__(self, now):
        self._now = now

    def monotonic(self):
        return self._now[0]

    def time(self):
        return time.time()


class Nothing(Record):
    """A configuration without a setting."""


@pytest.fixture
def shown(monkeypatch):
    """What is printed, without a terminal."""
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=False, width=200))
    return text


def update(label, done, **more):
    return Update(label=label, total=10, unit="paths", done=done, **more)


def test_a_line_says_rate_and_time_left():
    line = str(update("collect", 4, rate=2.0, seconds=62, note="loss 1.2"))
    assert line == "collect: 4/10 paths, 2.0/s, 1:02 elapsed, 0:03 left; loss 1.2"
    assert str(update("collect", 0)) == "collect: 0/10 paths, 0.0/s, 0:00 elapsed, 0:00 left"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.4, "1:01"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_without_a_terminal_there_are_few_lines(shown):
    with Progress("collect", 1000, "paths") as work:
        for _ in range(1000):
            work.advance()
    (line,) = shown.getvalue().splitlines()
    assert line.startswith("collect: 1,000/1,000 paths, ")


def test_pieces_side_by_side_have_a_line_each(shown, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "time", _Clock(now))
    with Board() as board:
        for second in range(25):
            now[0] = float(second)
            board.show(update("planner", second, seconds=second))
            board.show(update("executor", second, seconds=second))
        board.show(update("planner", 25, seconds=25, ended=True))
    lines = shown.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["planner", "executor"] * 2 + ["planner"]


def test_on_a_terminal_each_piece_has_a_row(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=True, width=120))
    with Board() as board:
        board.show(update("planner", 3, rate=1.5, note="loss 0.5"))
        board.show(update("executor", 10))
    assert "planner" in text.getvalue()
    assert "1.5 paths/s" in text.getvalue()
    assert "10/10" in text.getvalue()


def test_updates_go_to_another_process(shown, monkeypatch):
    told = []
    monkeypatch.setattr(progress, "_receiver", told.append)
    with Progress("train both", 100, "tokens", 10) as work:
        for _ in range(90):
            work.advance(1, "loss 1")
    assert shown.getvalue() == ""
    assert told[0].done == 10
    assert (told[-1].done, told[-1].ended, told[-1].note) == (100, True, "loss 1")
    assert len(told) < 10


def test_time_left_ends_with_the_first_of_amount_and_clock():
    assert update("train", 2, rate=1.0).left == 8
    assert update("train", 2, rate=1.0, ends=5.0).left == 5
    assert update("train", 2, rate=1.0, ends=50.0).left == 8
    assert update("train", 0, ends=5.0).left == 5
    assert update("train", 12, rate=1.0).left == 0
    assert "0:05 left" in str(update("train", 2, rate=1.0, ends=5.0))


def test_a_clock_runs_on_between_updates(shown, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "time", _Clock(now))
    with Progress("train", 1000, "tokens") as work:
        work.advance(1, ends=60.0)
        now[0] = 20.0
        work.advance(1)
    assert "0:40 left" in shown.getvalue().splitlines()[0]


def test_whoever_watches_from_elsewhere_reads_a_file(tmp_path, shown, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "time", _Clock(now))
    place = tmp_path / "progress.json"

    def work():
        return {one["label"]: one for one in json.loads(place.read_text())["work"]}

    with kept_in(place):
        with Progress("round 1", 10, "episodes") as first:
            now[0] += 2
            first.advance(4, note="score 3")
            assert (work()["round 1"]["done"], work()["round 1"]["left"]) == (4, 3)
        assert work()["round 1"]["ended"]
        with Progress("round 2", 10, "episodes"):
            assert list(work()) == ["round 2"]
    assert not list(tmp_path.iterdir())


def test_a_stage_that_stops_leaves_how_far_it_came(tmp_path, shown):
    folder = RunFolder(tmp_path)

    def stop():
        with folder.stage("collect", Nothing()), Progress("collect", 10, "paths") as work:
            work.advance(3)
            raise EnvironmentFailed("the world is gone")

    with pytest.raises(EnvironmentFailed):
        stop()
    left = json.loads((tmp_path / ".collect.progress.json").read_text())
    assert left["work"][0]["done"] == 3
    with folder.stage("collect", Nothing()) as stage:
        stage.finish({})
    assert not (tmp_path / ".collect.progress.json").exists()


def test_things_are_counted_when_the_next_is_asked_for(shown):
    with Progress("texts", 3, "paths") as work:
        assert list(work.over("abc")) == ["a", "b", "c"]
    assert "3/3 paths" in shown.getvalue()


def test_who_waits_for_a_package_is_told_so(capfd):
    tell_loading("a_package_that_is_not_imported")
    assert "a_package_that_is_not_imported" in capfd.readouterr().err
    tell_loading("json")
    assert not capfd.readouterr().err
