import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import DatasetConfig
from subgoal.datasets.rendering import Role
from subgoal.journal import Journal
from subgoal.training.student import StudentConfig
from subgoal.training.train import TrainConfig
from subgoal.training.training_config import TrainingConfig


@pytest.fixture
def source(annotated, tmp_path):
    """A sealed file of annotated paths of the tiny world."""
    journal = Journal(
        tmp_path / "given" / "annotations.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda one: one.trajectory.task.key,
    )
    for one in annotated:
        journal.append(one)
    return journal.seal()


@pytest.fixture
def tiny(source):
    """A training that takes a second."""
    return TrainConfig(
        roles=(Role.BOTH,),
        dataset=DatasetConfig(vocabulary=400, context=512, dev_share=0.3),
        student=StudentConfig(layers=1),
        training=TrainingConfig(
            tokens=1_600, batch_tokens=512, checkpoint_tokens=500, looks=1, look_tokens=500
        ),
        annotations=source,
    )
