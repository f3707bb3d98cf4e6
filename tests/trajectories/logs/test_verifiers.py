"""The files of verifiers, after its documentation and its records."""

import pytest

from subgoal.trajectories.logs.conversation import Author
from subgoal.trajectories.logs.formats.base import SkipKind, Unreadable
from subgoal.trajectories.logs.formats.verifiers import Verifiers

ASK = {"role": "user", "content": "1 + 1?"}
SHOT = {"role": "assistant", "content": "4"}
CALL = {"id": "c", "name": "add", "arguments": '{"a": 1, "b": 1}'}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "2"}
ANSWER = {"role": "assistant", "content": "2", "reasoning_content": "Easy."}
TOOL = {"name": "add", "description": "Adds.", "parameters": {}}


def read(record):
    assert Verifiers().fits(record)
    return list(Verifiers().read(record))


def test_a_rollout_is_learned_where_the_model_wrote():
    fields = {"example_id": 3, "task": "sums", "reward": 0.5, "metrics": {"m": 1}}
    said = {"prompt": [ASK, SHOT, ASK], "completion": [CALLING, RESULT, ANSWER]}
    (one,) = read({**fields, **said, "tool_defs": [TOOL]})
    assert [turn.learned for turn in one.turns] == [False, True, True]
    assert one.turns[1].calls[0].arguments == {"a": 1, "b": 1}
    assert one.turns[2].thought == "Easy."
    assert one.id == ""
    assert one.fields == fields
    assert one.tools == ({"type": "function", "function": TOOL},)


def test_prompt_and_completion_may_be_texts():
    (one,) = read({"prompt": "1 + 1?", "completion": "2", "reward": 1})
    assert [(said.author, said.text) for said in one.messages] == [
        (Author.USER, "1 + 1?"),
        (Author.ASSISTANT, "2"),
    ]


def node(message, parent, sampled=False):
    return {"message": message, "parent": parent, "sampled": sampled, "token_ids": [1]}


def episode(nodes, **trace):
    held = {"id": "t", "task": {"type": "Sum"}, "nodes": nodes, "tools": [TOOL], **trace}
    return {"id": "e", "env": {"id": "sums"}, "ok": True, "traces": [held]}


def test_branches_of_a_trace_are_conversations_of_one_thread():
    nodes = [
        node(ASK, None),
        node(CALLING, 0, True),
        node(RESULT, 1),
        node(ANSWER, 2, True),
        node(SHOT, 0),
        node(ANSWER, 4, True),
    ]
    rewards = {"right": {"score": 1.0, "weight": 0.5}, "form": {"score": 1}, "off": None}
    first, second = read(episode(nodes, rewards=rewards))
    assert [first.id, second.id] == ["t", "t-2"]
    assert {first.thread, second.thread} == {"t"}
    assert len(first.messages) == 4
    assert [turn.learned for turn in second.turns] == [False, True]
    assert first.fields["reward"] == 1.5
    assert first.fields["task"] == {"type": "Sum"}
    (alone,) = read({"id": "t", "nodes": nodes[:4]})
    assert alone.messages == first.messages
    assert alone.fields["reward"] is None


def test_the_tools_of_a_branch_are_those_of_its_first_node():
    nodes = [{**node(ASK, None), "tools": [{"type": "function", **TOOL}]}, node(ANSWER, 0, True)]
    (one,) = read(episode([*nodes], tools=[TOOL, {"name": "other"}]))
    assert one.tools == ({"type": "function", "function": TOOL},)


def test_what_another_agent_said_is_read_only():
    one, _ = read(
        episode([node(ANSWER, None, True), node(ANSWER, None, True)], agent={"trainable": False})
    )
    assert not one.turns[0].learned


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (episode([]), SkipKind.EMPTY),
        ({"id": "e", "traces": []}, SkipKind.EMPTY),
        (episode([node(ASK, 7)]), SkipKind.MESSAGE),
        (episode([node(ANSWER, None)], rewards={"a": {"score": "1"}}), SkipKind.REWARD),
    ],
)
def test_what_cannot_be_read_is_named(record, kind):
    with pytest.raises(Unreadable) as why:
        read(record)
    assert why.value.kind is kind
