"""Student folders: what training leaves behind and agents load.

    students/both/
      model.safetensors, config.json   plain transformers loads them
      tokenizer.json                   plain tokenizers loads it
      student.json                     the card: role, rendering, what it was trained on
      README.md                        the same for people and for the hub

A folder is written under a temporary name and renamed, so it is whole or not there.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from subgoal.datasets.rendering import Role, TextFormat
from subgoal.datasets.tokenizer import MarkTokenizer, StudentTokenizer
from subgoal.errors import StudentInvalid
from subgoal.record import Record
from subgoal.training.model_card import model_card

transformers_logging.disable_progress_bar()  # a bar for one small file says nothing

CARD = "student.json"
"""The file that makes a folder a student's."""


class StudentCard(Record):
    """What a student was trained for and on."""

    role: Role
    """What it does."""
    form: TextFormat
    """The text format it reads."""
    data: str
    """Digest of the annotations it was trained on."""
    parameters: int
    """Number of weights."""
    tokens: int
    """Tokens it was trained on."""
    loss: float
    """Mean training loss over the last log interval, nats a learned token."""
    dev_loss: float | None
    """Loss on held-out paths; None where none were held out."""
    seconds: float
    """Training time."""
    seed: int
    """Seed of the order of batches."""
    trained_on: tuple[str, ...]
    """Keys of the tasks it was trained on; none of them may be played in an evaluation."""
    teachers: dict[str, int] = {}
    """How many of its paths each teacher annotated; `transfer` for those carried over."""
    base: str = ""
    """The model whose weights it began with; empty where it was made from scratch."""
    config: dict[str, Any] = {}
    """The configuration that it was made by, for people to read."""


@dataclass(frozen=True)
class Student:
    """A trained model with all that is needed to play."""

    model: LlamaForCausalLM
    tokenizer: StudentTokenizer
    card: StudentCard


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then put it in place of the old one."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    old = folder.with_name(f".{folder.name}.old")
    for remains in (temporary, old):
        shutil.rmtree(remains, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
    except BaseException:
        shutil.rmtree(temporary)
        raise
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def save_student(folder: Path, student: Student) -> None:
    """Write a student's folder; plain transformers can load the model from it."""

    def fill(place: Path) -> None:
        student.model.save_pretrained(place)
        student.tokenizer.save(place)
        (place / CARD).write_text(student.card.model_dump_json(indent=2) + "\n")
        text = model_card(student.card, student.model.config)
        (place / "README.md").write_text(text, encoding="utf-8")

    write_folder(folder, fill)


def load_student(folder: Path, role: Role | None = None) -> Student:
    """Load a student.

    Args:
        folder: Where `save_student` wrote it.
        role: What it must have been trained for; None: anything.

    Raises:
        StudentInvalid: The folder is missing or damaged, its parts do not fit each other, or it
            was trained for another role.
    """
    for name in (CARD, "config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise StudentInvalid(f"{folder} is no student's folder: {name} is missing; train it")
    try:
        card = StudentCard.model_validate_json((folder / CARD).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{CARD}, {where}: {first['msg']}"
        raise StudentInvalid(f"{folder} is damaged ({reason}); train it again") from error
    if role is not None and card.role is not role:
        raise StudentInvalid(f"{folder} holds a student trained as {card.role}, not {role}")
    model = _load_model(folder)
    tokenizer = MarkTokenizer.load(folder)
    if tokenizer.size != model.config.vocab_size:
        raise StudentInvalid(
            f"{folder}: the tokenizer has {tokenizer.size} tokens but the model "
            f"{model.config.vocab_size}; they are of different students"
        )
    return Student(model, tokenizer, card)


def _load_model(folder: Path) -> LlamaForCausalLM:
    try:
        model, report = cast(
            "tuple[LlamaForCausalLM, dict[str, Any]]",
            AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            ),
        )
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StudentInvalid(f"{folder} is damaged ({reason}); train it again") from error
    wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if wrong:
        raise StudentInvalid(
            f"{folder} is damaged (model.safetensors has no fitting {wrong[0]}); train it again"
        )
    return model.eval()
