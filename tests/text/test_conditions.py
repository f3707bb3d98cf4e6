"""Sub-goals that decide say why."""

import pytest

from subgoal.annotation.subgoal import Subgoal
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build
from subgoal.text.conditions import (
    asked_quantity,
    conditions,
    quotes,
    with_reasons,
    without_reason,
)
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import MarkTokenizer

CONDUCTS = (
    "Determine if foil conducts. If it is electrically conductive, place it in the green box. If "
    "it is electrically nonconductive, place it in the blue box."
)
MELTS = (
    "If the melting point of lead is above 50.5 degrees celsius, focus on the red box. If the "
    "melting point of lead is below 50.5 degrees celsius, focus on the green box. The boxes are "
    "located around the kitchen."
)


def path(annotated, description, *goals, injected=()):
    """A path that pursues goals, one step each."""
    one = next(o for o in annotated if len(o.trajectory.steps) >= len(goals))
    steps = one.trajectory.steps[: len(goals)]
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


def test_what_a_task_makes_conditional_is_quoted_from_the_word_that_tells_it_apart():
    assert conditions(CONDUCTS) == [
        "conductive, place it in the green box",
        "nonconductive, place it in the blue box",
    ]
    assert conditions(MELTS)[1] == "below 50.5 degrees celsius, focus on the green box"
    assert conditions("Boil water. If you can, hurry up.") == []
    assert conditions("Find a plant.") == []


@pytest.mark.parametrize(
    ("description", "goal", "said"),
    [
        (
            CONDUCTS,
            "sort_into(foil, blue box)",
            "sort_into(nonconductive, place it in the blue box, foil, blue box)",
        ),
        (
            CONDUCTS,
            "sort_into(foil, Green box)",
            "sort_into(conductive, place it in the green box, foil, Green box)",
        ),
        (
            MELTS,
            "focus_on(green box)",
            "focus_on(below 50.5 degrees celsius, focus on the green box, green box)",
        ),
        (CONDUCTS, "sort_into(foil, red box)", "sort_into(foil, red box)"),
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
    assert "sort_into( nonconductive, place it in the blue box, foil, blue box)" in said[True]
    assert "nonconductive" not in said[False]


def measured(annotated, description, answers):
    """A path of sub-goals, each with one answer, which ends with a decision."""
    goals = ["heat(lead)", "measure(lead)", "navigate_to(kitchen)", "focus_on(green box)"]
    one = path(annotated, description, *goals)
    steps = tuple(
        step.model_copy(update={"observation": answer})
        for step, answer in zip(one.trajectory.steps, answers, strict=True)
    )
    update = {"trajectory": one.trajectory.model_copy(update={"steps": steps})}
    return one.model_copy(update=update)


def test_who_measures_for_a_decision_has_the_number_at_hand(annotated):
    answers = ["It is 9 degrees warm.", "It measures 60 degrees.", "a kitchen", "You focus."]
    said = goals_of(with_reasons(measured(annotated, MELTS, answers)))
    assert said == [
        "heat(lead)",
        "measure(50.5 degrees, lead)",
        "navigate_to(kitchen)",
        "focus_on(below 50.5 degrees celsius, focus on the green box, green box)",
    ]
    assert str(without_reason(Subgoal.parse(said[1]), quotes(MELTS))) == "measure(lead)"
    assert str(without_reason(Subgoal.parse(said[3]), quotes(MELTS))) == "focus_on(green box)"


def test_nothing_is_at_hand_where_nothing_was_measured_or_no_number_is_asked_about(annotated):
    answers = ["warm", "It measures 60 percent.", "a kitchen", "You focus."]
    assert goals_of(with_reasons(measured(annotated, MELTS, answers)))[1] == "measure(lead)"
    told = ["warm", "It measures 60 degrees.", "a kitchen", "ok"]
    assert goals_of(with_reasons(measured(annotated, CONDUCTS, told)))[1] == "measure(lead)"
    assert asked_quantity(MELTS) == "50.5 degrees"
    assert asked_quantity(MELTS.replace("below 50.5", "below 40")) == ""
    assert quotes(CONDUCTS) == conditions(CONDUCTS)
    waits = "If it is hot, wait for 5 minutes. If it is cold, wait for 5 minutes."
    assert asked_quantity(waits) == ""
    assert asked_quantity(MELTS.replace("50.5", "1,000.0")) == ""


def test_a_number_is_quoted_once(annotated):
    answers = ["warm", "It measures 60 degrees.", "a kitchen", "You focus."]
    once = with_reasons(measured(annotated, MELTS, answers))
    assert goals_of(with_reasons(once))[:3] == goals_of(once)[:3]
