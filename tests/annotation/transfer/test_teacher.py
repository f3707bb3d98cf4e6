"""Transfer: near the teacher's own annotation from a few paths, and never an empty sub-goal."""

import pytest

from subgoal.annotation.agreement import fidelity
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.transfer.selection import medoids
from subgoal.annotation.transfer.teacher import TransferTeacher

TYPES = ("find-plant", "test-conductivity", "use-thermometer", "mendelian-genetics-known-plant")
RECORDED = recorded_annotations("scienceworld")


def of_type(name):
    return [one for one in RECORDED if one.trajectory.task.name == name]


def core(annotated, count):
    by_key = {one.trajectory.task.key: one for one in annotated}
    paths = medoids([one.trajectory for one in annotated], count)
    return [by_key[path.task.key] for path in paths]


@pytest.mark.parametrize("name", TYPES)
def test_three_annotated_paths_of_a_type_are_enough(name):
    annotated = of_type(name)
    known = core(annotated, 3)
    teacher = TransferTeacher(known)
    unseen = [one for one in annotated if one not in known]
    found = [teacher.annotate(one.trajectory) for one in unseen]
    agreement = fidelity([(a.spans, b.spans) for a, b in zip(found, unseen, strict=True)])
    assert agreement.boundary_f1 > 0.97
    assert agreement.names > 0.93
    assert agreement.exact > 0.85


def test_confidence_tells_alike_from_unlike():
    known = core(of_type("find-plant"), 3)
    teacher = TransferTeacher(known)
    alike = [teacher.annotate(one.trajectory).confidence for one in of_type("find-plant")]
    task = known[0].trajectory.task
    unlike = [
        teacher.annotate(
            one.trajectory.model_copy(
                update={"task": task.model_copy(update={"variation": 900 + number})}
            )
        ).confidence
        for number, one in enumerate(of_type("boil"))
    ]
    assert min(alike) > max(unlike)


@pytest.mark.parametrize("name", ["chemistry-mix", "grow-fruit"])
def test_a_subgoal_that_always_has_arguments_is_never_left_without(name):
    annotated = of_type(name)
    for held_out in annotated:
        teacher = TransferTeacher([one for one in annotated if one is not held_out])
        spans = teacher.annotate(held_out.trajectory).spans
        assert all(span.subgoal.arguments for span in spans if span.subgoal.name != "wait")
