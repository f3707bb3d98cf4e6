"""What training writes: student folders, and checkpoints from which a killed run goes on.

Weights and optimizer state are safetensors, everything else JSON; nothing is pickled. A folder is
written under a temporary name and renamed, so it is whole or not there.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from subgoal.datasets.rendering import RenderingName, Role
from subgoal.datasets.tokenizer import StudentTokenizer
from subgoal.errors import StudentInvalid
from subgoal.record import Record

transformers_logging.disable_progress_bar()  # a bar for one small file says nothing

CARD = "student.json"
"""The file that makes a folder a student's."""


class StudentCard(Record):
    """What a student was trained for and on."""

    role: Role
    """What it does."""
    rendering: RenderingName
    """The text format it reads."""
    context: int
    """Most tokens of a text."""
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


@dataclass(frozen=True)
class Student:
    """A trained model with all that is needed to play."""

    model: LlamaForCausalLM
    tokenizer: StudentTokenizer
    card: StudentCard


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then put it in place of the old one."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    fill(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def save_student(folder: Path, student: Student) -> None:
    """Write a student's folder; plain transformers can load the model from it."""

    def fill(place: Path) -> None:
        student.model.save_pretrained(place)
        student.tokenizer.save(place / "tokenizer.json")
        (place / CARD).write_text(student.card.model_dump_json(indent=2) + "\n")

    write_folder(folder, fill)


def load_student(folder: Path) -> Student:
    """Load a student.

    Raises:
        StudentInvalid: The folder is missing or damaged, or its parts do not fit each other.
    """
    for name in (CARD, "config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise StudentInvalid(f"{folder} is no student's folder: {name} is missing; train it")
    try:
        card = StudentCard.model_validate_json((folder / CARD).read_bytes())
        model = LlamaForCausalLM.from_pretrained(folder, local_files_only=True)
    except (ValidationError, ValueError, OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise StudentInvalid(f"{folder} is damaged ({reason}); train it again") from error
    tokenizer = StudentTokenizer.load(folder / "tokenizer.json")
    if tokenizer.size != model.config.vocab_size:
        raise StudentInvalid(
            f"{folder}: the tokenizer has {tokenizer.size} tokens but the model "
            f"{model.config.vocab_size}; they are of different students"
        )
    return Student(model.eval(), tokenizer, card)


class Checkpoint(Record):
    """Where a training run stood."""

    epoch: int = 0
    """Epochs begun, from 0."""
    batch: int = 0
    """Batches of this epoch that are done."""
    step: int = 0
    """Optimizer steps done."""
    tokens: int = 0
    """Tokens seen."""
    seconds: float = 0.0
    """Training time."""


def save_checkpoint(
    folder: Path, at: Checkpoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write the weights, the optimizer's state and the position."""
    state: dict[str, Any] = optimizer.state_dict()["state"]
    tensors = {
        f"{number}.{name}": value.contiguous()
        for number, values in state.items()
        for name, value in values.items()
    }

    def fill(place: Path) -> None:
        weights = {name: w.contiguous() for name, w in model.named_parameters()}
        save_file(weights, place / "model.safetensors")
        save_file(tensors, place / "optimizer.safetensors")
        (place / "position.json").write_text(at.model_dump_json())

    write_folder(folder, fill)


def load_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Checkpoint:
    """Restore model and optimizer in place; return the position.

    Raises:
        StudentInvalid: The checkpoint is damaged.
    """
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        whole = optimizer.state_dict()
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in load_file(folder / "optimizer.safetensors").items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({**whole, "state": state})
        return Checkpoint.model_validate(json.loads((folder / "position.json").read_bytes()))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise StudentInvalid(
            f"the checkpoint {folder} is damaged ({error}); delete it to train from the beginning"
        ) from error
