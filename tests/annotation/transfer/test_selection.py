"""Which paths the teacher is asked about."""

import pytest

from subgoal.annotation.config import SelectionConfig
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.transfer.selection import Selection, distances, medoids
from subgoal.annotation.transfer.teacher import TransferTeacher

RECORDED = {one.trajectory.task.key: one for one in recorded_annotations("scienceworld")}
TYPES = ("boil", "find-plant", "lifespan-longest-lived")
PATHS = [one.trajectory for one in RECORDED.values() if one.trajectory.task.name in TYPES]


def answer(paths):
    return [RECORDED[path.task.key] for path in paths]


def names(paths):
    return [path.task.name for path in paths]


def test_all_paths_are_chosen_at_once_where_nothing_else_is_said():
    selection = Selection(SelectionConfig(), PATHS)
    assert selection.next() == PATHS
    assert selection.next(answer(PATHS)) == []


def test_the_core_is_a_few_of_every_type():
    selection = Selection(SelectionConfig(core=2), PATHS)
    core = selection.next()
    assert names(core) == [*TYPES, *TYPES]
    assert selection.next(answer(core)) == []


def test_the_count_is_kept_and_leaves_something_of_every_type():
    assert names(Selection(SelectionConfig(count=4), PATHS).next()) == [*TYPES, TYPES[0]]
    selection = Selection(SelectionConfig(core=1, count=5, target_confidence=1), PATHS)
    core = selection.next()
    assert len(core) == 3
    assert len(selection.next(answer(core))) == 2
    assert selection.next(answer(core)) == []


def test_a_count_above_the_number_of_paths_takes_all():
    chosen = Selection(SelectionConfig(count=1000), PATHS).next()
    assert sorted(path.task.key for path in chosen) == sorted(path.task.key for path in PATHS)


def test_rounds_go_on_until_all_that_is_left_is_certain():
    selection = Selection(SelectionConfig(core=1, target_confidence=0.8), PATHS)
    selection.round_size = 3
    annotated, rounds = [], []
    while chosen := selection.next(annotated):
        rounds.append(len(chosen))
        annotated += answer(chosen)
    keys = [one.trajectory.task.key for one in annotated]
    assert len(keys) == len(set(keys)) < len(PATHS)
    assert rounds[0] == 3
    assert len(rounds) > 1
    teacher = TransferTeacher(annotated)
    left = [path for path in PATHS if path.task.key not in keys]
    assert all(teacher.annotate(path).confidence >= 0.8 for path in left)


def test_only_types_with_new_annotations_are_measured_again(monkeypatch):
    measured = []
    carry_over = TransferTeacher.annotate

    def watched(self, path):
        measured.append(path.task.name)
        return carry_over(self, path)

    monkeypatch.setattr(TransferTeacher, "annotate", watched)
    selection = Selection(SelectionConfig(core=1, target_confidence=1), PATHS)
    selection.round_size = 1
    annotated = answer(selection.next())
    asked = selection.next(annotated)
    assert set(measured) == set(TYPES)
    measured.clear()
    selection.next([*annotated, *answer(asked)])
    assert set(measured) == {asked[0].task.name}


def test_a_type_whose_paths_failed_gets_others_but_not_for_ever():
    selection = Selection(SelectionConfig(core=2), PATHS)
    core = selection.next()
    rest = [one for one in answer(core) if one.trajectory.task.name != "boil"]
    assert names(selection.next(rest)) == ["boil"]
    assert names(selection.next(rest)) == ["boil"]
    assert selection.next(rest) == []


def test_medoids_are_the_nearest_to_the_rest():
    boil = [path for path in PATHS if path.task.name == "boil"]
    apart = distances(boil)
    assert apart.diagonal() == pytest.approx(0)
    assert apart == pytest.approx(apart.T)
    first = medoids(boil, 3)[0]
    assert apart[boil.index(first)].sum() == pytest.approx(apart.sum(axis=1).min())
    chosen = [boil.index(path) for path in medoids(boil, 3)]
    assert len(set(chosen)) == 3
    assert apart[chosen].min(axis=0).sum() < apart[chosen[:1]].min(axis=0).sum()
    assert medoids(boil[:2], 5) == medoids(boil[:2], 2)
