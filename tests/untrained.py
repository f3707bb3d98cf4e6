"""Untrained students: what they write is varied nonsense, but always the same."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import corpus
from subgoal.students.build import make_student, make_t5
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, save_student
from subgoal.text.format import RenderingName, Role, TextFormat, Turns
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer, StudentTokenizer
from subgoal.text.tokenizers.words import WordTokenizer

TRANSCRIPT = TextFormat(rendering=RenderingName.FOLDED, context=512, turn=12)
WINDOW = TextFormat(rendering=RenderingName.WINDOW, context=512, turn=12, turns=Turns.WORDS)


def untrained_students(folder: Path, annotated: Sequence[AnnotatedTrajectory]) -> None:
    """Write a student in both roles and a flat one into a folder."""
    tokenizer = MarkTokenizer.train(corpus(annotated), 400)
    torch.manual_seed(0)
    for role in (Role.BOTH, Role.FLAT):
        model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, 0, 0.2)
        _save(folder / role, role, model, tokenizer, TRANSCRIPT)


def fresh_student(folder: Path, annotated: Sequence[AnnotatedTrajectory], form: TextFormat) -> None:
    """Write a flat student of two layers with fresh weights: small errors in it stay small.

    Args:
        folder: Where.
        annotated: What its tokenizer knows.
        form: Its text; windows are read by a T5, transcripts by a Llama.
    """
    pairs = form.turns is Turns.WORDS
    tokenizer = (WordTokenizer if pairs else MarkTokenizer).train(corpus(annotated), 400)
    config = StudentConfig(layers=2)
    model = (
        make_t5(config, tokenizer)
        if pairs
        else make_student(config, tokenizer.size, tokenizer.pad, 512)
    )
    _save(folder, Role.FLAT, model, tokenizer, form)


def _save(
    folder: Path,
    role: Role,
    model: PreTrainedModel,
    tokenizer: StudentTokenizer,
    form: TextFormat,
) -> None:
    card = StudentCard(
        role=role,
        form=form,
        data="",
        parameters=sum(weights.numel() for weights in model.parameters()),
        tokens=0,
        loss=0.0,
        dev_loss=None,
        seconds=0.0,
        seed=0,
        trained_on=(),
    )
    save_student(folder, Student(model.eval(), tokenizer, card))
