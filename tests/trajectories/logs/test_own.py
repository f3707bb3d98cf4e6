"""What this package writes is read again."""

import json
from contextlib import closing
from typing import Any

import pytest

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.environments.errand import ErrandWorld
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.base import SkipKind, Unreadable
from subgoal.trajectories.logs.formats.own import Own
from subgoal.trajectories.logs.importing import archive
from subgoal.trajectories.logs.reading import conversations
from subgoal.trajectories.replay import replay
from subgoal.trajectories.storage import journal

CALLS = tuple(Call(name="f", arguments={"n": n}, id=f"c{n}") for n in (1, 2))
TALK = LoggedConversation(
    id="a",
    messages=(
        Message(author=Author.SYSTEM, text="Be brief."),
        Message(author=Author.USER, text="x"),
        Message(author=Author.ASSISTANT, text="y", calls=CALLS, thought="t", learned=False),
        Message(author=Author.TOOL, text="1", answers="c1"),
        Message(author=Author.TOOL, text="2", answers="c2"),
        Message(author=Author.ASSISTANT, calls=CALLS[:1]),
        Message(author=Author.TOOL, text="3", answers="c1"),
    ),
    reward=0.5,
    fields={"k": {"n": 1}},
)


def read(record):
    held = json.loads(record.model_dump_json())
    assert Own().fits(held)
    (one,) = Own().read(held)
    return one


def log_path(one):
    return trajectory(one, "log:test", "chat", 0, 50, False)


def test_conversations_come_back_as_they_were():
    assert read(TALK) == TALK


def test_trajectories_of_a_log_come_back_with_their_steps():
    path = log_path(TALK)
    one = read(path)
    assert (one.id, one.reward) == ("a", 0.5)
    assert log_path(one).steps == path.steps
    spans = (SubgoalSpan(subgoal=Subgoal(name="do"), first=1, last=2),)
    assert read(AnnotatedTrajectory(trajectory=path, spans=spans, teacher="test")) == one


def test_a_path_through_a_world_is_a_conversation():
    with ErrandWorld() as world:
        task = world.tasks("train")[0]
        path = replay(world, task, world.oracle_path(task), "oracle")
    one = read(path)
    assert tuple(turn.text for turn in one.turns) == path.actions
    assert (one.id, one.reward) == (path.key, 1.0)
    assert one.fields["task"]["name"] == task.name
    answers = [step.observation for step in log_path(one).steps]
    assert answers == [step.observation for step in path.steps]


def test_journals_are_read(tmp_path):
    folder = RunFolder(tmp_path)
    for one, record in ((archive(folder), TALK), (journal(folder), log_path(TALK))):
        with closing(one):
            one.append(record)  # pyright: ignore[reportArgumentType] # each its own kind
        path = one.path
        for _ in range(2):
            read_again: Any = next(iter(conversations(path)))
            assert read_again.id == "a"
            path = one.seal()


def test_what_is_damaged_is_named():
    held = json.loads(log_path(TALK).model_dump_json())
    for damaged in ({**held, "steps": [{}]}, {"messages": [{"author": "alien"}]}):
        with pytest.raises(Unreadable) as why:
            list(Own().read(damaged))
        assert why.value.kind is SkipKind.MESSAGE
