"""What of the tasks that are played a student does not know."""

import pytest

from subgoal.datasets.splits import strange
from subgoal.environments.base import Task

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
