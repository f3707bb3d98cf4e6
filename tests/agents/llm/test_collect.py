"""A model as the expert, over a real socket."""

import pytest

from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.environments.base import StopReason
from subgoal.errors import RunFolderInvalid, TeacherFailed
from subgoal.trajectories.collect import failures
from subgoal.trajectories.storage import journal

REACT = {"source": "react", "worlds": 2}


def test_paths_of_a_model_are_collected_whether_they_solve_or_not(serve, run_with):
    run = run_with(serve())
    summary = run.collect(per_type=1, **REACT)
    ends = {path.task.name: path.stop_reason for path in journal(run.folder)}
    assert {path.source for path in journal(run.folder)} == {"react"}
    assert ends.pop("visit-and-focus") is StopReason.LOOP
    assert set(ends.values()) == {StopReason.SOLVED}
    assert (summary.solved, summary.paths) == (2, 3)
    assert run.annotate(teacher="scripted").direct == 2


def test_a_collection_that_is_stopped_pays_for_nothing_twice(serve, run_with):
    server = serve(faults=FaultRates.spread(0.2), slow_seconds=0.01, retry_after=0.01)
    with pytest.raises(TeacherFailed):
        run_with(server, budget={"max_calls": 30}).collect(per_type=2, **REACT)
    before = server.delivered
    assert 0 < before.replies <= 30
    run = run_with(server)
    run.collect(per_type=2, **REACT)
    assert server.delivered.replies > before.replies
    assert server.delivered.repeated == 0
    paid = server.delivered.replies
    run.collect(per_type=2, **REACT)
    run.collect(per_type=2, restart=True, **REACT)
    assert server.delivered.replies == paid


def test_another_model_is_another_collection(serve, run_with):
    server = serve()
    run_with(server).collect(per_type=1, **REACT)
    with pytest.raises(RunFolderInvalid, match="expert"):
        run_with(server, model="rehearsal-2").collect(per_type=1, **REACT)


def test_a_task_that_the_model_refuses_is_named(serve, run_with):
    run = run_with(serve(context=300))
    summary = run.collect(per_type=1, **REACT)
    assert set(summary.failed) == {failure.key for failure in failures(run.folder)}
    assert len(summary.failed) + summary.paths == 3
    assert all("context" in reason for reason in summary.failed.values())
