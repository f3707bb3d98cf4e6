"""Elsewhere: a thing is carried away in the world, is looked for, and the task is still solved."""

import pytest

from research.tables.annotation_budget import Thinning, thinned
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan, check_spans
from subgoal.annotation.surroundings import WorldFacts, surroundings
from subgoal.augmentation.moved_target import SOURCE, elsewhere
from subgoal.augmentation.shortening import shortened
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.trajectories.replay import replay

PLACES = ("art studio", "bedroom", "foundry", "hallway", "kitchen", "outside", "workshop")


@pytest.fixture(scope="module")
def paths():
    """Shortened paths of errands, what each became, and what is known of the house."""
    with ErrandWorld() as world:
        tasks = world.tasks("train", "easy")[::3]
        found = [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]
        annotated, _ = annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
        around, made = surroundings(annotated), []
        for one in annotated:

            def again(actions, task=one.trajectory.task):
                return replay(world, task, actions, "oracle")

            short = shortened(one, again)
            made.append((short, [elsewhere(short, again, around, n) for n in range(1, 5)]))
        return [(old, [new for new in several if new]) for old, several in made]


def test_the_thing_is_looked_for_and_the_task_is_still_solved(paths):
    found = [(old, new) for old, several in paths for new in several]
    assert len(found) > 10
    for old, new in found:
        assert new.trajectory.stop_reason is StopReason.SOLVED
        assert new.trajectory.source == SOURCE
        assert new.key.startswith(f"{old.trajectory.task.key}#{SOURCE} ")
        check_spans(new.spans, len(new.trajectory.steps))
        steps = new.trajectory.steps
        assert all(step.accepted and not step.injected for step in steps)
        assert steps[0].moves <= 2  # what was done before the path begins is not told
        rest = iter(new.trajectory.actions)
        assert all(action in rest for action in old.trajectory.actions)


def test_no_place_is_looked_through_once_the_thing_is_seen(paths):
    for old, several in paths:
        for new in several:
            thing = next(
                action.removeprefix("pick up ")
                for action in old.trajectory.actions
                if action.startswith("pick up ")
            )
            seen = [thing in step.look for step in new.trajectory.steps]
            taken = new.trajectory.actions.index(f"pick up {thing}")
            assert seen.index(True) == taken
            visited = [a for a in new.trajectory.actions[:taken] if a.startswith("teleport")]
            assert len(visited) == len(set(visited))


def test_each_copy_takes_the_thing_to_another_place(paths):
    for _, several in paths:
        actions = [new.trajectory.actions for new in several]
        assert len(set(actions)) == len(actions)


def test_a_task_that_says_where_its_thing_is_stays_as_it_is(paths):
    told = [
        (old, several) for old, several in paths if "visit the" in old.trajectory.task.description
    ]
    assert told
    assert not any(several for _, several in told)


def test_a_thinned_data_set_keeps_the_search(paths):
    data = [one for old, several in paths for one in (old, *several)]
    new = {one.key: one for one in thinned(data, Thinning(per_type=1))}
    searches = [one for _, several in paths for one in several]
    assert {one.key for one in searches} <= set(new)
    assert any(new[one.key].transferred_from for one in searches)
    for one in searches:
        met = next(s.first for s in one.spans if str(s.subgoal).startswith("pick_up"))
        kept = {(str(span.subgoal), span.first) for span in new[one.key].spans}
        assert (str(one.spans[0].subgoal), 1) in kept
        assert ("navigate_to", met - 1) in {(name.partition("(")[0], at) for name, at in kept}


MELTED = {
    "navigate_to(kitchen)": ["teleport to kitchen"],
    "pick_up(thermometer)": ["pick up thermometer"],
    "pick_up(metal pot)": ["open cupboard", "pick up metal pot"],
    "focus_on(marshmallow)": ["focus on marshmallow"],
    "place(marshmallow, metal pot)": ["move marshmallow to metal pot"],
    "heat(metal pot, stove)": ["move metal pot to stove", "activate stove"],
    "monitor_temperature(marshmallow)": ["examine marshmallow"] * 12,
}


def test_what_is_melted_is_found_in_the_real_world():
    around = WorldFacts(PLACES, "navigate_to", (), ScienceWorld.language)
    actions = [action for several in MELTED.values() for action in several]
    with ScienceWorld() as world:
        tasks = world.tasks("train", "easy")
        task = next(t for t in tasks if (t.name, t.variation) == ("melt", 12))
        path = replay(world, task, actions, "file")
        spans = list[SubgoalSpan]()
        for goal, several in MELTED.items():
            first = spans[-1].last + 1 if spans else 1
            last = min(first + len(several) - 1, len(path.steps))
            spans.append(SubgoalSpan(subgoal=Subgoal.parse(goal), first=first, last=last))
        one = AnnotatedTrajectory(trajectory=path, spans=tuple(spans), teacher="file")
        new = elsewhere(one, lambda actions: replay(world, task, actions, "file"), around, 1)
    assert new is not None
    met = new.trajectory.actions.index("focus on marshmallow")
    assert "marshmallow" in new.trajectory.steps[met].look
    assert not any("marshmallow" in step.look for step in new.trajectory.steps[:met])
    assert new.trajectory.final_score == 100
