"""A student's card: what it was trained for and on, read without loading the student."""

from pathlib import Path
from typing import Any

from pydantic import Field

from subgoal.errors import StudentInvalid
from subgoal.plain_text import read_record
from subgoal.record import Record, removed
from subgoal.storage.digests import check_digests
from subgoal.students.ending import Ending, TrainingExtent
from subgoal.students.model_files import INDEX, WEIGHTS, weights_files
from subgoal.text.format import Role, TextFormat

CARD = "student.json"
"""The file that makes a folder a student's."""
REMEDY = "get it again, or train it again"
"""What to do about a damaged student."""


class StudentCard(Record):
    """What a student was trained for and on."""

    role: Role
    """What it does."""
    form: TextFormat
    """The text format it reads."""
    data: str
    """Digest of the annotations it was trained on."""
    parameters: int = Field(ge=0)
    """Number of weights."""
    tokens: int = Field(ge=0)
    """Tokens it was trained on."""
    loss: float
    """Mean training loss over the last log interval, nats a learned token."""
    dev_loss: float | None
    """Loss on held-out paths; None where none were held out."""
    seconds: float = Field(ge=0)
    """Training time."""
    seed: int
    """Seed of the order of batches."""
    trained_on: tuple[str, ...]
    """Keys of the tasks it was trained on; none of them may be played in an evaluation."""
    teachers: dict[str, int] = {}
    """How many of its paths each teacher annotated; `transfer` for those carried over."""
    unwritable: tuple[str, ...] = ()
    """Characters of its sub-goals and actions that its tokenizer has no tokens for."""
    ending: Ending | None = None
    """What ended its training; None: the card is older than this field."""
    share: float | None = None
    """Share of its budget of tokens or epochs; None: time was the only budget, or not known."""
    base: str = ""
    """The model whose weights it began with; empty where it was made from scratch."""
    base_tokens: int = Field(default=0, ge=0)
    """Tokens that this model, where it is a student, had been trained on, in all its parts."""
    vocabulary: int = Field(default=0, ge=0)
    """Number of tokens of its tokenizer; 0: as many as its model has rows."""
    config: dict[str, Any] = {}
    """The configuration that it was made by, for people to read."""
    _removed = removed(lexicon=None)

    @property
    def extent(self) -> TrainingExtent:
        """How much it was trained, of how much was asked for."""
        return TrainingExtent(
            tokens=self.base_tokens + self.tokens, share=self.share, ending=self.ending
        )


def read_card(folder: Path, role: Role | None = None) -> StudentCard:
    """Read a student's card.

    Args:
        folder: Where `save_student` wrote it.
        role: What it must have been trained for; None: anything.

    Raises:
        StudentInvalid: It is missing or damaged, or the student was trained for another role.
    """
    needed(folder, CARD)
    check_digests(folder, StudentInvalid, REMEDY, (CARD,))
    card = read_record(folder / CARD, StudentCard, StudentInvalid, "train it again")
    if role is not None and card.role is not role:
        raise StudentInvalid(f"{folder} holds a student trained as {card.role}, not {role}")
    return card


def needed(folder: Path, name: str) -> Path:
    """Return a file of a student's folder.

    Raises:
        StudentInvalid: It is missing.
    """
    if not (folder / name).is_file():
        raise StudentInvalid(f"{folder} is no student's folder: {name} is missing; train it")
    return folder / name


def weights_file(folder: Path) -> Path:
    """Return the file of a student's weights, or the index of its shards.

    Raises:
        StudentInvalid: It is missing, or a shard is.
    """
    for file in weights_files(folder):
        needed(folder, str(file.relative_to(folder)))
    return folder / (INDEX if (folder / INDEX).is_file() else WEIGHTS)
