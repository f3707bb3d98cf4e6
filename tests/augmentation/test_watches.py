"""Watches: readings that say nothing new are cut, and the path still solves its task."""

import pytest

from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import check_spans
from subgoal.augmentation.shortening import shortened
from subgoal.augmentation.watches import needless_readings
from subgoal.environments.base import StopReason, Task
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import shipped_paths
from subgoal.trajectories.trajectory import Step, Trajectory

ASKED = (
    "If the wax melts above 50.0 degrees celsius, take it. If it melts below 50 degrees, leave it."
)


def watched(answers, description=ASKED, views=()):
    """A path that looks at wax, waits, and so on, and then leaves; one sub-goal each."""
    actions = [("look at wax", "wait1")[i % 2] for i in range(len(answers))]
    steps = [
        Step(action=action, observation=answer, score=0, moves=i, look=look, inventory="")
        for i, (action, answer, look) in enumerate(
            zip(
                [*actions, "go to hallway"],
                [*answers, "You move to the hallway."],
                views or ["a room"] * (len(answers) + 1),
                strict=True,
            )
        )
    ]
    task = Task(environment="errand", name="t", variation=0, split="train", description=description)
    path = Trajectory(
        task=task,
        steps=tuple(steps),
        stop_reason=StopReason.SOLVED,
        final_score=100,
        source="oracle",
    )
    return path, [len(answers) - 1, len(answers)]


def kept(*args, **kwargs):
    path, ends = watched(*args, **kwargs)
    needless = needless_readings(path, ends)
    left = [i for i in range(len(path.steps)) if i not in needless]
    assert left[-1] == len(path.steps) - 1
    assert left[:-1] == list(range(len(left) - 1))
    return len(left) - 1


def readings(*degrees, wax="wax"):
    return [text for number in degrees for text in (f"some {wax}", f"It is {number} degrees.")]


def test_a_watch_ends_where_its_last_reading_is_foreseen():
    assert kept(readings(45, 30, 20, 9)) == 2
    assert kept(readings(9, 20, 51, 60)) == 6
    assert kept(readings(51, 50, 50.0)) == 4  # neither above nor below
    assert kept(readings(-5, -20, -60)) == 2
    cooled = readings(45, 30) + readings(20, 9, wax="solid wax")
    assert kept(cooled) == 2  # it was liquid below 50 before


def test_a_watch_goes_on_while_its_numbers_come_nearer_to_the_one_asked_about():
    assert kept(readings(9, 20, 30, 45)) == 8  # it may melt at 48
    assert kept(readings(80, 70, 60)) == 6
    assert kept(readings(9, 20, 12, 8)) == 4
    assert kept(readings(20, 12, 9, 20)) == 2


def test_a_reading_that_tells_no_number_comes_no_nearer():
    failed = ["some wax", "The thermometer is wet."]
    assert kept(readings(30) + failed + readings(30)) == 2
    assert kept(readings(30) + failed + readings(40)) == 6


def test_numbers_that_the_task_does_not_measure_by_are_read_as_they_stand():
    assert kept(readings(9, 20, 30, 30), "Put wax 3 into the box.") == 6
    assert kept(readings(9, 20, 30, 30), "Wait 3 minutes.") == 6
    assert kept(["some wax", "pot 1", "some wax", "pot 2"], "Water pot 1 at 50 degrees.") == 4


def test_what_the_last_reading_brings_into_view_is_not_cut():
    views = ["a room"] * 6 + ["a room, liquid wax"]
    assert kept(["some wax", "ok"] * 3, "Melt the wax.", views=views) == 6
    views = ["a room"] * 3 + ["a room, liquid wax"] * 4
    assert kept(["some wax", "ok"] * 3, "Melt the wax.", views=views) == 3


def test_no_watch_is_what_does_one_thing_many_times_or_ends_the_path():
    path, _ = watched(readings(30, 20, 9))
    waits = [step.model_copy(update={"action": "wait1"}) for step in path.steps[:-1]]
    alone = path.model_copy(update={"steps": (*waits, path.steps[-1])})
    assert needless_readings(alone, [5, 6]) == frozenset()
    last = path.model_copy(update={"steps": path.steps[:-1]})
    assert needless_readings(last, [5]) == frozenset()
    assert needless_readings(last) == frozenset()


def test_a_watch_is_cut_within_its_sub_goal_and_what_follows_there_stays():
    path, _ = watched(readings(30, 20, 9))
    assert needless_readings(path, [3, 6]) == {2, 3}  # the second watch ends with a walk
    assert needless_readings(path, [2, 6]) == {2, 5}
    assert needless_readings(path, [6]) == {2, 3, 4, 5}


def test_a_question_which_of_several_is_meant_is_read_with_its_answer():
    path, _ = watched(["0: wax 1: wax", "some wax", "some wax", "0: wax 1: wax", "some wax", "ok"])
    actions = ["look at wax", "0", "wait1", "look at wax", "0", "wait1", "go to hallway"]
    steps = [s.model_copy(update={"action": a}) for s, a in zip(path.steps, actions, strict=True)]
    asked = path.model_copy(update={"steps": tuple(steps)})
    assert needless_readings(asked, [5, 6]) == set()
    steps[2] = steps[2].model_copy(update={"observation": "ok"})
    asked = path.model_copy(update={"steps": tuple(steps)})
    assert needless_readings(asked, [5, 6]) == {3, 4, 5}


def annotated(path):
    found, _ = annotate_all([path], AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    return found[0]


@pytest.fixture(scope="module")
def watching():
    """A path that watches a thing before it takes it, its replay, and where the watch begins."""
    with ErrandWorld() as world:
        task = world.tasks("train", "easy")[0]

        def again(actions):
            return replay(world, task, actions, "oracle")

        actions = shortened(annotated(again(world.oracle_path(task))), again).trajectory.actions
        at = next(i for i, a in enumerate(actions) if a.startswith(("pick up", "focus on")))
        thing = actions[at].removeprefix("pick up ").removeprefix("focus on ")
        watch = [f"look at {thing}", "wait1"] * 10
        yield annotated(again([*actions[:at], *watch, *actions[at:]])), again, at


def test_a_path_is_shorter_by_its_watch_and_solves_its_task(watching):
    one, again, at = watching
    new = shortened(one, again)
    assert new.trajectory.stop_reason is StopReason.SOLVED
    reading, after = one.trajectory.actions[at : at + 2], one.trajectory.actions[at + 20 :]
    assert new.trajectory.actions[1:] == (*reading, *after)
    check_spans(new.spans, len(new.trajectory.steps))
    assert [str(span.subgoal) for span in new.spans] == [str(span.subgoal) for span in one.spans]
    assert shortened(new, again) is new


def test_a_path_that_needs_its_watch_keeps_it(watching):
    one, again, _ = watching

    def impatient(actions):
        path = again(actions)
        enough = actions.count("wait1") >= 10
        return path if enough else path.model_copy(update={"stop_reason": StopReason.PATH_END})

    assert shortened(one, impatient) is one


@pytest.mark.parametrize("mistake", ["sing", "look at table", "wait1"])
def test_a_copy_with_mistakes_keeps_them_and_its_name(watching, mistake):
    one, again, at = watching
    wrong = at + 10
    path = again([*one.trajectory.actions[:wrong], mistake, *one.trajectory.actions[wrong:]])
    steps = [s.model_copy(update={"injected": i == wrong}) for i, s in enumerate(path.steps)]
    trajectory = path.model_copy(update={"steps": tuple(steps), "variant": "path 2"})
    spans = [
        span.model_copy(
            update={
                "first": span.first + (span.first > wrong),
                "last": span.last + (span.last > wrong),
            }
        )
        for span in one.spans
    ]
    copy = one.model_copy(
        update={"trajectory": trajectory, "spans": tuple(spans), "variant": "noise 1"}
    )
    new = shortened(copy, again)
    assert new.key == copy.key
    # A watch before the mistake, one after it; the walk is as it was.
    before, after = one.trajectory.actions[: at + 2], one.trajectory.actions[at + 20 :]
    assert new.trajectory.actions == (*before, mistake, *before[at:], *after)
    assert [i for i, s in enumerate(new.trajectory.steps) if s.injected] == [at + 2]
    check_spans(new.spans, len(new.trajectory.steps))


@pytest.mark.slow
def test_what_is_liquid_already_is_not_cooled_until_the_patience_ends():
    """Thirty readings of mercury, where the task asks whether it melts above 150 degrees."""
    name, variation = "measure-melting-point-known-substance", 19
    known = shipped_paths("scienceworld")[name, variation].actions
    with ScienceWorld() as world:
        tasks = world.tasks("train", "easy")
        task = next(t for t in tasks if (t.name, t.variation) == (name, variation))

        def again(actions):
            return replay(world, task, actions, "shipped")

        new = shortened(annotated(again(known)), again).trajectory
    measuring = "use thermometer in inventory on mercury"
    assert known.count(measuring) == 30
    assert new.actions.count(measuring) == 1
    assert (new.stop_reason, new.final_score) == (StopReason.SOLVED, 100)
