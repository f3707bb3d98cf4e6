"""Untrained students: what they write is varied nonsense, but always the same."""

from collections.abc import Sequence
from pathlib import Path

import torch

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import corpus, lexicon
from subgoal.datasets.rendering import RenderingName, Role, TextFormat
from subgoal.datasets.tokenizer import Mark, MarkTokenizer
from subgoal.training.checkpoint import Student, StudentCard, save_student
from subgoal.training.student import StudentConfig, make_student


def untrained_students(folder: Path, annotated: Sequence[AnnotatedTrajectory]) -> None:
    """Write a student in both roles and a flat one into a folder."""
    tokenizer = MarkTokenizer.train(corpus(annotated), 400)
    torch.manual_seed(0)
    for role in (Role.BOTH, Role.FLAT):
        model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, 0, 0.2)
        card = StudentCard(
            role=role,
            form=TextFormat(rendering=RenderingName.FOLDED, context=512, turn=12),
            data="",
            parameters=0,
            tokens=0,
            loss=0.0,
            dev_loss=None,
            seconds=0.0,
            seed=0,
            trained_on=(),
            lexicon=lexicon(annotated, tokenizer),
        )
        save_student(folder / role, Student(model.eval(), tokenizer, card))
