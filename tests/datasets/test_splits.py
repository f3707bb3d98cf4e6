"""What is held out, and what of the tasks that are played a student does not know."""

import pytest

from subgoal.datasets.splits import hold_out, strange
from subgoal.environments.base import Task
from tests.logged import logged

KNOWN = ("kitchen/boil/1/easy", "kitchen/melt/2/easy", "kitchen/melt/7/easy")


def task(world="kitchen", name="boil", setting="easy"):
    return Task(environment=world, name=name, variation=9, split="dev", simplifications=setting)


def test_other_variations_of_what_it_knows_are_not_strange():
    assert strange(KNOWN, [task(), task(name="melt")]) == []


@pytest.mark.parametrize(
    ("playing", "named"),
    [
        ([task(world="garden")], ["garden", "kitchen"]),
        ([task(), task(name="freeze"), task(name="chop")], ["chop, freeze"]),
        ([task(setting="")], ["plain world"]),
        ([task(setting="hard")], ["hard"]),
    ],
)
def test_what_is_strange_is_named(playing, named):
    (note,) = strange(KNOWN, playing)
    assert all(word in note for word in named)


def test_types_and_settings_are_told_apart():
    assert len(strange(KNOWN, [task(name="chop", setting="")])) == 2


def test_a_student_of_no_path_knows_nothing():
    assert "kitchen" in strange((), [task()])[0]


def groups(*sizes):
    """Make paths of a log, as many in each group as is said."""
    turns = [("hi", "Bye.")]
    return [
        logged(f"{group}-{trial}", group, turns)
        for group, size in enumerate(sizes)
        for trial in range(size)
    ]


def held(paths, share, seed=0):
    train, dev = hold_out(paths, share, seed)
    found = [{one.trajectory.task.variation for one in side} for side in (train, dev)]
    assert found[0].isdisjoint(found[1])
    assert len(train) + len(dev) == len(paths)
    return found[1]


def test_of_a_small_log_one_group_is_held_out():
    assert len(held(groups(1, 1, 1, 1, 1, 1), 0.05)) == 1
    assert len(held(groups(4, 2), 0.05)) == 1
    assert not held(groups(1, 1, 1), 0)
    assert not held(groups(3), 0.05)


def test_a_group_of_most_paths_is_not_what_is_asked_about():
    sizes = (1, 2, 1, 12, 2, 1, 1, 2)
    assert not any(3 in held(groups(*sizes), 0.5, seed) for seed in range(20))
    assert len(held(groups(*sizes), 0.5)) == 4
    assert len(held(groups(*sizes), 1.0)) == 8
