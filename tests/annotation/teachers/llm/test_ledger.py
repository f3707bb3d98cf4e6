"""Every request and every reply is on the disk, whatever happens."""

import sqlite3
from pathlib import Path

import pytest

from subgoal.annotation.teachers.llm.ledger import (
    AttemptState,
    Expected,
    Foreseen,
    Ledger,
    Reply,
    Request,
)
from subgoal.errors import TeacherFailed


def request(key: str = "k") -> Request:
    expected = Expected(input_tokens=100, output_tokens=10, cost=0.5)
    return Request(key=key, task="errand/fetch/0", model="m", messages="[]", expected=expected)


REPLY = Reply(text="[]", input_tokens=90, output_tokens=20, cost=0.25, finish="stop")


def test_a_reply_is_found_by_every_run(tmp_path: Path):
    with Ledger(tmp_path / "l.sqlite", "one") as ledger:
        assert ledger.find("k") is None
        ledger.answered(ledger.begin(request()), REPLY)
    with Ledger(tmp_path / "l.sqlite", "two") as ledger:
        assert ledger.find("k") == REPLY
        assert ledger.totals().calls == 0


def test_totals_hold_what_was_used_and_what_may_be_charged(tmp_path: Path):
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        ledger.answered(ledger.begin(request("a")), REPLY)
        ledger.failed(ledger.begin(request("b")), AttemptState.REFUSED, "busy")
        ledger.failed(ledger.begin(request("b")), AttemptState.LOST, "timeout")
        ledger.begin(request("c"))
        totals = ledger.totals()
        reserved = [ledger.reserved(longest) for longest in (0, 10, 11, 5000)]
    assert (totals.calls, totals.answered, totals.refused, totals.lost) == (3, 1, 1, 1)
    assert (totals.input_tokens, totals.output_tokens, totals.cost) == (90, 20, 0.25)
    assert totals.longest_output == 20
    assert reserved == [(200, 20), (200, 20), (200, 22), (200, 10_000)]


def test_what_was_expected_is_one_question_a_path_as_a_dry_run_has_it(tmp_path: Path):
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        assert ledger.foreseen() == Foreseen()
        ledger.failed(ledger.begin(request("a")), AttemptState.LOST, "timeout")
        for key in ("a", "asked again", "a segment"):
            ledger.answered(ledger.begin(request(key)), REPLY)
        other = request("b").model_copy(update={"task": "errand/fetch/1"})
        ledger.answered(ledger.begin(other), REPLY)
        assert ledger.foreseen() == Foreseen(
            expected_calls=2, expected_input=200, expected_output=20, expected_cost=1.0
        )


def test_what_was_under_way_is_lost_after_an_interruption(tmp_path: Path):
    ledger = Ledger(tmp_path / "l.sqlite", "run")
    ledger.begin(request())
    ledger.begin_batch("part", [request("b")])
    with Ledger(tmp_path / "l.sqlite", "another") as other:
        assert other.totals().calls == 0  # another run's requests are left alone
    assert ledger.totals().lost == 0
    with Ledger(tmp_path / "l.sqlite", "run") as again:
        assert again.totals().lost == 1
        assert again.open_batches() == [("part", "")]  # a batch goes on without us
        [(number, left)] = again.batch_attempts("part").items()
        assert left == request("b")
        again.batch_submitted("part", "batch-7")
        assert again.open_batches() == [("part", "batch-7")]
        again.answered(number, REPLY)
        again.batch_closed("part", AttemptState.LOST, "over")
        assert again.open_batches() == []
        assert again.totals().answered == 1
    ledger.close()


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    with pytest.raises(TeacherFailed, match=r"notes\.txt"):
        Ledger(file, "run")


@pytest.mark.parametrize(
    "odd",
    [{"reply": None}, {"reply": b"\xff"}, {"input_tokens": "x"}, {"cost": float("inf")}],
    ids=str,
)
def test_a_row_that_somebody_else_wrote_is_named(tmp_path: Path, odd: dict[str, object]):
    file = tmp_path / "l.sqlite"
    with Ledger(file, "run") as ledger:
        ledger.answered(ledger.begin(request()), REPLY)
        ((name, value),) = odd.items()
        ledger._base.execute(f"UPDATE attempts SET {name} = ?", (value,))
        with pytest.raises(TeacherFailed, match=r"l\.sqlite"):
            ledger.find("k")


def test_writes_reach_the_disk(tmp_path: Path):
    with Ledger(tmp_path / "l.sqlite", "run") as ledger:
        number = ledger.begin(request())
        other = sqlite3.connect(tmp_path / "l.sqlite")
        assert other.execute("SELECT state FROM attempts").fetchall() == [("sent",)]
        ledger.answered(number, REPLY)
        assert other.execute("SELECT state FROM attempts").fetchall() == [("answered",)]
        other.close()
        settings = [ledger._base.execute(f"PRAGMA {p}").fetchone()[0] for p in
                    ("journal_mode", "synchronous")]  # fmt: skip
        assert settings == ["wal", 2]
