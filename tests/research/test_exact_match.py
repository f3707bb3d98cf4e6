"""Exact match: its figures, and on which paths it is measured."""

import pytest

from research.tables.exact_match import exact_match
from subgoal.agents.config import AgentName
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.errand import TASK_TYPES, ErrandWorld
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import read_card
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.training.train import train
from subgoal.trajectories.replay import replay


@pytest.fixture(scope="module")
def paths():
    """Paths that nobody was trained on."""
    with ErrandWorld() as world:
        tasks = world.tasks("dev", "easy")[::20]
        found = [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]
    return annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))[0]


@pytest.fixture(scope="module")
def students(annotated, tmp_path_factory):
    """Students trained for seconds."""
    place = tmp_path_factory.mktemp("exact")
    store = Journal(place / "given.jsonl", AnnotatedTrajectory, "annotations", lambda a: a.key)
    for one in annotated:
        store.append(one)
    config = TrainConfig(
        roles=(Role.BOTH, Role.FLAT),
        dataset=DatasetConfig(vocabulary=400, context=512, dev_share=0.3),
        student=StudentConfig(layers=1),
        training=TrainingConfig(tokens=6_000, batch_tokens=1024, validations=1, threads=1),
        annotations=store.seal(),
        side_by_side=False,
    )
    train(config, RunFolder(place / "run"))
    return place / "run" / "students"


def test_students_are_asked_about_paths_they_were_not_trained_on(students, annotated, paths):
    given = [*annotated, *paths]
    result = exact_match(students, AgentName.HIERARCHICAL, given, at_once=5)
    whole = result.overall
    assert result.trained_on == 9
    assert whole.paths == len(given) - 9
    assert whole.types == len(TASK_TYPES) == len(result.types)
    assert not result.classes
    assert whole.actions.asked == sum(kind.actions.asked for kind in result.types)
    assert whole.actions.exact is not None
    assert whole.subgoals.exact is not None
    assert whole.ends.exact is not None
    assert whole.ends.exact.mean > 0
    assert whole.actions.exact.low <= whole.actions.exact.mean <= whole.actions.exact.high
    means = [kind.actions.exact.mean for kind in result.types if kind.actions.exact]
    assert whole.actions.exact.mean == pytest.approx(sum(means) / 3, abs=1e-5)
    assert len(result.paths) == whole.paths
    assert sum(path.asked for path in result.paths) == whole.actions.asked
    one_by_one = exact_match(students, AgentName.HIERARCHICAL, given, at_once=1)
    assert one_by_one == result


def test_the_flat_agent_sets_no_sub_goals(students, paths):
    result = exact_match(students, AgentName.FLAT, paths)
    assert result.overall.actions.asked > 0
    assert result.overall.subgoals.asked == result.overall.ends.asked == 0
    assert result.overall.subgoals.exact is None


def test_what_cannot_be_measured_is_refused(students, annotated, paths):
    with pytest.raises(ConfigInvalid, match="not of 'oracle'"):
        exact_match(students, AgentName.ORACLE, paths)
    card = read_card(students / "flat")
    trained = [one for one in annotated if one.trajectory.task.key in card.trained_on]
    with pytest.raises(DataLeak, match="give paths of other variations"):
        exact_match(students, AgentName.FLAT, trained)
