"""ShareGPT, after the examples of AgentGym, ETO and LLaMA-Factory."""

import json
from typing import Any

import pytest

from subgoal.trajectories.logs.conversation import Author, Call
from subgoal.trajectories.logs.formats.base import SkipKind, Skipped, Unreadable
from subgoal.trajectories.logs.formats.sharegpt import ShareGPT, thought_and_action
from subgoal.trajectories.logs.reading import conversations

AGENT_GYM = {
    "conversations": [
        {"from": "human", "loss": None, "value": "You are web shopping."},
        {"from": "gpt", "loss": False, "value": "Ok."},
        {"from": "human", "loss": None, "value": "WebShop [SEP] Search"},
        {
            "from": "gpt",
            "loss": True,
            "value": "Thought:\nI think I should search.\n\nAction:\nsearch[men's shorts]",
        },
    ],
    "item_id": "webshop_6",
}


def read(record):
    (one,) = ShareGPT().read(record)
    return one


def test_thoughts_stand_apart_and_what_is_not_trained_on_is_read_only():
    one = read(AGENT_GYM)
    first, second = one.turns
    assert (one.id, one.fields["item_id"]) == ("webshop_6", "webshop_6")
    assert (first.text, first.learned) == ("Ok.", False)
    assert (second.text, second.learned) == ("search[men's shorts]", True)
    assert second.thought == "I think I should search."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Thought: a\nAction: go to bed 1", ("a", "go to bed 1")),
        ("Thought: My Action: is clear.\nAction: go", ("My Action: is clear.", "go")),
        ("Thought: a Action: go", ("a", "go")),
        ("Thought: a\nAction: write\n\nAction: b", ("a", "write\n\nAction: b")),
        ("Thought:\n\nAction:\nlook", ("", "look")),
        ("Thought: a\nAction: ", ("", "Thought: a\nAction: ")),
        ("Action: go", ("", "Action: go")),
        ("go", ("", "go")),
    ],
)
def test_a_turn_is_parted_into_thought_and_action(text, parts):
    assert thought_and_action(text) == parts


def test_games_and_rewards_of_eto_are_fields():
    turns = AGENT_GYM["conversations"]
    assert read({"id": 3, "conversations": turns, "game_file": "a/b"}).fields == {
        "game_file": "a/b"
    }
    held = read({"meta": {"reward": 0.5, "steps": 2}, "conversations": turns})
    assert (held.id, held.fields["reward"], held.fields["meta"]["steps"]) == ("", 0.5, 2)


def test_calls_and_their_results():
    called = {"name": "find", "arguments": {"city": "Rome"}}
    one = read(
        {
            "system": "Be brief.",
            "tools": json.dumps([{"name": "find"}]),
            "conversations": [
                {"from": "human", "value": "Rome?"},
                {"from": "function_call", "value": json.dumps(called)},
                {"from": "observation", "value": "3 hotels"},
                {"from": "gpt", "value": "There are 3."},
            ],
        }
    )
    assert [message.author for message in one.messages] == [
        Author.SYSTEM, Author.USER, Author.ASSISTANT, Author.TOOL, Author.ASSISTANT,
    ]  # fmt: skip
    assert one.turns[0].calls == (Call(**called),)
    assert one.tools == ({"type": "function", "function": {"name": "find"}},)


def test_a_turn_from_nobody_is_named():
    with pytest.raises(Unreadable) as why:
        read({"conversations": [{"from": "alien", "value": "x"}]})
    assert why.value.kind is SkipKind.MESSAGE


def test_files_are_known_by_their_first_record(tmp_path):
    log = tmp_path / "log.json"
    for held in ([AGENT_GYM], AGENT_GYM["conversations"], AGENT_GYM):
        log.write_text(json.dumps(held))
        one: Any = next(iter(conversations(log)))
        assert len(one.turns) == 2
    log.write_text(json.dumps([AGENT_GYM, {"item_id": "webshop_5238", "conversations": None}]))
    _, none = conversations(log)
    assert isinstance(none, Skipped)
