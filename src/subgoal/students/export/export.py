"""A student in another form: a clean folder, one GGUF file, or a folder for CTranslate2."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import torch

from subgoal.errors import ConfigInvalid
from subgoal.plain_text import changed_texts, named
from subgoal.storage.digests import write_digests
from subgoal.storage.temporary import temporary_folder
from subgoal.storage.whole_folder import check_free, write_folder
from subgoal.students.export.ctranslate2 import write_ctranslate2
from subgoal.students.export.gguf import write_gguf
from subgoal.students.export.quantization import Quantization
from subgoal.students.folder import load_student, save_student


class Form(StrEnum):
    """The form of an exported student."""

    FOLDER = "folder"
    """A folder that plain transformers loads."""
    GGUF = "gguf"
    """One file for llama.cpp and what is built on it; Llama-type students."""
    CTRANSLATE2 = "ctranslate2"
    """A folder for CTranslate2; Llama-type and T5 students."""


def export_student(student: Path, form: Form, out: Path, quantization: Quantization) -> None:
    """Write a student in another form.

    Args:
        student: The student's folder.
        form: What to write.
        out: Where; nothing may lie there yet.
        quantization: The numbers of its weights.

    Raises:
        StudentInvalid: The student's folder is missing or damaged.
        ExportFailed: Something lies at `out`, the student has no such form, or a package is
            missing.
    """
    check_free(out)
    if form is Form.FOLDER and quantization is Quantization.INT8:
        raise ConfigInvalid("a folder has no int8 weights; choose --quantization bfloat16")
    out.parent.mkdir(parents=True, exist_ok=True)
    if form is Form.FOLDER:
        _write_plain(student, out, getattr(torch, quantization))
        return
    with temporary_folder("export") as place:
        plain = Path(place) / student.name
        _write_plain(student, plain, torch.float32)
        if form is Form.GGUF:
            write_gguf(plain, out, quantization)
        else:
            write_folder(out, lambda folder: _write_ctranslate2(plain, folder, quantization))


def _write_ctranslate2(plain: Path, folder: Path, quantization: Quantization) -> None:
    write_ctranslate2(plain, folder, quantization)
    write_digests(folder)


def _write_plain(student: Path, out: Path, dtype: torch.dtype) -> None:
    loaded = load_student(student)
    torch.nn.Module.to(loaded.model, dtype)
    # where anything lies on this machine is nobody's business
    config = changed_texts(loaded.card.config, named)
    card = loaded.card.model_copy(update={"base": named(loaded.card.base), "config": config})
    save_student(out, replace(loaded, card=card))
