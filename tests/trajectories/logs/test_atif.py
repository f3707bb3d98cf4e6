"""Harbor's trajectories, after the specification of ATIF."""

import pytest

from subgoal.trajectories.logs.conversation import Author, Call
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.atif import ATIF
from subgoal.trajectories.logs.formats.base import SkipKind, Unreadable

SYSTEM = {"step_id": 1, "source": "system", "message": "You work."}
ASK = {"step_id": 2, "source": "user", "message": [{"type": "text", "text": "Rome?"}]}
CALLS = [
    {"tool_call_id": "c1", "function_name": "find", "arguments": {"city": "Rome"}},
    {"tool_call_id": "c2", "function_name": "find", "arguments": {"city": "Pisa"}},
]
CALLING = {
    "step_id": 3,
    "source": "agent",
    "message": "One moment.",
    "reasoning_content": "Both.",
    "tool_calls": CALLS,
    "observation": {
        "results": [
            {"source_call_id": "c2", "content": "1"},
            {"source_call_id": "c1", "content": [{"type": "text", "text": "3"}]},
        ]
    },
    "metrics": {"prompt_tokens": 1},
}
TERMINAL = {
    "step_id": 4,
    "source": "agent",
    "message": "ls",
    "observation": {"results": [{"content": "a.py"}]},
}
AGENT = {"name": "a", "version": "1", "tool_definitions": [{"function": {"name": "find"}}]}


def document(*steps, **more):
    return {
        "schema_version": "ATIF-v1.8",
        "session_id": "s",
        "agent": AGENT,
        "steps": list(steps),
        **more,
    }


def read(record):
    assert ATIF().fits(record)
    return list(ATIF().read(record))


def test_a_document_becomes_a_path():
    (one,) = read(document(SYSTEM, ASK, CALLING, TERMINAL, extra={"score": 1}, notes="n"))
    assert one.turns[0].thought == "Both."
    assert one.turns[0].calls[1] == Call(name="find", arguments={"city": "Pisa"}, id="c2")
    assert one.id == "s"
    assert one.tools == tuple(AGENT["tool_definitions"])
    assert one.fields == {
        "schema_version": "ATIF-v1.8",
        "session_id": "s",
        "agent": {"name": "a", "version": "1"},
        "notes": "n",
        "score": 1,
    }
    path = trajectory(one, "log:test", "chat", 0, 100, True)
    assert [(step.action, step.observation) for step in path.steps] == [
        ('One moment.\n-> find(city="Rome")\n-> find(city="Pisa")', "find: 3\nfind: 1"),
        ("ls", "a.py"),
    ]


def test_copied_context_and_what_no_model_said_is_read_only():
    steps = [
        {**TERMINAL, "is_copied_context": True},
        {**TERMINAL, "llm_call_count": 0},
        {**TERMINAL, "llm_call_count": 1},
    ]
    (one,) = read(document(*steps))
    assert [turn.learned for turn in one.turns] == [False, False, True]


def test_subagents_are_conversations_of_their_own():
    inner = document(TERMINAL, session_id=None, trajectory_id="in")
    sub = document(ASK, TERMINAL, session_id=None, trajectory_id="sub")
    ids = [one.id for one in read(document(ASK, TERMINAL, subagent_trajectories=[
        {**sub, "subagent_trajectories": [inner]}]))]  # fmt: skip
    assert ids == ["s", "s/sub", "s/sub/in"]


def test_a_result_without_an_id_answers_the_only_call():
    step = {**CALLING, "tool_calls": CALLS[:1], "observation": {"results": [{"content": "3"}]}}
    (one,) = read(document(step))
    assert one.messages[1].author is Author.TOOL


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ({"source": "alien", "message": "x"}, SkipKind.MESSAGE),
        ({**CALLING, "tool_calls": [{**CALLS[0], "arguments": "{"}]}, SkipKind.ARGUMENTS),
        ({**CALLING, "tool_calls": []}, SkipKind.RESULT),
        ({**CALLING, "tool_calls": CALLS[:1]}, SkipKind.RESULT),
    ],
)
def test_what_cannot_be_read_is_named(step, kind):
    with pytest.raises(Unreadable) as why:
        [trajectory(one, "log:test", "chat", 0, 100, True) for one in read(document(ASK, step))]
    assert why.value.kind is kind
