"""Sooner: a path that takes longer than an episode may does only what its task needs."""

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan, check_spans
from subgoal.augmentation.asked import AskedProperty, asked_property
from subgoal.augmentation.sooner import described, sooner
from subgoal.environments.base import Environment, Observation, StepResult, StopReason, Task
from subgoal.trajectories.replay import replay, walk

ODD = "move living thing on plant to jar"
PLAIN = "move pea in plant to jar"
NEVER = 1000
QUESTION = """Ambiguous request: Please enter the number for the action you intended:
0:\tmove pea (in plant, in pot 1, in garden) to jar (in inventory, in agent)
"""


class Garden(Environment):
    """A pea grows on a plant after a while; sown, it grows tall after a while. Water does nothing,
    unless the pots are thirsty."""

    name = "garden"

    def __init__(self, asked="tall plant height", thirsty=False):
        self.asked, self.thirsty = asked, thirsty

    def tasks(self, split, simplifications=""):
        return [self.task()]

    def task(self):
        said = f"Determine whether {self.asked} is dominant. If it is, focus on the red box."
        return Task(
            environment="scienceworld", name="breed", variation=0, split="train", description=said
        )

    def reset(self, task):
        self.moves, self.peas, self.asking = 0, 0, False
        self.sown = self.again = NEVER
        self.watered = False
        return Observation(task=task, look=self.look(), inventory=self.inventory())

    def _grown(self, since, time):
        return self.moves - since >= time and (self.watered or not self.thirsty)

    def look(self):
        first = "a plant. On it: a pea." if self._grown(self.sown, 9) else "soil."
        tall = "a plant with a tall height. On it: a flower."
        second = tall if self._grown(self.again, 12) else "a seedling"
        return f"a pot 1 (containing {first})\na pot 2 (containing {second})\na red box (empty)"

    def inventory(self):
        return f"a jar with {self.peas} peas"

    def step(self, action):
        answer = self._answer(action)
        self.asking = answer == QUESTION
        refused = answer == "No known action matches that input."
        self.moves += not (refused or self.asking)
        done = action == "focus on red box"
        return StepResult(
            observation=answer,
            score=100 * done,
            moves=self.moves,
            accepted=not refused,
            stop_reason=StopReason.SOLVED if done else None,
        )

    def _answer(self, action):
        if self.asking and action == "0":
            self.peas += 1
            return "You move the pea to the jar."
        if action in (ODD, PLAIN) and self._grown(self.sown, 9):
            return QUESTION
        if action == "move seed to pot 1":
            self.sown = self.moves
        elif action == "move pea to pot 2" and self.peas:
            self.again = self.moves
        elif action.startswith("pour"):
            self.watered = True
        elif action == "examine pot 2":
            return self.look().splitlines()[1]
        elif action == "examine jar":
            return f"a jar (containing {self.peas} round pea)"
        elif action == "look around":
            return self.look()
        elif action not in ("wait1", "focus on red box"):
            return "No known action matches that input."
        return "Done."


def path(garden):
    wait = ["wait1"] * 4
    water = ["pour jug into pot 1"]
    looks = ["examine jar"] if "pea" in garden.asked else []
    done = [
        ("plant(seed, pot 1)", ["move seed to pot 1"]),
        ("water(pot 1)", water),
        ("wait_for(peas)", wait),
        ("water(pot 1)", water),
        ("wait_for(peas)", wait),
        ("water(pot 1)", water),
        ("harvest(peas)", [*[ODD, "0"] * 4, "open jug", *looks]),
        ("plant(pea, pot 2)", ["move pea to pot 2"]),
        ("wait_for(growth)", wait),
        ("water(pot 2)", water),
        ("wait_for(growth)", wait * 4),
        ("focus_on(red box)", ["focus on red box"]),
    ]
    spans, actions = [], []
    for goal, steps in done:
        first = len(actions) + 1
        actions += steps
        spans.append(SubgoalSpan(subgoal=Subgoal.parse(goal), first=first, last=len(actions)))
    trajectory = replay(garden, garden.task(), actions, "oracle")
    assert trajectory.stop_reason is StopReason.SOLVED
    return AnnotatedTrajectory(trajectory=trajectory, spans=tuple(spans), teacher="test")


def hurried(garden, limit=36):
    old = path(garden)
    return old, sooner(
        old, lambda decide: walk(garden, garden.task(), decide, "oracle", 200), limit
    )


def goals(one):
    return [str(span.subgoal) for span in one.spans]


def test_a_path_waits_no_longer_than_it_has_to_and_decides_by_what_it_looked_at():
    old, new = hurried(Garden())
    check_spans(new.spans, len(new.trajectory.steps))
    assert goals(new) == [
        "plant(seed, pot 1)",
        "wait_for(peas)",
        "wait_for(peas)",
        "harvest(peas)",
        "plant(pea, pot 2)",
        "wait_for(growth)",
        "wait_for(growth)",
        "examine(pot 2, tall plant height)",
        "focus_on(red box)",
    ]
    actions = new.trajectory.actions
    assert actions.count(PLAIN) == 1
    assert ODD not in actions
    assert all(step.accepted for step in new.trajectory.steps)
    assert "tall" in new.trajectory.steps[-2].observation
    assert new.trajectory.steps[-1].moves < old.trajectory.steps[-1].moves
    assert new.trajectory.stop_reason is StopReason.SOLVED


def test_each_wait_ends_with_a_look_around():
    _, new = hurried(Garden())
    waits = [span for span in new.spans if span.subgoal.name == "wait_for"]
    assert waits
    for span in waits:
        assert new.trajectory.actions[span.first - 1 : span.last] == (*["wait1"] * 5, "look around")


def test_what_is_needed_is_not_left_out():
    _, new = hurried(Garden(thirsty=True))
    assert any(step.startswith("pour") for step in new.trajectory.actions)
    assert "tall" in new.trajectory.steps[-2].observation


def test_what_the_path_looked_at_itself_decides_where_it_has_what_is_asked():
    _, new = hurried(Garden(asked="round pea shape"))
    last = ["harvest(peas)", "examine(jar, round pea shape)", "focus_on(red box)"]
    assert goals(new)[-3:] == last
    assert "round" in new.trajectory.steps[-2].observation


@pytest.mark.parametrize("limit", [200])
def test_a_path_within_the_limit_stays_as_it_is(limit):
    old, new = hurried(Garden(), limit)
    assert new == old


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (
            "Determine whether tall plant height is a dominant trait.",
            AskedProperty("tall plant height", "plant"),
        ),
        ("Find out whether foil is conductive.", None),
        ("Boil water.", None),
    ],
)
def test_the_property_that_a_task_asks_for(said, asked):
    assert asked_property(said) == asked


@pytest.mark.parametrize(
    ("view", "there"),
    [
        ("a pot 1 (containing a tall plant). On it: a bee.", True),
        ("a pot 1 (containing a tall old plant). On it: peas.", True),
        ("a pot 1 (containing a tall plant).", False),
        ("a pot 2 (containing a tall plant). On it: peas.", False),
        ("a pot 1 (containing a plant). On it: peas.", False),
    ],
)
def test_a_thing_is_described_as_it_was(view, there):
    line = "a pot 1 (containing a tall plant). On it: peas."
    assert bool(described(f"a room\n{view}", line)) is there
