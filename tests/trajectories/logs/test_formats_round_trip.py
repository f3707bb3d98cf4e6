"""Whatever a log is written in: what is read are its turns, and writing it again loses nothing."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from log_records import RECORDS, conversations
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.trajectories.logs.conversation import Author
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats import FORMATS
from subgoal.trajectories.logs.turn_text import Turn, read_turn
from subgoal.trajectories.logs.writing import LogForm, written

every_format = pytest.mark.parametrize("kind", RECORDS)
TOKENIZER = MarkTokenizer.train(["a b c", "-> find()"], 400)


def read(record) -> tuple[str, Any]:
    """Read a record of a file in the format that is found."""
    held = json.loads(json.dumps(record))
    kind = next(one for one in FORMATS.values() if one.fits(held))
    (one,) = kind.read(held)
    return kind.name, one


def done(one):
    """Return the agent's turns, without what a format may not have."""
    return [(said.text, said.thought, said.calls, said.learned) for said in one.turns]


def came_back(one):
    return [(said.author, said.text, said.answers) for said in one.messages]


def _stretches(example):
    """Decode what is in the loss, one text a turn."""
    turn = []
    for number, counts in zip(example.ids, example.learned, strict=True):
        if counts:
            turn.append(int(number))
        if turn and (not counts or number in TOKENIZER.stops):
            yield TOKENIZER.text(turn)
            turn = []


@every_format
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(one=conversations())
def test_what_is_read_and_learned_are_the_turns_of_the_log(kind, one):
    name, record, fit = RECORDS[kind]
    one = fit(one)
    found, again = read(record(one))
    assert found == name
    assert done(again) == done(one)
    assert came_back(again) == came_back(one)
    path = trajectory(again, "log:test", "chat", 0, 100, True)
    annotated = AnnotatedTrajectory.of(path, [("do()", len(path.steps))], teacher="test")
    config = DatasetConfig(context=20_000, turn=2_000, answer=0)
    acts = [
        text.removeprefix("<|act|>").removesuffix("<|end|>")
        for example in build([annotated], Role.FLAT, config, TOKENIZER)
        for text in _stretches(example)
    ]
    learned = [
        Turn(turn.text, _bare(turn.calls))
        for turn in one.turns
        if turn.learned and (turn.text or turn.calls)
    ]
    assert [turn._replace(calls=_bare(turn.calls)) for turn in map(read_turn, acts)] == learned


def _bare(called):
    return tuple(call.model_copy(update={"id": ""}) for call in called)


@every_format
@pytest.mark.parametrize("form", LogForm)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(one=conversations(), reward=st.none() | st.floats(0, 1))
def test_a_log_that_is_written_again_has_lost_nothing(kind, form, one, reward):
    _, record, fit = RECORDS[kind]
    _, first = read(record(fit(one)))
    first = first.model_copy(update={"reward": reward, "id": first.id or "made up"})
    _, again = read(written(first, [], form))
    assert again.id == first.id
    assert [said[:3] for said in map(_told, again.messages)] == [
        said[:3] for said in map(_told, first.messages)
    ]
    for before, after in zip(first.messages, again.messages, strict=True):
        assert not before.answers or after.answers == before.answers
    assert again.tools == first.tools
    kept = first.fields if reward is None else {**first.fields, "reward": reward}
    for key, value in kept.items():
        assert value in (again.fields.get(key), again.fields.get(f"{key}_")) or key in CHANGED
    _, third = read(written(again, [], form))
    assert third == again


CHANGED = {"schema_version", "trajectory_id"}


def _told(said):
    learned = said.learned or said.author is not Author.ASSISTANT
    return said.author, (said.text, said.thought, learned), _bare(said.calls)
