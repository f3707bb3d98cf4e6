"""Readable: what a path does rests on what was read by then, and it solves its task as before."""

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan, check_spans
from subgoal.augmentation.other_plans import other_plan
from subgoal.augmentation.readable import openings, readable
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.trajectories.replay import replay

BOXES = ("crate", "drawer", "oven")


class Kitchen(Environment):
    """Closed boxes, of which one holds the wax; what is in the oven melts after three moves."""

    name = "kitchen"

    def __init__(self, holder="oven", wax="wax", liquid=False):
        self.holder, self.wax, self.liquid = holder, wax, liquid

    def tasks(self, split, simplifications=""):
        return [self.task()]

    def task(self):
        said = f"Your task is to melt {self.wax}. Then, focus on it."
        return Task(
            environment="scienceworld", name="melt", variation=0, split="train", description=said
        )

    def reset(self, task):
        self.open, self.place, self.moves, self.heat = set(), self.holder, 0, 0
        self.heated = False
        return Observation(task=task, look=self.look(), inventory=self.inventory())

    @property
    def called(self):
        return f"liquid {self.wax}" if self.heat >= 3 else self.wax

    def look(self):
        held = f"a {self.called}" if self.place in BOXES else "nothing"
        told = [
            f"a {box}. In the {box} is: {held if box == self.place else 'nothing'}."
            if box in self.open
            else f"a {box}. The {box} door is closed."
            for box in BOXES
        ]
        return f"This room is called the kitchen. In it, you see:\n{' '.join(told)} a thermometer"

    def inventory(self):
        return f"a {self.called}" if self.place == "hand" else "nothing"

    def step(self, action):
        self.moves += 1
        self.heat += self.place == "oven" and self.heated
        seen = self.place == "hand" or self.place in self.open
        answers = {f"open {box}": f"The {box} is now open." for box in BOXES}
        if seen:
            answers[f"examine {self.called}"] = f"some {self.called}"
            answers[f"use thermometer on {self.called}"] = f"It is {self.heat} degrees."
            answers[f"focus on {self.called}"] = f"You focus on the {self.called}."
            for box in self.open:
                answers[f"move {self.wax} to {box}"] = (
                    "You can't pick up a liquid." if self.liquid else f"It is in the {box}."
                )
                answers[f"pour {self.wax} into {box}"] = f"It is in the {box}."
        answers["look around"] = self.look()
        known = action in answers
        answer = answers.get(action, "No known action matches that input.")
        if action.startswith("open "):
            self.open.add(action[5:])
        if answer.startswith("It is in"):
            self.place, self.heated = action.split()[-1], "oven" in action
        done = action.startswith("focus on liquid") and known
        return StepResult(
            observation=answer,
            score=100 * done,
            moves=self.moves,
            accepted=known,
            stop_reason=StopReason.SOLVED if done else None,
        )


def annotated(world, *parts):
    """Return the path of sub-goals with their actions, and what replays in its world."""
    task, spans, actions = world.task(), [], []
    for name, argument, *mine in parts:
        goal = Subgoal(name=name, arguments=(argument,))
        spans.append(
            SubgoalSpan(subgoal=goal, first=len(actions) + 1, last=len(actions) + len(mine))
        )
        actions += mine

    def again(chosen):
        return replay(world, task, chosen, "oracle")

    path = again(actions)
    assert path.stop_reason is StopReason.SOLVED
    return AnnotatedTrajectory(trajectory=path, spans=tuple(spans), teacher="t"), again


def melted(world, found, into="move", watch=("examine wax", "use thermometer on liquid wax")):
    """Return a path that finds wax, melts it, watches it and focuses on it."""
    return annotated(
        world,
        ("find", "wax", *(f"open {box}" for box in found)),
        ("place", "wax", f"{into} wax to oven" if into == "move" else "pour wax into oven"),
        ("monitor", "wax", "examine wax", "use thermometer on wax", *watch),
        ("focus_on", "it", "focus on liquid wax"),
    )


ALL = {"This room is called the kitchen. In it, you see:": frozenset(BOXES)}


def test_what_was_opened_is_known_by_the_room():
    one, _ = melted(Kitchen("drawer"), ["oven", "drawer"])
    assert openings([one]) == {
        "This room is called the kitchen. In it, you see:": frozenset({"oven", "drawer"})
    }


def test_a_search_opens_in_listed_order_until_the_thing_is_seen():
    one, again = melted(Kitchen("drawer"), ["oven", "drawer"])
    new = readable(one, again, ALL)
    assert new.trajectory.stop_reason is StopReason.SOLVED
    check_spans(new.spans, len(new.trajectory.steps))
    said = list(new.trajectory.actions)
    # The crate is opened in vain; the oven, no longer opened by the search, where it is needed.
    assert said[:4] == ["open crate", "open drawer", "open oven", "move wax to oven"]
    assert (new.spans[0].last, new.spans[1].last) == (2, 4)


def test_an_exhaustive_search_opens_all_and_nothing_is_opened_by_a_path_that_fails_then():
    one, again = melted(Kitchen("drawer"), ["oven", "drawer"])
    new = readable(one, again, ALL, exhaustive=True)
    assert new.trajectory.actions[:3] == ("open crate", "open drawer", "open oven")
    spoiled = readable(one, lambda _: again([]), ALL)
    assert spoiled.trajectory == one.trajectory


def test_a_watch_ends_with_all_readings_by_the_new_name():
    one, again = melted(Kitchen("drawer"), ["drawer", "oven"])
    new = readable(one, again, {})
    assert new.trajectory.actions[-3:] == (
        "use thermometer on liquid wax",
        "examine liquid wax",
        "focus on liquid wax",
    )
    assert new.spans[-2].last == len(new.trajectory.steps) - 1
    full = ("examine liquid wax", "use thermometer on liquid wax")
    one, again = melted(Kitchen("drawer"), ["drawer", "oven"], watch=("examine wax", *full))
    assert readable(one, again, {}) == one


def test_a_focus_names_what_was_chosen_where_no_later_sub_goal_does():
    one, again = annotated(
        Kitchen("drawer"),
        ("find", "wax", "open drawer", "open oven"),
        ("focus_on", "plant", "focus on wax"),
        ("place", "pot 3", "move wax to oven", "look around", "look around", "look around"),
        ("focus_on", "it", "look around", "focus on liquid wax"),
    )
    assert str(readable(one, again, {}).spans[1].subgoal) == "focus_on(wax)"
    spans = [s.model_copy() for s in one.spans]
    named = Subgoal(name="place", arguments=("wax", "oven"))
    spans[2] = spans[2].model_copy(update={"subgoal": named})
    later = one.model_copy(update={"spans": tuple(spans)})
    assert str(readable(later, again, {}).spans[1].subgoal) == "focus_on(plant)"


@pytest.fixture(scope="module")
def plans():
    solid, _ = melted(Kitchen("oven"), ["oven"])
    liquid = Kitchen("oven", liquid=True)
    parts = (
        ("find", "wax", "open oven"),
        ("pour", "wax", "pour wax into oven"),
        ("monitor", "wax", "examine wax", "use thermometer on wax", "examine wax"),
        ("focus_on", "it", "look around", "look around", "focus on liquid wax"),
    )
    poured, again = annotated(liquid, *parts)
    return solid, poured, again


def test_another_plan_is_tried_until_the_world_says_why_not(plans):
    solid, poured, again = plans
    new = other_plan(poured, [solid, poured], again, 1)
    assert new is not None
    assert new.variant == "other plan 1"
    check_spans(new.spans, len(new.trajectory.steps))
    tried = [(s.action, s.observation) for s in new.trajectory.steps if s.injected]
    assert tried == [("move wax to oven", "You can't pick up a liquid.")]
    assert [str(s.subgoal) for s in new.spans if s.injected] == ["place(wax)"]
    rest = [s.action for s in new.trajectory.steps if not s.injected]
    assert rest == list(poured.trajectory.actions)


def test_no_other_plan_without_one_or_where_it_goes_as_well(plans):
    solid, poured, again = plans
    assert other_plan(poured, [poured], again, 1) is None
    easy, replayed = melted(Kitchen("oven"), ["oven"], into="pour")
    assert other_plan(easy, [solid], replayed, 1) is None
    assert other_plan(poured.model_copy(update={"variant": "noise 1"}), [solid], again, 1) is None


def test_each_copy_tries_another_plan_and_keeps_which_path_it_is_of(plans):
    solid, poured, again = plans
    second = poured.trajectory.model_copy(update={"variant": "path 2"})
    mine = poured.model_copy(update={"trajectory": second})
    new = other_plan(mine, [solid, solid], again, 1)
    assert new is not None
    assert new.key == f"{mine.key}#other plan 1"
    assert other_plan(mine, [solid, solid], again, 2) is None
