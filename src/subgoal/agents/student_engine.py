"""A student opened on the engine that was asked for."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from subgoal.engines.base import Engine
from subgoal.engines.config import EngineConfig, EngineName, Precision, resolved
from subgoal.engines.ctranslate2 import ConvertedModel, CTranslate2Engine
from subgoal.engines.server import OpenAIEngine
from subgoal.engines.transformers import make_engine, threads_for
from subgoal.errors import EngineFailed, StudentInvalid
from subgoal.plain_text import read_text
from subgoal.storage.digests import check_digests, digest_of
from subgoal.storage.journal import file_digest
from subgoal.storage.run_folder import delete
from subgoal.students.card import CARD, StudentCard, read_card, weights_file
from subgoal.students.export.quantization import Quantization
from subgoal.students.folder import load_student, load_tokenizer
from subgoal.text.format import Role, Turns
from subgoal.text.tokenizers.marks import StudentTokenizer

CONVERTED = ".ctranslate2"
"""The folder beside the students' that keeps them in CTranslate2's form."""


@dataclass(frozen=True)
class OpenStudent:
    """A student that can be asked."""

    engine: Engine
    """What computes."""
    tokenizer: StudentTokenizer
    """Its tokenizer."""
    card: StudentCard
    """What it was trained for."""


def room(card: StudentCard) -> int:
    """Return the most tokens that a student's stream may hold.

    A text may go past its limit by one turn before it is reopened.
    """
    return 2 * card.form.context


def decided(folder: Path, role: Role, asked: EngineConfig) -> EngineConfig:
    """Return what a student will play on, nothing of it loaded yet.

    Args:
        folder: The student's folder.
        role: What it must have been trained for.
        asked: The configuration, which may leave things to be decided.

    Raises:
        StudentInvalid: The folder is missing or damaged.
        EngineFailed: The engine cannot be had.
    """
    found = resolved(asked, read_card(folder, role).form.turns is Turns.WORDS)
    return found.model_copy(update={"server": asked.server.of(role)})


def open_student(folder: Path, role: Role, engine: EngineConfig, threads: int = 0) -> OpenStudent:
    """Open a student.

    Args:
        folder: Its folder; for a student on a server, its card and tokenizer are enough.
        role: What it must have been trained for.
        engine: What it plays on, as `decided` returned it.
        threads: CPU threads; 0: one for each 16M parameters.

    Raises:
        StudentInvalid: The folder is missing or damaged.
        EngineFailed: The engine cannot serve this student.
        ExportFailed: The student has no form for CTranslate2.
    """
    if engine.engine is EngineName.TRANSFORMERS:
        return _on_transformers(folder, role, engine)
    card = read_card(folder, role)
    tokenizer = load_tokenizer(folder, card.form.turns)
    pairs = card.form.turns is Turns.WORDS
    if engine.engine is EngineName.OPENAI:
        served = OpenAIEngine(
            engine.server, room(card), tokenizer.size, tokenizer.words, grows=not pairs
        )
        served.check()
        return OpenStudent(served, tokenizer, card)
    model = ConvertedModel(
        converted(folder, engine.precision),
        engine.precision,
        engine.device,
        threads_for(card.parameters, threads),
    )
    return OpenStudent(CTranslate2Engine(model, _positions(folder, card)), tokenizer, card)


def _on_transformers(folder: Path, role: Role, engine: EngineConfig) -> OpenStudent:
    half = engine.precision is Precision.BFLOAT16
    dtype = torch.bfloat16 if half else torch.float32
    student = load_student(folder, role, dtype, to_play=True)
    made = make_engine(student.model, room(student.card), engine.device)
    return OpenStudent(made, student.tokenizer, student.card)


def _positions(folder: Path, card: StudentCard) -> int:
    """Return how many tokens a stream may hold; no more than the model has positions."""
    from subgoal.students.model_shape import checked_config

    places = getattr(checked_config(folder), "max_position_embeddings", None)
    return min(room(card), places or room(card))


def converted(student: Path, precision: Precision) -> Path:
    """Return a student in CTranslate2's form, converted once for each of its weights.

    It is kept beside the students' folders, or where nothing can be written there in a temporary
    folder.

    Args:
        student: The student's folder.
        precision: The numbers of its matrices.

    Raises:
        StudentInvalid: The folder is missing or damaged.
        ExportFailed: The student has no such form, or the package is missing.
    """
    from subgoal.students.export.export import Form, export_student

    weights = digest_of(
        [file_digest(weights_file(student)), read_text(student / CARD, StudentInvalid)]
    )
    name = f"{student.name}-{precision}"
    place = student.parent / CONVERTED / f"{name}-{weights}"
    if (place / "model.bin").is_file():
        check_digests(place, EngineFailed, "delete it, it is written again")
        return place
    for old in place.parent.glob(f"{name}-*"):
        with suppress(OSError):
            delete(old, student.parent)  # of weights that are gone
    try:
        place.parent.mkdir(exist_ok=True)
    except OSError:
        place = Path(tempfile.mkdtemp(prefix="subgoal-ctranslate2-")) / place.name
    export_student(student, Form.CTRANSLATE2, place, Quantization(precision.value))
    return place
