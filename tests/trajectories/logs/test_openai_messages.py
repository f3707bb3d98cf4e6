"""OpenAI's messages, in all the forms in which people have them."""

import json
from typing import Any

import pytest

from subgoal.trajectories.logs.conversation import Author, Call
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.base import SkipKind, Skipped, Unreadable
from subgoal.trajectories.logs.formats.openai_messages import OpenAIMessages
from subgoal.trajectories.logs.reading import conversations


def called(name, arguments, number="c1"):
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM, ASK = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rome?"}
CALLING = {"role": "assistant", "content": None, "tool_calls": [called("find", '{"city": "Rome"}')]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "3 hotels"}
ANSWER = {"role": "assistant", "content": "There are 3."}
THOSE = {"n": 1.5, "s": 'a"b'}
WHOLE = [SYSTEM, ASK, CALLING, RESULT, ANSWER]


def read(*messages, **more):
    (one,) = OpenAIMessages().read({"messages": list(messages), **more})
    return one


def steps(*messages, **more):
    held = read(*messages, **more)
    path = trajectory(held, "log:test", "chat", 0, 100, True)
    return [(step.action, step.observation) for step in path.steps]


def test_a_conversation_becomes_a_path():
    tools = [
        {
            "type": "function",
            "function": {
                "name": "find",
                "description": "Finds\n hotels.",
                "parameters": {
                    "properties": {"city": {"type": "string"}, "stars": {"enum": [1, "two"]}},
                    "required": ["city"],
                },
            },
        }
    ]
    path = trajectory(read(*WHOLE, tools=tools, id="a"), "log:test", "chat", 4, 100, True)
    assert path.task.description == (
        'Be brief.\n\nTools:\nfind(city: string, stars?: 1 | "two"): Finds hotels.'
    )
    assert path.key == "log:test/chat/4#a"
    assert path.steps[0].look == "Rome?"
    assert [(step.action, step.observation) for step in path.steps] == [
        ('-> find(city="Rome")', "3 hotels"),
        ("There are 3.", ""),
    ]


@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_turn_that_only_calls_says_nothing(nothing):
    for turn in ({**CALLING, "content": nothing}, {k: CALLING[k] for k in ("role", "tool_calls")}):
        assert steps(ASK, turn, RESULT)[0][0] == '-> find(city="Rome")'


def test_words_and_calls_of_one_turn_stay_together():
    turn = {**CALLING, "content": "One moment."}
    assert steps(ASK, turn, RESULT)[0][0] == 'One moment.\n-> find(city="Rome")'


def test_results_stand_in_the_order_of_the_calls():
    turn = {"role": "assistant", "tool_calls": [called("a", "{}", "1"), called("b", "{}", "2")]}
    late = {"role": "tool", "tool_call_id": "1", "content": "first"}
    soon = {"role": "tool", "tool_call_id": "2", "content": "second"}
    assert steps(ASK, turn, soon, late) == [("-> a()\n-> b()", "a: first\nb: second")]


@pytest.mark.parametrize("arguments", [THOSE, json.dumps(THOSE), json.dumps(json.dumps(THOSE))])
def test_arguments_are_an_object_however_often_they_were_encoded(arguments):
    turn = {"role": "assistant", "tool_calls": [called("f", arguments)]}
    (turn,) = read(ASK, turn).turns
    assert turn.calls == (Call(name="f", arguments=THOSE, id="c1"),)


@pytest.mark.parametrize("arguments", ["{", "[1]", "7", 7, '"x"'])
def test_arguments_that_are_no_object_are_named(arguments):
    with pytest.raises(Unreadable) as why:
        read(ASK, {"role": "assistant", "tool_calls": [called("f", arguments)]})
    assert why.value.kind is SkipKind.ARGUMENTS


def test_other_forms_say_the_same():
    parts = [{"type": "text", "text": "Ro"}, {"type": "text", "text": "me?"}]
    old = {"role": "assistant", "function_call": {"name": "find", "arguments": '{"city": "Rome"}'}}
    found = {"role": "function", "name": "find", "content": "3 hotels"}
    developer = {**SYSTEM, "role": "developer"}
    assert steps(developer, {"role": "user", "content": parts}, old, found, ANSWER) == steps(*WHOLE)
    logged = {"request": {"messages": WHOLE[:-1]}, "response": {"choices": [{"message": ANSWER}]}}
    for record in (WHOLE, logged, {"messages": WHOLE[:-1], "choices": [{"message": ANSWER}]}):
        (one,) = OpenAIMessages().read(record)
        assert one.messages == read(*WHOLE).messages


def test_thoughts_and_weights_are_kept_apart():
    first, second = read(
        ASK, {**ANSWER, "reasoning_content": "Count."}, ASK, {**ANSWER, "weight": 0}
    ).turns
    assert (first.thought, first.text, first.learned) == ("Count.", "There are 3.", True)
    assert not second.learned


def test_a_result_without_its_call_is_named():
    for messages in ([RESULT, ANSWER], [ASK, ANSWER, RESULT], [ASK, CALLING, RESULT, RESULT]):
        with pytest.raises(Unreadable) as why:
            steps(*messages)
        assert why.value.kind is SkipKind.RESULT


def test_a_file_says_of_every_record_what_became_of_it(tmp_path):
    log = tmp_path / "log.jsonl"
    records = [
        {"id": "a", "messages": WHOLE},
        {"id": "a", "messages": WHOLE},
        {"id": "b", "messages": [ASK]},
        {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]},
        {"messages": [{"role": "alien", "content": "x"}]},
        {"messages": WHOLE},
    ]
    log.write_text("\n".join([*map(json.dumps, records), '{"messages": [']))
    found = list(conversations(log))
    kinds = {one.place: one.kind for one in found if isinstance(one, Skipped)}
    assert kinds == {
        "log.jsonl:2": SkipKind.TWICE,
        "log.jsonl:3": SkipKind.EMPTY,
        "log.jsonl:4": SkipKind.FORMAT,
        "log.jsonl:5": SkipKind.MESSAGE,
        "log.jsonl:7": SkipKind.DAMAGED,
    }
    assert [one.id for one in found if not isinstance(one, Skipped)] == ["a", "log-6"]


def test_one_array_of_messages_is_one_conversation(tmp_path):
    log = tmp_path / "log.json"
    log.write_text(json.dumps(WHOLE, indent=1))
    one: Any = next(iter(conversations(log)))
    assert [message.author for message in one.messages][-1] is Author.ASSISTANT
    assert len(one.messages) == len(WHOLE)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    seen = set()
    for folder in ("a", "b", "b"):
        log = tmp_path / folder / "log.json"
        log.parent.mkdir(exist_ok=True)
        log.write_text(json.dumps(WHOLE))
        list(conversations(log, seen=seen))
    assert seen >= {"log-1", "b/log-1"}


RESPONSE = {"id": "r", "choices": [{"message": ANSWER}]}
REQUEST = {"messages": [ASK], "tools": [{"type": "function", "function": {"name": "find"}}]}


@pytest.mark.parametrize(
    "record",
    [
        {**RESPONSE, **REQUEST},  # a stored completion
        {"request": REQUEST, "response": RESPONSE},
        {"request": {"body": REQUEST}, "response": {"body": RESPONSE}},  # a proxy
        {"body": REQUEST, "response": {"body": RESPONSE}},  # a batch, joined
        {"messages": {}, "proxy_server_request": json.dumps(REQUEST), "response": RESPONSE},
        {"messages": [ASK], "model_parameters": {"tools": REQUEST["tools"]}, "response": RESPONSE},
        {
            "messages": json.dumps([ASK]),
            "tools": REQUEST["tools"],
            "response": json.dumps(RESPONSE),
        },
    ],
)
def test_logged_requests_have_their_messages_and_tools_wherever_they_stand(record):
    assert OpenAIMessages().fits(record)
    (one,) = OpenAIMessages().read(record)
    assert [said.text for said in one.messages] == ["Rome?", "There are 3."]
    assert one.tools[0]["function"] == {"name": "find"}


def test_a_response_without_its_request_is_named():
    with pytest.raises(Unreadable) as why:
        list(OpenAIMessages().read({"custom_id": "a", "response": {"body": RESPONSE}}))
    assert why.value.kind is SkipKind.MESSAGE


@pytest.mark.parametrize(
    "more",
    [
        {"reasoning_content": "Hm."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"content": "<think>\nHm.\n</think>\n\nThere are 3."},
    ],
)
def test_thoughts_are_kept_apart_wherever_they_stand(more):
    turn = read(ASK, {**ANSWER, **more}).turns[0]
    assert (turn.thought, turn.text) == ("Hm.", "There are 3.")


def test_calls_may_be_a_text_or_of_a_tool_that_takes_any_text():
    as_text = {**CALLING, "tool_calls": json.dumps(CALLING["tool_calls"])}
    assert steps(ASK, as_text)[0][0] == '-> find(city="Rome")'
    custom = {"id": "c", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
    assert steps(ASK, {**CALLING, "tool_calls": [custom]})[0][0] == '-> run(input="ls -l")'
    with pytest.raises(Unreadable):
        read(ASK, {**CALLING, "tool_calls": "find"})


def test_what_is_no_text_is_named_in_its_place_and_counted(tmp_path):
    image = {"type": "image_url", "image_url": {"url": "data:..."}}
    shown = {"role": "user", "content": [{"type": "text", "text": "Look: "}, image]}
    seen = {**RESULT, "content": [image, {"type": "row", "n": 1}]}
    spoken = {"role": "assistant", "content": None, "audio": {"transcript": "Rome."}}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"messages": [shown, CALLING, seen, spoken]}))
    one, *out = conversations(log)
    texts = ["Look: [image_url]", "", '[image_url]{"type": "row", "n": 1}', "Rome."]
    assert not isinstance(one, Skipped)
    assert [said.text for said in one.messages] == texts
    assert out == [Skipped(SkipKind.PART, "log.jsonl:1", "image_url")] * 2


def test_a_turn_without_words_and_calls_is_not_learned():
    nothing = {"role": "assistant", "content": None}
    path = trajectory(read(ASK, nothing, ASK, ANSWER), "log:test", "chat", 0, 100, True)
    assert [step.injected for step in path.steps] == [True, False]
