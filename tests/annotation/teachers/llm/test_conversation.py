"""A path is asked about until it is annotated, or the rounds are over."""

import json

import pytest

from subgoal.annotation.teachers.llm.conversation import Conversation
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.errors import AnnotationInvalid

ANNOTATED = next(one for one in recorded_annotations("scienceworld") if len(one.spans) == 7)
PATH, SPANS = ANNOTATED.trajectory, ANNOTATED.spans


def talk(rounds: int = 3) -> Conversation:
    conversation = Conversation(PATH, Prompt())
    conversation.rounds = rounds
    return conversation


def test_a_good_reply_ends_it():
    conversation = talk()
    [question] = conversation.questions
    conversation.answer(question, render_pairs(SPANS))
    assert not conversation.questions
    annotation = conversation.annotation("a-model")
    assert annotation.spans == SPANS
    assert annotation.teacher == "a-model"
    assert annotation.prompt_digest == ANNOTATED.prompt_digest


def test_what_is_left_is_asked_and_joined():
    conversation = talk()
    [question] = conversation.questions
    ranges = [[str(s.subgoal), s.first, s.last] for s in SPANS if s not in SPANS[2:4]]
    conversation.answer(question, json.dumps(ranges))
    [rest] = conversation.questions
    assert rest.segment == (SPANS[2].first, SPANS[3].last)
    # The reply lets the sub-goal before go on for a step: they become one span.
    first, last = rest.segment
    reply = [[str(SPANS[1].subgoal), first], [str(SPANS[3].subgoal), last]]
    conversation.answer(rest, json.dumps(reply))
    found = conversation.annotation("m").spans
    assert [str(s.subgoal) for s in found] == [str(s.subgoal) for s in (*SPANS[:2], *SPANS[3:])]
    assert found[1].last == first


def test_a_useless_reply_is_answered_with_what_is_wrong():
    conversation = talk()
    [question] = conversation.questions
    conversation.answer(question, "I would rather not.")
    [again] = conversation.questions
    assert again.segment == question.segment
    assert again.messages[-2] == {"role": "assistant", "content": "I would rather not."}
    assert "holds no sub-goals" in again.messages[-1]["content"]
    conversation.answer(again, render_pairs(SPANS))
    assert conversation.annotation("m").spans == SPANS


@pytest.mark.parametrize("reply", ["", " \n", "<think>so</think>", "a draft </think>"])
def test_an_empty_turn_is_never_sent_back(reply):
    conversation = talk()
    sent = []
    for _ in range(2):
        [question] = conversation.questions
        sent.append(question.messages)
        conversation.answer(question, reply, "stop")
    [question] = conversation.questions
    sent.append(question.messages)
    assert all(turn["content"].strip() for messages in sent for turn in messages)
    roles = [turn["role"] for turn in question.messages if turn["role"] != "system"]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert sent[0] != sent[1] != sent[2]  # the ledger must not give the same reply again
    conversation.answer(question, render_pairs(SPANS), "stop")
    assert conversation.annotation("m").spans == SPANS


def test_a_thought_is_not_sent_back():
    conversation = talk()
    [question] = conversation.questions
    conversation.answer(question, "<think>[[a draft, 1]]</think>No.", "stop")
    [again] = conversation.questions
    assert again.messages[-2]["content"] == "No."


@pytest.mark.parametrize("reply", ["", "<think>on and on", "</think>"])
def test_a_reply_that_was_all_thought_is_paid_once(reply):
    conversation = talk(rounds=5)
    [question] = conversation.questions
    conversation.answer(question, reply, "length")
    assert not conversation.questions
    with pytest.raises(AnnotationInvalid, match="max_tokens"):
        conversation.annotation("m")


def test_a_reply_that_was_cut_off_in_its_answer_goes_on():
    conversation = talk()
    [question] = conversation.questions
    conversation.answer(question, render_pairs(SPANS[:5])[:-1], "length")
    assert conversation.questions


def test_after_the_rounds_it_is_a_failure_with_its_reason():
    conversation = talk(rounds=2)
    for _ in range(2):
        [question] = conversation.questions
        conversation.answer(question, "[]")
    assert not conversation.questions
    with pytest.raises(AnnotationInvalid, match="holds no sub-goals") as caught:
        conversation.annotation("m")
    assert caught.value.segments == ((1, len(PATH.steps)),)


def test_a_path_without_steps_is_not_asked():
    conversation = Conversation(PATH.model_copy(update={"steps": ()}), Prompt())
    assert not conversation.questions
    with pytest.raises(AnnotationInvalid, match="no steps"):
        conversation.annotation("m")
