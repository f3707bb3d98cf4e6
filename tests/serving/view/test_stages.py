"""How far stages have come, read from what they write while they are at work."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.self_training.reinforce import rounds_journal
from subgoal.self_training.round import RoundLine
from subgoal.serving.view.stages import Stages
from subgoal.storage.run_folder import RunFolder
from subgoal.training.log import LogLine, log

FOLDER = "training/both/log.jsonl"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each update is written, not one per second."""
    monkeypatch.setattr("subgoal.progress._FILE_SECONDS", 0)


def _told(folder: RunFolder) -> dict[str, Any]:
    found = Stages({"mine": folder}).run({"run": "mine"})
    assert found is not None
    json.dumps(found, allow_nan=False)  # what the page is sent
    return found


def _chart(found: dict[str, Any], title: str) -> dict[str, Any]:
    return next(one for one in found["charts"] if one["title"] == title)


def _log(folder: RunFolder, *lines: tuple[int, float, float | None, float | None]) -> None:
    with closing(log(folder / FOLDER)) as journal:
        for step, loss, dev, score in lines:
            journal.append(
                LogLine(step=step, tokens=100 * step, seconds=step, loss=loss, rate=0.1,
                        dev_loss=dev, score=score)
            )  # fmt: skip


def test_a_stage_at_work_tells_how_far_it_has_come(tmp_path: Path):
    folder = RunFolder(tmp_path)
    with folder.stage("collect", Record()) as stage, Progress("collect", 10, "paths") as work:
        work.advance(4, note="so far so good")
        found = _told(folder)
        assert found["running"]
        only = found["stages"][0]
        assert only["standing"] == "running"
        assert [only["work"][0][name] for name in ("label", "done", "total", "unit", "note")] == [
            "collect", 4, 10, "paths", "so far so good",
        ]  # fmt: skip
        assert only["work"][0]["left"] > 0
        stage.finish({})
    found = _told(folder)
    assert not found["running"]
    assert (found["stages"][0]["standing"], found["stages"][0]["work"]) == ("complete", [])


def test_a_stage_that_broke_off_is_not_at_work(tmp_path: Path):
    folder = RunFolder(tmp_path)

    def work() -> None:
        with folder.stage("collect", Record()), Progress("collect", 10, "paths") as progress:
            progress.advance(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    found = _told(folder)
    assert not found["running"]
    assert found["stages"][0]["standing"] == "interrupted"
    assert found["stages"][0]["work"][0]["done"] == 3


def test_curves_grow_while_a_training_writes_its_log(tmp_path: Path):
    folder = RunFolder(tmp_path)
    stages = Stages({"mine": folder})
    _log(folder, (1, 4.0, None, None), (2, 2.0, 3.0, 10.0))

    def charts():
        told = stages.run({"run": "mine"})
        assert told is not None
        return told["charts"]

    assert len(charts()) == 2
    _log(folder, (3, 1.0, None, None), (4, 0.5, 2.5, 40.0))
    with (folder / FOLDER).open("a") as torn:
        torn.write('{"step": 5, "tok')
    found = {one["title"]: one for one in charts()}
    loss = found["Loss"]
    assert loss["head"] == ["tokens", "both, training", "both, validation"]
    assert loss["rows"] == [
        ["100", "4.000", ""], ["200", "2.000", "3.000"],
        ["300", "1.000", ""], ["400", "0.500", "2.500"],
    ]  # fmt: skip
    assert [line["kind"] for line in loss["lines"]] == ["training", "validation"]
    assert [len(line["dots"]) for line in loss["lines"]] == [1, 2]
    assert found["Score on dev"]["rows"] == [["200", "10.0"], ["400", "40.0"]]


def test_rounds_of_reinforcement_have_curves(tmp_path: Path):
    folder = RunFolder(tmp_path)
    with closing(rounds_journal(folder)) as journal:
        for number, dev in ((1, None), (2, 60.0)):
            journal.append(
                RoundLine(round=number, score=50.0 + number, solved=0.5, taught=1, updates=1,
                          loss=0, anchor_loss=0.2, seconds_played=1, seconds_learned=1, dev=dev)
            )  # fmt: skip
    chart = _chart(_told(folder), "Reinforcement: score")
    assert chart["rows"] == [["1", "51.0", ""], ["2", "52.0", "60.0"]]
    assert chart["along"] == "rounds"


@pytest.mark.parametrize("loss", [1e-300, 0.0, -3.0, 1e300])
def test_losses_far_out_are_drawn_at_the_edge(tmp_path: Path, loss: float):
    folder = RunFolder(tmp_path)
    _log(folder, (1, 1.0, None, None), (2, loss, None, None))
    _told(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"work": 7}', '{"work": [{"label": "x"}]}', '{"work": [{"done": NaN}]}']
)
def test_files_of_others_are_left_out(tmp_path: Path, text: str):
    folder = RunFolder(tmp_path)
    with folder.stage("collect", Record()):
        (tmp_path / ".collect.progress.json").write_text(text)
        assert _told(folder)["stages"][0]["work"] == []


def test_a_damaged_log_is_named_and_the_rest_is_shown(tmp_path: Path):
    folder = RunFolder(tmp_path)
    with folder.stage("collect", Record()) as stage:
        stage.finish({})
    _log(folder, (1, 1.0, None, None))
    (folder / FOLDER).write_text("something else\n")
    found = _told(folder)
    assert "log.jsonl" in found["notes"][0]
    assert found["stages"][0]["standing"] == "complete"


def test_a_folder_that_is_gone_or_damaged_says_so(tmp_path: Path):
    assert "gone" in _told(RunFolder(tmp_path / "gone"))["state"]
    (tmp_path / "collect.stage.json").write_text("{")
    assert "collect.stage.json" in _told(RunFolder(tmp_path))["state"]
    assert Stages({}).run({"run": "mine"}) is None
