"""What a training has come to so far, as curves: loss, validation, score of dev episodes."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from subgoal.training.log import LogLine

T = TypeVar("T")

MOST_POINTS = 300
"""Points that a curve is thinned to."""


class CurveKind(StrEnum):
    """What a curve measures; told apart by more than its colour."""

    TRAINING = "training"
    """Of what is learned from."""
    VALIDATION = "validation"
    """Of what is held out."""


class Curve(Record):
    """A figure of one student over its training."""

    name: str
    """The student, such as `executor`."""
    kind: CurveKind
    """What it is measured on."""
    points: tuple[tuple[float, float], ...]
    """(tokens seen, or rounds; loss in nats per learned token, or score in points) in order."""


class TrainingCurves(Record):
    """The curves of a run folder's students."""

    losses: tuple[Curve, ...] = ()
    """Loss against tokens."""
    scores: tuple[Curve, ...] = ()
    """Score of dev episodes against tokens, where students played while they were trained."""


def training_curves(folder: RunFolder) -> TrainingCurves:
    """Read the training logs of a run folder, those that are being written too.

    Args:
        folder: The run folder.

    Raises:
        DataCorrupt: A log is damaged.
    """
    losses, scores = list[Curve](), list[Curve]()
    for name, lines in _logs(folder):
        seen = [(float(line.tokens), line) for line in lines]
        told = thinned([(tokens, line.loss) for tokens, line in seen])
        looks = [(tokens, one.dev_loss) for tokens, one in seen if one.dev_loss is not None]
        played = [(tokens, line.score) for tokens, line in seen if line.score is not None]
        losses += curve(name, CurveKind.TRAINING, told)
        losses += curve(name, CurveKind.VALIDATION, looks or _at_the_end(folder, name, told))
        scores += curve(name, CurveKind.VALIDATION, played)
    return TrainingCurves(losses=tuple(losses), scores=tuple(scores))


def curve(name: str, kind: CurveKind, points: Sequence[tuple[float, float]]) -> list[Curve]:
    """Return a curve; none where there are no points."""
    return [Curve(name=name, kind=kind, points=tuple(points))] if points else []


def thinned(points: Sequence[T]) -> list[T]:
    """Return at most about `MOST_POINTS` of some points, evenly, the last one with them."""
    stride = max(1, len(points) // MOST_POINTS)
    return [*points[:-1:stride], *points[-1:]]


def _logs(folder: RunFolder) -> Iterable[tuple[str, list["LogLine"]]]:
    for path in sorted((folder / "training").glob("*/log.jsonl*")):
        # Training needs torch, which only a run folder with students should cost.
        from subgoal.training.log import log

        lines = list(log(path.with_name("log.jsonl")).by_key().values())
        if lines:
            yield path.parent.name, lines


def _at_the_end(
    folder: RunFolder, name: str, told: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the loss on held-out texts that a student's card holds, where there is one."""
    from subgoal.students.card import CARD, read_card

    card = folder / "students" / name / CARD
    held_out = read_card(card.parent).dev_loss if card.is_file() else None
    return [] if held_out is None else [(told[-1][0], held_out)]
