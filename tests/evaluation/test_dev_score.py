"""Students are tried at play while they are trained; training itself knows no world."""

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.evaluation.config import RolloutConfig
from subgoal.evaluation.dev_score import dev_scores
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role
from subgoal.training.config import Select, TrainConfig, TrainingConfig
from subgoal.training.log import log
from subgoal.training.train import train

ROLLOUT = RolloutConfig(environment="errand", protocol="dev", per_type=1)


def test_looks_are_scored_where_a_student_can_play(annotated, tmp_path):
    given = Journal(
        tmp_path / "given.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda a: a.trajectory.task.key,
    )
    for one in annotated:
        given.append(one)
    config = TrainConfig(
        roles=(Role.PLANNER, Role.EXECUTOR, Role.FLAT),
        dataset=DatasetConfig(vocabulary=400, context=512, dev_share=0.3),
        student=StudentConfig(layers=1),
        training=TrainingConfig(tokens=1_500, batch_tokens=512, validations=1, select=Select.SCORE),
        annotations=given.seal(),
    )
    run = RunFolder(tmp_path / "run")
    train(config, run, dev_scores(ROLLOUT, run))
    scores = {
        role: [line.score for line in log(run / "training" / role / "log.jsonl") if line.dev_loss]
        for role in config.roles
    }
    assert scores[Role.PLANNER] == [None]
    for role in (Role.EXECUTOR, Role.FLAT):
        assert all(score is not None and 0 <= score <= 100 for score in scores[role])
        assert scores[role]


def test_without_tasks_there_is_nothing_to_play(tmp_path):
    assert dev_scores(RolloutConfig(), RunFolder(tmp_path)) is None
