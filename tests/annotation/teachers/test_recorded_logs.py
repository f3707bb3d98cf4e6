"""The log that ships with the package, and its recorded annotations."""

from collections import defaultdict
from pathlib import Path

import pytest

from subgoal.annotation.teachers.recorded import RecordedTeacher
from subgoal.environments.base import StopReason
from subgoal.errors import AnnotationInvalid, ConfigInvalid, TeacherFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.config import LogsConfig
from subgoal.trajectories.logs.importing import archive, import_logs
from subgoal.trajectories.storage import journal

SHIPPED = Path("package:airline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("logs") / "run")
    told = import_logs(LogsConfig(files=(SHIPPED,), group_key="group"), folder)
    assert told.left_out == ()
    return folder


def test_the_shipped_log_is_named_after_its_file(folder):
    paths = list(journal(folder))
    assert len(paths) == 120
    assert {path.task.environment for path in paths} == {"log:airline"}
    with pytest.raises(ConfigInvalid, match="airline"):
        import_logs(LogsConfig(files=(Path("package:airlime"),)), folder)


def test_trials_and_near_copies_of_a_task_share_a_group(folder):
    numbers = {one.id: one.fields["task_id"] for one in archive(folder)}
    groups = defaultdict(set)
    for path in journal(folder):
        groups[path.task.variation].add(numbers[path.variant])
    shared = {frozenset(tasks) for tasks in groups.values() if len(tasks) > 1}
    assert shared == {frozenset(pair) for pair in ((26, 27), (6, 7), (12, 18))}
    assert len(groups) == 27


def test_recorded_annotations_are_found_by_the_conversation(folder):
    found = []
    for path in journal(folder):
        if path.stop_reason is StopReason.SOLVED:
            try:
                found.append(RecordedTeacher().annotate(path))
            except TeacherFailed as error:
                assert path.variant in str(error)  # noqa: PT017 - most are annotated
    assert len(found) == 29
    assert all(one.spans[-1].last == len(one.trajectory.steps) for one in found)


def test_an_annotation_is_of_these_very_turns(folder):
    path = next(one for one in journal(folder) if one.variant == "airline-1-1")
    other = path.model_copy(update={"steps": path.steps[::-1]})
    with pytest.raises(AnnotationInvalid, match="airline-1-1"):
        RecordedTeacher().annotate(other)
