"""Thinning: fewer paths of the teacher's, the others by transfer, and their copies follow them."""

from pathlib import Path

import pytest

from research.tables.annotation_budget import Thinning, thinned
from subgoal.annotation.agreement import fidelity
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan, check_spans
from subgoal.annotation.surroundings import surroundings
from subgoal.augmentation.mistakes import noisy
from subgoal.augmentation.shortening import shortened
from subgoal.environments.errand import ErrandWorld
from subgoal.errors import TeacherFailed
from subgoal.storage.journal import Journal
from subgoal.trajectories.replay import replay

SHIPPED = Path(__file__).parents[2] / "data" / "scienceworld" / "annotations.jsonl"
TYPES = ("find-plant", "chemistry-mix-paint-secondary-color")


@pytest.fixture(scope="module")
def data():
    """Paths of two types, three of each by the teacher, with noisy copies."""
    with ErrandWorld() as world:
        tasks = [t for t in world.tasks("train", "easy") if t.name != "visit-and-focus"][::20]
        found = [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]
        annotated, _ = annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
        around, made = surroundings(annotated), []
        for one in annotated:

            def again(actions, task=one.trajectory.task):
                return replay(world, task, actions, "oracle")

            short = shortened(one, again)
            copies = [noisy(short, again, around, copy) for copy in range(1, 5)]
            made += [short, *(copy for copy in copies if copy is not None)]
        return made


@pytest.fixture(scope="module")
def shipped():
    journal = Journal(SHIPPED, AnnotatedTrajectory, "annotations", lambda one: one.key)
    return [one for one in journal.by_key().values() if one.trajectory.task.name in TYPES]


def kept(annotated):
    return {one.key for one in annotated if not one.variant and not one.transferred_from}


def coarse(one):
    """The same path under one sub-goal."""
    whole = SubgoalSpan(subgoal=Subgoal(name="do_all"), first=1, last=len(one.trajectory.steps))
    return one.model_copy(update={"spans": (whole,)})


def test_as_it_stands_nothing_changes(data):
    assert thinned(data, Thinning()) == data


def test_so_many_paths_of_each_type_stay_the_teachers(data):
    new = thinned(data, Thinning(per_type=2))
    direct = kept(new)
    assert len(direct) == 4
    assert kept(thinned(data, Thinning(per_type=1))) < direct
    old = {one.key: one for one in data}
    for one in new:
        check_spans(one.spans, len(one.trajectory.steps))
        assert one.trajectory == old[one.key].trajectory
        if one.trajectory.task.key in direct:
            assert one == old[one.key]
        else:
            assert set(one.transferred_from) <= direct
            assert one.confidence < 1
    assert [one.key for one in new if not one.variant] == [
        one.key for one in data if not one.variant
    ]


def test_without_transfer_the_others_and_their_copies_are_left_out(data):
    new = thinned(data, Thinning(per_type=1, transfer=False))
    direct = kept(new)
    assert len(direct) == 2
    assert new == [one for one in data if one.trajectory.task.key in direct]
    assert any(one.variant for one in new)


def test_a_copy_takes_over_the_sub_goals_of_its_path(data):
    new = thinned(data, Thinning(per_type=1))
    paths = {one.key: one for one in new if not one.variant}
    old = {one.key: one for one in data}
    copies = [one for one in new if one.variant and one.transferred_from]
    assert copies
    for one in copies:
        path = paths[one.trajectory.task.key]
        wrong = [span for span in one.spans if span.injected]
        assert wrong == [span for span in old[one.key].spans if span.injected]
        assert one.transferred_from == path.transferred_from
        assert one.confidence == path.confidence
        rest = iter(str(span.subgoal) for span in one.spans if not span.injected)
        assert all(str(span.subgoal) in rest for span in path.spans)


def test_a_wrong_sub_goal_never_stands_in_the_middle_of_another(data):
    direct = kept(thinned(data, Thinning(per_type=1)))
    given = [coarse(one) if one.key in direct else one for one in data]
    new = thinned(given, Thinning(per_type=1))
    left_out = {one.key for one in given} - {one.key for one in new}
    assert left_out
    for one in given:
        if one.key in left_out:
            assert any(span.injected for span in one.spans)
    followed = [one for one in new if one.variant and one.transferred_from]
    assert followed
    for one in followed:
        assert [str(s.subgoal) for s in one.spans if not s.injected][-1] == "do_all()"
        assert sum(str(span.subgoal) == "do_all()" for span in one.spans) == 1


def test_a_type_that_the_teacher_never_saw_cannot_be_thinned(data):
    given = [
        one.model_copy(update={"transferred_from": ("errand/fetch/0",)})
        if one.trajectory.task.name == "deliver-two"
        else one
        for one in data
    ]
    with pytest.raises(TeacherFailed, match=r"deliver-two.*no path of this type.*without"):
        thinned(given, Thinning(per_type=1))


def test_on_the_shipped_paths_three_of_a_type_come_near_to_ten(shipped):
    new = thinned(shipped, Thinning(per_type=3))
    old = {one.key: one for one in shipped}
    assert {one.key for one in new} == set(old)
    assert len(kept(new)) == 6
    pairs = [(one.spans, old[one.key].spans) for one in new if one.transferred_from]
    agreement = fidelity(pairs)
    assert agreement.boundary_f1 > 0.97
    assert agreement.exact > 0.9
    relabelled = [one for one in new if one.variant.startswith("hindsight")]
    assert any(one.transferred_from for one in relabelled)
