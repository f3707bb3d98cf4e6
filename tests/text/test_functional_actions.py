import gzip
import json
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.environments.language import NO_WORDS
from subgoal.environments.scienceworld.language import LANGUAGE
from subgoal.text.functional_actions import elementary_action, functional_action

FORMS = {
    "pick up thermometer": "PICK(thermometer)",
    "teleport to kitchen": "TELEPORT(kitchen)",
    "go to kitchen": "GO(kitchen)",
    "use thermometer in inventory on water": "USE(thermometer in inventory, water)",
    "open door to kitchen": "OPEN(door to kitchen)",
    "move red ball to blue box": "MOVE(red ball, blue box)",
    "pour jug in sink in cup": "POUR(jug in sink, cup)",
    "look around": "LOOK()",
    "wait": "WAIT()",
    "wait1": "WAIT(1)",
    "0": "CHOOSE(0)",
    "dance": "dance",
    "PICK(cup)": "DO(PICK(cup))",
}


@pytest.mark.parametrize(("action", "form"), FORMS.items())
def test_actions_and_their_forms(action, form):
    assert functional_action(action, LANGUAGE) == form
    assert elementary_action(form, LANGUAGE) == action


def test_every_action_of_the_shipped_paths_comes_back():
    folder = files("subgoal.trajectories") / "oracle_paths"
    actions = {
        action
        for name in ("scienceworld.jsonl.gz", "scienceworld.recorded.jsonl.gz")
        for line in gzip.decompress((folder / name).read_bytes()).splitlines()
        for action in json.loads(line)["actions"]
    }
    recorded = recorded_annotations("scienceworld")
    actions |= {action for one in recorded for action in one.trajectory.actions}
    assert len(actions) > 1600
    forms = {action: functional_action(action, LANGUAGE) for action in actions}
    assert all(elementary_action(form, LANGUAGE) == action for action, form in forms.items())
    assert all("(" in form for form in forms.values())
    assert len(set(forms.values())) == len(actions)


@given(st.one_of(st.text(), st.from_regex(r"(DO|USE|PICK|LOOK|WAIT|move a )\(.*\)")))
@example("DO(x)")
@example("move a, b to c")
@example("pour a in b into c")
@example("WAIT(1)")
@example("pick up ")
@example("LOOK_IN()")
def test_any_text_comes_back(text):
    for language in (LANGUAGE, NO_WORDS):
        assert elementary_action(functional_action(text, language), language) == text


def test_a_world_without_forms_keeps_its_actions():
    assert functional_action("pick up cup", NO_WORDS) == "pick up cup"
