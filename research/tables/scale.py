"""At which size a matrix is run: data, student, budget, protocol and seeds."""

from pathlib import Path

from pydantic import Field

from subgoal.annotation.config import AnnotateConfig
from subgoal.augmentation.config import AugmentConfig
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Record
from subgoal.training.config import TrainConfig
from subgoal.trajectories.config import CollectConfig


class Scale(Record):
    """What all tables have in common, at one size."""

    title: str
    """The size in words; it stands on every table."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds of weights and batches; every training is done once with each."""
    collect: CollectConfig = CollectConfig()
    """Which oracle paths are collected, where `train.annotations` names no file."""
    annotate: AnnotateConfig = AnnotateConfig()
    """Who sets the sub-goals on them, where `train.annotations` names no file."""
    augment: AugmentConfig = AugmentConfig()
    """How they are rewritten, where `train.annotations` names no file."""
    teacher_paths: Path | None = None
    """Annotated paths as the teacher read them, on which its tokens are counted, where those that
    are trained on were made shorter since."""
    run: Path | None = None
    """Students of this run folder play in all rows that differ in nothing that is trained, and
    nothing is trained; the other rows are left out."""
    train: TrainConfig = TrainConfig()
    """How students are trained; a table or a row may say otherwise."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """What they play; a table or a row may say otherwise."""
