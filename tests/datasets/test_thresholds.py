"""Thresholds: a copy asks about another number, and its answer is right by what was read."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan, check_spans
from subgoal.datasets.renaming import renamed
from subgoal.datasets.thresholds import nearer
from subgoal.environments.base import StopReason, Task
from subgoal.trajectories.trajectory import Step, Trajectory


def asks(number, above="red", below="blue"):
    return (
        f"Measure the wax. If it melts above {number}.0 degrees, focus on the {above} box. "
        f"If it melts below {number}.0 degrees, focus on the {below} box. The boxes are here."
    )


def melting(number, readings, answer="", melted_at=None, description=""):
    """A path that reads wax as often as there are readings, and focuses on a box."""
    pairs = []
    for count, degrees in enumerate(readings):
        wax = "liquid wax" if melted_at is not None and count >= melted_at else "wax"
        pairs += [(f"examine {wax}", f"some {wax}")]
        pairs += [(f"use thermometer on {wax}", f"It measures {degrees} degrees.")]
    above = melted_at is None and readings[-1] > number
    last = answer or ("red" if above else "blue")
    pairs = [("light stove", "ok"), *pairs, (f"focus on {last} box", "You focus.")]
    steps = tuple(
        Step(action=action, observation=told, score=0, moves=i, look="", inventory="")
        for i, (action, told) in enumerate(pairs)
    )
    task = Task(
        environment="scienceworld",
        name="t",
        variation=0,
        split="train",
        description=description or asks(number),
    )
    path = Trajectory(
        task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source="oracle"
    )
    ends = [1, len(steps) - 1, len(steps)]
    firsts = [1, 2, len(steps)]
    spans = tuple(
        SubgoalSpan(subgoal=Subgoal(name=name, arguments=("x",)), first=first, last=last)
        for name, first, last in zip(("heat", "measure", "focus_on"), firsts, ends, strict=True)
    )
    return AnnotatedTrajectory(trajectory=path, spans=spans, teacher="t")


def asked(one):
    """The number that a path asks about, and the boxes above and below it."""
    words = one.trajectory.task.description.replace(",", "").split()
    number = {float(words[i + 1]) for i, word in enumerate(words) if word in {"above", "below"}}
    boxes = [words[i + 2] for i, word in enumerate(words) if words[i : i + 2] == ["on", "the"]]
    assert len(number) == 1
    return number.pop(), boxes


def read(one):
    return [
        (int(step.observation.split()[2]), "liquid" in step.action)
        for step in one.trajectory.steps
        if step.observation.startswith("It measures")
    ]


@given(
    st.integers(-50, 200),
    st.lists(st.integers(-100, 250), min_size=1, max_size=8, unique=True).map(sorted),
    st.one_of(st.none(), st.integers(1, 7)),
    st.integers(0, 10_000),
)
def test_the_answer_is_the_one_that_the_readings_give(number, readings, melted_at, seed):
    passed = [i for i, degrees in enumerate(readings) if degrees > number]
    if melted_at is not None and (melted_at >= len(readings) or passed):
        melted_at = None
    if number in readings or (melted_at is None and not passed):
        return  # no path ends without an answer
    last = passed[0] if melted_at is None else melted_at
    readings = readings[: last + 1]
    one = melting(number, readings, melted_at=melted_at)
    new = nearer(one, random.Random(seed))
    check_spans(new.spans, len(new.trajectory.steps))
    other, (above, below) = asked(new)
    told = read(new)
    *before, (degrees, liquid) = told
    assert told == read(one)[: len(told)]
    assert not any(was_liquid for _, was_liquid in before)
    assert all(earlier < other for earlier, _ in before)
    chosen = new.trajectory.steps[-1].action.split()[2]
    if liquid:
        assert chosen == below
        assert degrees < other <= number
    else:
        assert chosen == above
        assert degrees > other


def test_numbers_come_between_all_readings_and_what_follows_is_left_out():
    one = melting(100, [16, 40, 81, 105])
    made = [nearer(one, random.Random(seed)) for seed in range(60)]
    assert {len(read(new)) for new in made} == {1, 2, 3, 4}
    assert all(new.trajectory.steps[-1] == one.trajectory.steps[-1] for new in made)
    assert len({asked(new)[0] for new in made}) > 20


def test_what_melted_below_one_number_had_not_melted_below_a_lower_one():
    one = melting(150, [16, 40, 81], melted_at=2)
    made = [nearer(one, random.Random(seed)) for seed in range(60)]
    exchanged = [new for new in made if asked(new)[1] == ["blue", "red"]]
    assert 20 < len(exchanged) < 55
    assert all(len(read(new)) < 3 and not read(new)[-1][1] for new in exchanged)


@pytest.mark.parametrize(
    "description",
    [
        "Measure the wax.",
        "Heat it to 20 degrees and then to 40 degrees.",
    ],
)
def test_other_tasks_stay_as_they_are(description):
    one = melting(100, [16, 40, 105], description=description)
    assert nearer(one, random.Random(1)) == one


def test_cases_that_are_not_told_apart_are_not_exchanged():
    one = melting(150, [16, 40, 81], melted_at=2, description="Is it above 150 degrees? Say so.")
    for seed in range(20):
        new = nearer(one, random.Random(seed))
        assert new.trajectory.steps == one.trajectory.steps
        assert new.trajectory.task.description.endswith("degrees? Say so.")


def test_a_watch_keeps_its_temperatures_in_renamed_copies_and_varies_by_its_number():
    one = melting(150, [16, 40, 81, 105], melted_at=3)
    made = [renamed(one, copy, ()) for copy in range(1, 40)]
    assert all(read(new) == read(one)[: len(read(new))] for new in made)
    assert len({asked(new)[0] for new in made}) > 15


@pytest.mark.parametrize(
    ("number", "readings", "melted_at"),
    [
        (100, [16, 40, 105, 120], None),  # it was passed before the last reading
        (100, [105, 120], None),
        (-10, [9, 16, 25, 45], None),
        (10, [9, 8, 5], 0),  # a liquid that is cooled melts below what it is asked about
        (200, [9, 8, 5], 0),
        (100, [16, 120], 1),
        (50, [16, 9, 30], None),
    ],
)
def test_no_answer_turns_that_the_readings_do_not_turn(number, readings, melted_at):
    one = melting(number, readings, melted_at=melted_at)
    for seed in range(40):
        new = nearer(one, random.Random(seed))
        asks, boxes = asked(new)
        assert boxes == ["red", "blue"]
        last = read(new)[-1][0]
        assert (last < asks) == (read(one)[-1][0] < number)


def test_cases_that_cannot_be_told_where_they_end_are_not_exchanged():
    said = asks(150, "no. 1", "no. 2")
    one = melting(150, [16, 40, 81], answer="no. 2", melted_at=2, description=said)
    for seed in range(40):
        new = nearer(one, random.Random(seed))
        told = new.trajectory.task.description
        assert told.index("no. 1") < told.index("no. 2")
        assert asked(new)[0] > 81


def test_steps_that_are_no_readings_are_not_left_out():
    one = melting(100, [16, 40, 81, 105])
    whole = (one.spans[0], one.spans[1].model_copy(update={"last": len(one.trajectory.steps)}))
    merged = one.model_copy(update={"spans": whole})
    for seed in range(40):
        assert nearer(merged, random.Random(seed)).trajectory.actions == one.trajectory.actions
