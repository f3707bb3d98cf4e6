"""SWE-agent's files, after its documentation and demonstrations."""

import json
from typing import Any

from subgoal.trajectories.logs.conversation import Author, Call
from subgoal.trajectories.logs.formats.swe_agent import SWEAgent
from subgoal.trajectories.logs.reading import conversations

STEP = {"response": "Look.\n```\nls\n```", "thought": "Look.", "action": "ls\n", "state": "{}",
        "observation": "setup.py"}  # fmt: skip
SYSTEM = {"role": "system", "content": "SETTING: You work.", "agent": "main"}
ISSUE = {"role": "user", "content": "ISSUE: it fails"}
TURN = {"role": "assistant", "content": STEP["response"], "thought": "Look.", "action": "ls\n"}
CALLING = {
    "role": "assistant",
    "content": "Let's find it.",
    "thought": "Let's find it.",
    "action": "find_file a.py",
    "tool_calls": [
        {"id": "c1", "function": {"name": "find_file", "arguments": '{"file_name": "a.py"}'}}
    ],
}
FOUND = {"role": "tool", "content": "Found 1", "tool_call_ids": ["c1"]}
INFO = {"exit_status": "submitted", "model_stats": {"api_calls": 1}}


def read(**record):
    assert SWEAgent().fits(record)
    (one,) = SWEAgent().read(record)
    return one


def said(one):
    return [(message.author, message.thought, message.text) for message in one.messages]


def test_actions_stand_apart_from_thoughts():
    demo = {**TURN, "is_demo": True}
    history = [SYSTEM, demo, ISSUE, TURN, {"role": "user", "content": "setup.py"}]
    one = read(trajectory=[STEP], history=history, info=INFO, environment="main")
    assert said(one)[3:] == [
        (Author.ASSISTANT, "Look.", "ls\n"),
        (Author.USER, "", "setup.py"),
    ]
    assert [turn.learned for turn in one.turns] == [False, True]
    assert one.fields == {"environment": "main", "info": INFO, "exit_status": "submitted"}


def test_calls_of_tools_are_the_action():
    one = read(history=[SYSTEM, ISSUE, CALLING, FOUND])
    (turn,) = one.turns
    assert (turn.text, turn.thought) == ("", "Let's find it.")
    assert turn.calls == (Call(name="find_file", arguments={"file_name": "a.py"}, id="c1"),)
    assert one.messages[-1].answers == "c1"


def test_without_a_history_the_steps_are_the_conversation():
    one = read(trajectory=[{**STEP, "query": [SYSTEM, ISSUE]}, {**STEP, "action": ""}])
    assert [author for author, *_ in said(one)] == [
        Author.SYSTEM, Author.USER, Author.ASSISTANT, Author.USER, Author.ASSISTANT, Author.USER,
    ]  # fmt: skip
    assert [turn.text for turn in one.turns] == ["ls\n", STEP["response"]]


def test_a_last_step_that_the_history_leaves_out_is_kept():
    last = {**STEP, "action": "submit"}
    one = read(trajectory=[STEP, last], history=[SYSTEM, ISSUE, TURN])
    assert [turn.text for turn in one.turns] == ["ls\n", "submit"]
    one = read(trajectory=[STEP, last], history=[SYSTEM, ISSUE, CALLING, FOUND])
    assert len(one.turns) == 1


def test_a_document_of_many_lines_is_one_conversation(tmp_path):
    path = tmp_path / "marshmallow-1867.traj"
    path.write_text(json.dumps({"history": [SYSTEM, ISSUE, TURN]}, indent=2))
    one: Any = next(iter(conversations(path)))
    assert one.id == "marshmallow-1867-1"
