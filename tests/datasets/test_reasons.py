"""Sub-goals that decide say why."""

import pytest

from subgoal.annotation.subgoal import Subgoal
from subgoal.datasets.examples import DatasetConfig, build
from subgoal.datasets.reasons import conditions, with_reasons
from subgoal.datasets.rendering import Role
from subgoal.datasets.tokenizer import MarkTokenizer

CONDUCTS = (
    "Determine if foil conducts. If it is electrically conductive, place it in the green box. If "
    "it is electrically nonconductive, place it in the blue box."
)
MELTS = (
    "If the melting point of lead is above 50.5 degrees celsius, focus on the red box. If the "
    "melting point of lead is below 50.5 degrees celsius, focus on the green box. The boxes are "
    "located around the kitchen."
)


def path(annotated, description, *goals, answers=(), injected=()):
    """A path that pursues goals, one step each, with the answers to them."""
    one = next(o for o in annotated if len(o.trajectory.steps) >= len(goals))
    steps = one.trajectory.steps[: len(goals)]
    steps = tuple(
        step.model_copy(update={"observation": answer or "Done."})
        for step, answer in zip(steps, [*answers, *[""] * (len(goals) - len(answers))], strict=True)
    )
    spans = tuple(
        one.spans[0].model_copy(
            update={
                "subgoal": Subgoal.parse(goal),
                "first": i,
                "last": i,
                "injected": goal in injected,
            }
        )
        for i, goal in enumerate(goals, 1)
    )
    task = one.trajectory.task.model_copy(update={"description": description})
    told = one.trajectory.model_copy(update={"task": task, "steps": steps})
    return one.model_copy(update={"trajectory": told, "spans": spans})


def goals_of(one):
    return [str(span.subgoal) for span in one.spans]


def test_what_a_task_makes_conditional_is_told_by_its_own_words():
    assert conditions(CONDUCTS) == [
        ("conductive", "place it in the green box"),
        ("nonconductive", "place it in the blue box"),
    ]
    assert [own for own, _ in conditions(MELTS)] == ["above", "below"]
    assert conditions("Boil water. If you can, hurry up.") == []
    assert conditions("Find a plant.") == []


@pytest.mark.parametrize(
    ("description", "goal", "said"),
    [
        (CONDUCTS, "sort_into(foil, blue box)", "sort_into(nonconductive, foil, blue box)"),
        (CONDUCTS, "sort_into(foil, Green box)", "sort_into(conductive, foil, Green box)"),
        (CONDUCTS, "sort_into(foil, red box)", "sort_into(foil, red box)"),
        (MELTS, "focus_on(green box)", "focus_on(below, green box)"),
        (MELTS, "navigate_to(kitchen)", "navigate_to(kitchen)"),
        (CONDUCTS, "wait_for()", "wait_for()"),
    ],
)
def test_the_condition_that_held_comes_first(annotated, description, goal, said):
    assert goals_of(with_reasons(path(annotated, description, "find(foil)", goal))) == [
        "find(foil)",
        said,
    ]
    wrong = path(annotated, description, goal, "find(foil)", injected=(goal,))
    assert with_reasons(wrong) == wrong


def test_of_two_things_that_were_measured_the_chosen_one_is_told_with_its_measure(annotated):
    slid = [
        "a plane B, with: a block approximately 52% down",
        "a plane C, with: a block at the top",
    ]
    tried = ["slide(block, plane b)", "slide(block, plane c)"]
    for chosen, said in (("plane b", "approximately 52 down"), ("plane c", "at the top")):
        one = path(annotated, "Which plane?", *tried, f"focus_on({chosen})", answers=slid)
        assert goals_of(with_reasons(one)) == [*tried, f"focus_on({said}, {chosen})"]
    alone = path(annotated, "Which plane?", tried[0], "focus_on(plane b)", answers=slid[:1])
    assert with_reasons(alone) == alone
    same = path(annotated, "Which?", *tried, "focus_on(plane b)", answers=["a block"] * 2)
    assert with_reasons(same) == same


def test_students_learn_reasons_where_it_is_asked(annotated):
    one = path(annotated, CONDUCTS, "find(foil)", "sort_into(foil, blue box)")
    tokenizer = MarkTokenizer.train([CONDUCTS, "sort_into( nonconductive, foil, blue box)"], 400)
    said = {
        asked: "".join(
            tokenizer.decode(text.ids[text.learned].tolist())
            for text in build([one], Role.PLANNER, DatasetConfig(reasons=asked), tokenizer)
        )
        for asked in (True, False)
    }
    assert "sort_into( nonconductive, foil, blue box)" in said[True]
    assert "nonconductive" not in said[False]
