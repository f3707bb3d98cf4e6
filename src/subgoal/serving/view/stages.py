"""How far the stages of run folders have come, and what training has come to so far.

All of it is read from files that the stages write while they are at work, so the page may be served
by another process than the one that trains, and is right after a kill, too.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from subgoal.errors import RunFolderInvalid, SubgoalError
from subgoal.record import Record
from subgoal.report.charts import LineChart, loss_chart, score_chart
from subgoal.report.curves import Curve, CurveKind, curve, thinned, training_curves
from subgoal.report.html import line_labels
from subgoal.self_training.reinforce import rounds_journal
from subgoal.storage.manifest import StageManifest, StageState
from subgoal.storage.run_folder import RunFolder

T = TypeVar("T")

_MOST_BYTES = 1_000_000
"""Of a progress file; a larger one was not written here."""


class Standing(StrEnum):
    """Where a stage stands."""

    RUNNING = "running"
    """A process is at work on it."""
    COMPLETE = "complete"
    """All that it writes is there."""
    INTERRUPTED = "interrupted"
    """It has begun and nobody is at work on it; the same command goes on."""
    LOST = "lost a file"
    """It was complete, and a file that it wrote is gone."""


class _Piece(Record):
    """A piece of work, as `progress.kept_in` has it in its file."""

    model_config = {"extra": "ignore"}

    label: str
    total: float
    unit: str
    done: float
    rate: float = 0.0
    left: float = 0.0
    note: str = ""


class _ProgressFile(Record):
    model_config = {"extra": "ignore"}

    work: tuple[_Piece, ...] = ()


@dataclass(frozen=True)
class _Chart:
    """A chart with what it shows, in words.

    Attributes:
        title: What it shows.
        along: What stands on its axis: `tokens`, or `rounds`.
        figure: What its values are, such as `nats per token`.
        digits: After the point.
        curves: The curves.
        placed: Where they are drawn.
    """

    title: str
    along: str
    figure: str
    digits: int
    curves: Sequence[Curve]
    placed: LineChart

    def told(self) -> dict[str, Any]:
        """Return it as the page takes it: marks, and the same figures as a table."""
        known = [dict(one.points) for one in self.curves]
        places = thinned(sorted({x for points in known for x in points}))
        return {
            "title": self.title,
            "along": self.along,
            "figure": self.figure,
            **self.placed._asdict(),
            "lines": [line._asdict() for line in self.placed.lines],
            "labels": line_labels(self.placed),
            "head": [self.along, *(f"{one.name}, {one.kind}" for one in self.curves)],
            "rows": [
                [
                    f"{x:,.0f}",
                    *(f"{points[x]:.{self.digits}f}" if x in points else "" for points in known),
                ]
                for x in places
            ],
        }


class Stages:
    """The stages of run folders; safe to be asked from several threads.

    Args:
        folders: The run folders, by name.
    """

    def __init__(self, folders: Mapping[str, RunFolder]) -> None:
        self._folders = folders
        self._kept: dict[tuple[str, str], tuple[object, Any]] = {}
        self._lock = threading.Lock()

    def runs(self, _: Mapping[str, str]) -> dict[str, Any]:
        """Return the state of each run in a few words."""
        return {"runs": [self._outline(name) for name in self._folders]}

    def run(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        """Return how far a run's stages have come, with charts; None where there is no such run."""
        name = query.get("run", "")
        if name not in self._folders:
            return None
        notes: list[str] = []
        return {
            **self._outline(name),
            "stages": self._stages(self._folders[name]),
            "charts": [one.told() for one in self._charts(name, notes)],
            "notes": notes,
        }

    def _outline(self, name: str) -> dict[str, Any]:
        folder = self._folders[name]
        if not folder.path.is_dir():
            return {"run": name, "running": False, "state": "the folder is gone"}
        try:
            found = [(one.stage, _standing(folder, one)) for one in folder.manifests()]
        except RunFolderInvalid as error:
            return {"run": name, "running": False, "state": str(error)}
        said = [
            f"{', '.join(stages)} {standing}"
            for standing in (Standing.RUNNING, Standing.INTERRUPTED, Standing.LOST)
            for stages in [[stage for stage, one in found if one is standing]]
            if stages
        ]
        complete = sum(one is Standing.COMPLETE for _, one in found)
        said += (
            [f"{complete} {'stage' if complete == 1 else 'stages'} complete"] if complete else []
        )
        running = any(one is Standing.RUNNING for _, one in found)
        return {"run": name, "running": running, "state": "; ".join(said) or "no stage has begun"}

    def _stages(self, folder: RunFolder) -> list[dict[str, Any]]:
        try:
            manifests = folder.manifests()
        except RunFolderInvalid:  # the outline says so
            return []
        return [
            {
                "stage": one.stage,
                "standing": standing,
                "seconds": one.seconds,
                "work": [piece.model_dump() for piece in _work(folder, one.stage)],
            }
            for one in manifests
            for standing in [_standing(folder, one)]
        ]

    def _charts(self, name: str, notes: list[str]) -> Iterator[_Chart]:
        folder = self._folders[name]
        logs = sorted(folder.path.glob("training/*/log.jsonl*"))
        try:
            found = self._once(name, "training", logs, lambda: training_curves(folder))
            losses = found.losses if found else ()
            scores = found.scores if found else ()
        except SubgoalError as error:
            notes.append(str(error))
            losses = scores = ()
        yield from _charted("Loss", "tokens", "nats per learned token", losses, scores)
        yield from self._rounds(name, notes)

    def _rounds(self, name: str, notes: list[str]) -> Iterator[_Chart]:
        folder = self._folders[name]
        try:
            journal = rounds_journal(folder)
            lines = self._once(name, "rounds", [journal.path], lambda: list(journal)) or []
        except SubgoalError as error:
            notes.append(str(error))
            return
        seen = [(float(one.round), one) for one in lines]
        anchor = thinned([(at, one.anchor_loss) for at, one in seen if one.anchor_loss])
        played = thinned([(at, one.score) for at, one in seen])
        dev = [(at, one.dev) for at, one in seen if one.dev is not None]
        losses = curve("annotated paths", CurveKind.TRAINING, anchor)
        scores = [
            *curve("attempts", CurveKind.TRAINING, played),
            *curve("dev", CurveKind.VALIDATION, dev),
        ]
        title = "Reinforcement: loss"
        yield from _charted(title, "rounds", "nats per learned token", losses, scores)

    def _once(self, run: str, what: str, files: Sequence[Path], read: Callable[[], T]) -> T | None:
        """Return what is read from files, read again where one was written to; None without any."""
        stamp = [
            (file.name, found.st_ino, found.st_size, found.st_mtime_ns)
            for file in files
            if file.exists()
            for found in [file.stat()]
        ]
        if not stamp:
            return None
        with self._lock:
            if self._kept.get((run, what), (None, None))[0] != stamp:
                self._kept[run, what] = stamp, read()
            return self._kept[run, what][1]


def _charted(
    title: str, along: str, figure: str, losses: Sequence[Curve], scores: Sequence[Curve]
) -> Iterator[_Chart]:
    if placed := loss_chart(losses):
        yield _Chart(title, along, figure, 3, losses, placed)
    if placed := score_chart(scores):
        score = title.replace("loss", "score") if "loss" in title else "Score on dev"
        yield _Chart(score, along, "points of 100", 1, scores, placed)


def _standing(folder: RunFolder, manifest: StageManifest) -> Standing:
    if manifest.state is StageState.COMPLETE:
        return Standing.COMPLETE
    if folder.running(manifest.stage):
        return Standing.RUNNING
    return Standing.LOST if manifest.state is StageState.LOST else Standing.INTERRUPTED


def _work(folder: RunFolder, stage: str) -> Sequence[_Piece]:
    """Return the pieces of work of a stage that has not ended; none where its file is not ours."""
    try:
        file = folder / f".{stage}.progress.json"
        if file.stat().st_size > _MOST_BYTES:
            return ()
        return _ProgressFile.model_validate_json(file.read_bytes()).work
    except (OSError, ValueError, RunFolderInvalid):
        return ()
