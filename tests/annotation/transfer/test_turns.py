"""Turns of logs are compared by tool and by words; values of calls are arguments."""

import pytest

from subgoal.annotation.agreement import fidelity
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.environments.base import StopReason, Task
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import SAY, take_apart
from subgoal.trajectories.trajectory import Step, Trajectory

TURNS = language("log:mine")


@pytest.mark.parametrize(
    ("action", "verb", "arguments"),
    [
        ('-> find(user="Mia Li", n=2)', "find", ("mia li", "2")),
        ("On it.\n-> a()\n-> b(x=[1])", "a, b", ("[1]",)),
        ("Where to?", SAY, ("where to?",)),
    ],
)
def test_the_verb_of_a_turn_is_its_tool(action, verb, arguments):
    assert take_apart(action, TURNS) == (verb, arguments)


def conversation(user, number, answer):
    actions = [
        "Could you please tell me who you are?",
        f'-> get_user(id="{user}")',
        f'-> get_order(number="{number}")',
        f"Your order costs {answer} dollars. Shall I cancel it, yes or no?",
        f'-> cancel(order="{number}")',
        "It is cancelled. Goodbye!",
    ]
    steps = tuple(
        Step(action=action, observation="", score=0, moves=1, look="", inventory="")
        for action in actions
    )
    task = Task(environment="log:mine", name="chat", variation=answer, split="train")
    return Trajectory(
        task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source="log"
    )


def test_sub_goals_are_carried_over_to_other_names():
    def subgoals(number):
        return [("identify()", 2), (f"review({number})", 4), (f"cancel({number})", 6)]

    known = [
        AnnotatedTrajectory.of(conversation(*one), subgoals(one[1].lower()), "me")
        for one in (("mia_li_1", "AB12", 7), ("tom_oz_2", "CD34", 8))
    ]
    path = conversation("eva_x_3", "EF56", 9)
    wanted = AnnotatedTrajectory.of(path, subgoals("ef56"), "me")
    found = TransferTeacher(known).annotate(path)
    assert fidelity([(found.spans, wanted.spans)]).exact == 1.0


def test_the_scripted_teacher_names_turns_by_their_tools():
    one = ScriptedTeacher()
    path = conversation("eva_x_3", "EF56", 9)
    one.study([path])
    names = [str(span.subgoal) for span in one.annotate(path).spans]
    assert names[0] == "say()"
    assert names[1].startswith("get_user(")
