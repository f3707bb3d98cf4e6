"""Listed order: like things are used as they are listed, and the path goes as it went."""

import pytest

from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import check_spans
from subgoal.augmentation.listed_order import in_listed_order
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.trajectories.replay import replay

THINGS = ("blue cup", "green cup", "red cup", "white cup", "green box")


class Table(Environment):
    """A table with cups; the task is done when two of them are in the box."""

    name = "table"
    heavy = ""

    def tasks(self, split, simplifications=""):
        return [self.task()]

    def task(self, asked="two cups"):
        said = f"Your task is to put {asked} into the green box."
        return Task(environment="errand", name="set", variation=0, split="train", description=said)

    def reset(self, task):
        self._held, self._stored, self._moves = [], [], 0
        return Observation(task=task, look=self.look(), inventory=self.inventory())

    def look(self):
        left = [thing for thing in THINGS if thing not in (*self._held, *self._stored)]
        return f"On the table is: {', '.join(f'a {thing}' for thing in left)}."

    def inventory(self):
        return ", ".join(f"a {thing}" for thing in self._held)

    def step(self, action):
        self._moves += 1
        thing = action.removeprefix("pick up ").removeprefix("move ").removesuffix(" to green box")
        known = thing in THINGS and thing != self.heavy
        if known and action.startswith("pick up"):
            self._held.append(thing)
        elif known and thing in self._held:
            self._held.remove(thing)
            self._stored.append(thing)
        done = len(self._stored) == 2
        return StepResult(
            observation=f"You see to the {thing}." if known else "No known action.",
            score=50 * len(self._stored),
            moves=self._moves,
            accepted=known,
            stop_reason=StopReason.SOLVED if done else None,
        )


def ordered(actions, asked="two cups", heavy=""):
    """Return a path of the table as annotated, and as it becomes."""
    world = Table()
    task = world.task(asked)
    path = replay(world, task, actions, "oracle")
    (one,), failed = annotate_all([path], AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert not failed
    world.heavy = heavy
    return one, in_listed_order(one, lambda chosen: replay(world, task, chosen, "oracle"))


def both(first, second):
    """Return the actions that put two cups into the box."""
    cups = (first, second)
    taken = [f"pick up {cup} cup" for cup in cups]
    return [*taken, *(f"move {cup} cup to green box" for cup in cups)]


@pytest.mark.parametrize("used", [("red", "blue"), ("green", "blue"), ("white", "red")])
def test_like_things_are_used_as_they_are_listed(used):
    one, new = ordered(both(*used))
    assert list(new.trajectory.actions) == both("blue", "green")
    assert new.trajectory.stop_reason is StopReason.SOLVED
    check_spans(new.spans, len(new.trajectory.steps))
    assert [span.subgoal.name for span in new.spans] == [span.subgoal.name for span in one.spans]
    goals = " ".join(str(span.subgoal) for span in new.spans)
    assert "blue cup" in goals
    assert not {"red", "white"} & set(goals.replace("(", " ").split())
    seen = [step.look for step in new.trajectory.steps]
    assert "a blue cup" in seen[0]
    assert "a blue cup" not in seen[1]  # what is seen is the world's own


def test_a_path_in_order_stays_as_it_is():
    one, new = ordered(both("blue", "green"))
    assert new is one


def test_what_the_task_names_keeps_its_place():
    one, new = ordered(both("red", "white"), asked="the red cup and another")
    assert list(new.trajectory.actions) == both("red", "blue")
    named = ordered(both("red", "white"), asked="the red cup and the white cup")
    assert named[0] is named[1]
    assert one is not new


def test_a_path_that_then_goes_otherwise_stays_as_it_is():
    one, new = ordered(both("red", "white"), heavy="blue cup")
    assert new is one


def test_mistakes_put_in_stay_marked():
    world = Table()
    task = world.task()
    path = replay(world, task, ["sing", *both("red", "blue")], "oracle")
    first = path.steps[0].model_copy(update={"injected": True})
    (one,), _ = annotate_all([path], AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    marked = path.model_copy(update={"steps": (first, *path.steps[1:])})
    one = one.model_copy(update={"trajectory": marked, "variant": "noise 1"})
    new = in_listed_order(one, lambda actions: replay(world, task, actions, "oracle"))
    assert [step.injected for step in new.trajectory.steps] == [True, False, False, False, False]
    assert new.variant == "noise 1"
    assert new.key == one.key
