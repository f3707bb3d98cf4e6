"""Teachers, transfer, and the stage: everything ends annotated or with a reason."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.annotation.agreement import fidelity
from subgoal.annotation.annotate import annotate, annotate_all, journal
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import Subgoal, SubgoalSpan, check_spans
from subgoal.annotation.teachers.recorded import RecordedTeacher, recorded_actions
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.environments.base import StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import AnnotationInvalid, ConfigInvalid, EnvironmentFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.collect import collect
from subgoal.trajectories.config import CollectConfig
from subgoal.trajectories.storage import journal as trajectories_of
from subgoal.trajectories.trajectory import Step, Trajectory

RECORDED = recorded_actions("scienceworld")


def recorded_path(name, variation, actions=None):
    """A recorded path as it would be collected, without what the world answers."""
    steps = tuple(
        Step(action=action, observation="", score=0, moves=0, look="", inventory="")
        for action in (actions or RECORDED[name, variation][1])
    )
    task = Task(environment="scienceworld", name=name, variation=variation, split="train")
    return Trajectory(
        task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source="recorded"
    )


def test_every_recorded_annotation_fits_its_path():
    teacher = RecordedTeacher()
    assert len(RECORDED) == 272
    for name, variation in RECORDED:
        one = teacher.annotate(recorded_path(name, variation))
        assert one.spans[-1].last == len(RECORDED[name, variation][1])


def test_a_path_that_is_not_the_recorded_one_is_named():
    actions = ("look around", *RECORDED["boil", 0][1][1:])
    with pytest.raises(AnnotationInvalid, match="step 1 is 'look around' but the recorded"):
        RecordedTeacher().annotate(recorded_path("boil", 0, actions))


def test_a_simplified_world_may_be_solved_in_fewer_steps():
    actions = RECORDED["grow-plant", 5][1]
    short = recorded_path("grow-plant", 5, actions[:-6])
    one = RecordedTeacher().annotate(short)
    assert one.spans[-1].last == len(actions) - 6
    unsolved = short.model_copy(update={"stop_reason": StopReason.PATH_END})
    with pytest.raises(AnnotationInvalid, match=f"the recorded annotation {len(actions)}"):
        RecordedTeacher().annotate(unsolved)


def test_a_path_without_annotation_is_carried_over_from_its_type():
    paths = [recorded_path(name, v) for name, v in RECORDED if name == "find-plant"]
    strange = paths[0].model_copy(
        update={"task": paths[0].task.model_copy(update={"variation": 999})}
    )
    annotated, failed = annotate_all([*paths, strange], AnnotateConfig())
    assert not failed
    carried = [one for one in annotated if one.transferred_from]
    assert [one.trajectory.task.variation for one in carried] == [999]
    direct = next(one for one in annotated if one.trajectory.task == paths[0].task)
    assert fidelity([(carried[0].spans, direct.spans)]).names == 1.0
    assert 0.5 < carried[0].confidence <= 1


def test_nothing_is_dropped_without_a_reason(trajectories):
    unsolved = trajectories[0].model_copy(
        update={"stop_reason": StopReason.PATH_END, "final_score": 40}
    )
    annotated, failed = annotate_all(
        [unsolved, *trajectories[1:]], AnnotateConfig(teacher=TeacherKind.RECORDED)
    )
    assert not annotated
    assert len(failed) == len(trajectories)
    assert "ends at a score of 40" in failed[0].reason
    assert all("no annotated path of this type" in failure.reason for failure in failed[1:])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_transfer_always_covers_the_path(data):
    keys = sorted(RECORDED)
    name = data.draw(st.sampled_from(sorted({name for name, _ in keys})))
    variations = [v for n, v in keys if n == name]
    sources = data.draw(st.lists(st.sampled_from(variations), min_size=1, max_size=3))
    teacher = RecordedTeacher()
    annotated = [teacher.annotate(recorded_path(name, v)) for v in sources]
    other = RECORDED[data.draw(st.sampled_from(keys))][1]
    start = data.draw(st.integers(0, len(other) - 1))
    one = TransferTeacher(annotated).annotate(recorded_path(name, 0, other[start:]))
    check_spans(one.spans, len(other) - start)
    assert 0 <= one.confidence <= 1


def test_the_scripted_teacher_names_walks_by_where_they_end(trajectories):
    for path in trajectories:
        one = ScriptedTeacher().annotate(path)
        check_spans(one.spans, len(path.steps))
        for span in one.spans:
            if span.subgoal.name == "navigate_to":
                assert path.actions[span.last - 1] in {
                    f"go to {span.subgoal.arguments[0]}",
                    f"open door to {span.subgoal.arguments[0]}",
                }


@given(st.text(max_size=30))
def test_a_subgoal_is_read_or_refused(text):
    try:
        subgoal = Subgoal.parse(text)
    except AnnotationInvalid:
        return
    assert Subgoal.parse(str(subgoal)) == subgoal


@pytest.mark.parametrize(
    ("spans", "reason"),
    [([(1, 2)], "end before"), ([(2, 3)], "gap"), ([(1, 2), (2, 3)], "before the one before")],
)
def test_spans_that_do_not_cover_are_refused(spans, reason):
    made = [SubgoalSpan(subgoal=Subgoal(name="a"), first=a, last=b) for a, b in spans]
    with pytest.raises(AnnotationInvalid, match=reason):
        check_spans(made, 3)


def test_several_paths_of_one_task_are_each_annotated(tmp_path):
    folder, own = RunFolder(tmp_path / "run"), tmp_path / "own.jsonl"
    with ErrandWorld() as world:
        path = list(world.oracle_path(world.tasks("train")[0]))
    rows = [{"task": "fetch", "variation": 0, "actions": [*["wait1"] * n, *path]} for n in range(3)]
    own.write_text("".join(json.dumps(row) + "\n" for row in rows))
    collect(CollectConfig(environment="errand", paths=own), folder)
    config = AnnotateConfig(teacher=TeacherKind.SCRIPTED)
    assert annotate(config, folder).direct == 3
    annotated = journal(folder).by_key()
    assert sorted(annotated) == [path.key for path in trajectories_of(folder)]
    assert len({one.trajectory.actions for one in annotated.values()}) == 3


class OwnTeacher(ScriptedTeacher):
    """Answers as it is told to."""

    answer = staticmethod(lambda found: found)

    def annotate(self, trajectory):
        return self.answer(super().annotate(trajectory))


def throw(error):
    def answer(_):
        raise error

    return answer


def changed(**fields):
    """Return an answer that is the honest one with changes that nobody has checked."""
    return lambda honest: honest.model_copy(update=fields)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (throw(ValueError("two\nlines")), "ValueError: two lines"),
        (throw(SystemExit(3)), "SystemExit"),
        (throw(EnvironmentFailed("half an emoji: \ud83d")), "EnvironmentFailed"),
        (throw(AnnotationInvalid("\ud83d")), "\ufffd"),
        (changed(teacher="\ud83d"), "no annotation"),
        (changed(confidence=float("nan")), "confidence"),
        (changed(spans=()), "end before"),
        (lambda _: None, "NoneType"),
    ],
)
def test_whatever_a_teacher_of_ones_own_does_is_a_reason(trajectories, answer, said):
    teacher = type("Odd", (OwnTeacher,), {"answer": staticmethod(answer)})()
    config = AnnotateConfig(transfer=False)
    annotated, failed = annotate_all(trajectories[:1], config, teacher=teacher)
    assert annotated == []
    assert [said in one.reason for one in failed] == [True]
    assert failed[0].model_dump_json()


def test_an_interrupt_passes_a_teacher_of_ones_own(trajectories):
    teacher = type("Odd", (OwnTeacher,), {"answer": staticmethod(throw(KeyboardInterrupt()))})()
    with pytest.raises(KeyboardInterrupt):
        annotate_all(trajectories[:1], AnnotateConfig(transfer=False), teacher=teacher)


def test_another_teacher_may_follow_where_nothing_is_recorded(tmp_path):
    folder = RunFolder(tmp_path)
    collect(CollectConfig(environment="errand", per_type=1), folder)
    with pytest.raises(ConfigInvalid, match="scripted"):
        annotate(AnnotateConfig(teacher=TeacherKind.RECORDED), folder)
    assert annotate(AnnotateConfig(teacher=TeacherKind.SCRIPTED), folder).direct == 3
