"""What students learn from logs is what the log's agent did, to the letter."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus, long_turns
from subgoal.text.format import RenderingName, Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.trajectories.logs.conversation import Author, Call, LoggedConversation, Message
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.turn_text import Turn, read_turn

texts = st.text(max_size=20) | st.text(alphabet='<|act|> \n->"\\', max_size=20)
calls = st.builds(
    Call, name=texts, arguments=st.dictionaries(texts, texts | st.floats(0, 1), max_size=2)
)
turns = st.builds(
    Message,
    author=st.just(Author.ASSISTANT),
    text=texts,
    thought=texts,
    calls=st.lists(calls, max_size=2).map(tuple),
    learned=st.booleans(),
)
answers = st.builds(Message, author=st.just(Author.USER), text=texts)


@st.composite
def conversations(draw):
    """Messages of a user and an agent in turn, the first a system prompt."""
    messages = [Message(author=Author.SYSTEM, text=draw(texts)), draw(answers)]
    for turn in draw(st.lists(turns, min_size=1, max_size=6)):
        messages += [turn, draw(answers)]
    return LoggedConversation(id="a", messages=tuple(messages))


def annotated(conversation, ends, thoughts=False):
    """Set sub-goals that end where they may."""
    path = trajectory(conversation, "log:test", "chat", 0, 100, True, thoughts)
    last = len(path.steps)
    borders = [0, *sorted({end for end in ends if end < last}), last]
    spans = tuple(
        SubgoalSpan(subgoal=Subgoal(name="do", arguments=(str(to),)), first=first + 1, last=to)
        for first, to in pairwise(borders)
    )
    return AnnotatedTrajectory(trajectory=path, spans=spans, teacher="test")


TOKENIZER = MarkTokenizer.train(["a b c", "-> find()"], 400)


def learned(example):
    """Decode the stretches that are in the loss, one a turn."""
    stretches, turn = [], []
    for number, counts in zip(example.ids, example.learned, strict=True):
        if counts:
            turn.append(int(number))
        if turn and (not counts or number in TOKENIZER.stops):
            stretches.append(TOKENIZER.text(turn))
            turn = []
    return stretches


@pytest.mark.parametrize("rendering", [RenderingName.TRANSCRIPT, RenderingName.FOLDED])
@pytest.mark.parametrize("role", [Role.FLAT, Role.EXECUTOR, Role.BOTH])
@given(conversation=conversations(), ends=st.sets(st.integers(1, 5)), thoughts=st.booleans())
def test_what_is_learned_is_what_was_done(rendering, role, conversation, ends, thoughts):
    config = DatasetConfig(rendering=rendering, context=20_000, turn=2_000, answer=0)
    examples = build([annotated(conversation, ends, thoughts)], role, config, TOKENIZER)
    acts = [
        text.removeprefix("<|act|>").removesuffix("<|end|>")
        for example in examples
        for text in learned(example)
        if text.startswith("<|act|>") and text.endswith("<|end|>")
    ]
    done = [
        Turn(one.text, tuple(one.calls), one.thought if thoughts else "")
        for one in conversation.turns
        if one.learned and (one.text or one.calls)
    ]
    assert [read_turn(act) for act in acts] == done


def test_answers_are_shown_whole_and_descriptions_left_out_where_that_is_asked_for():
    said = "0123456789" * 400
    messages = [(Author.SYSTEM, "policy"), (Author.USER, "hi"), (Author.ASSISTANT, "go"),
                (Author.USER, said), (Author.ASSISTANT, "end")]  # fmt: skip
    talk = LoggedConversation(
        id="a", messages=tuple(Message(author=author, text=text) for author, text in messages)
    )
    whole = DatasetConfig(context=9_000, answer=0, folded_answer=0)
    cut = whole.model_copy(update={"answer": 100, "describe": False})
    one = annotated(talk, {1})
    examples = [build([one], Role.BOTH, config, TOKENIZER) for config in (whole, cut)]
    shown = ["".join(TOKENIZER.text(each.ids.tolist()) for each in held) for held in examples]
    assert said in shown[0]
    assert "policy" in shown[0]
    assert "policy" not in shown[1]
    assert said in "".join(corpus([one], whole.form))
    assert said not in "".join(corpus([one], cut.form))


def test_turns_that_are_too_long_to_be_written_are_counted():
    held = LoggedConversation(
        id="a",
        messages=tuple(
            Message(author=Author.ASSISTANT, text=text) for text in ("a", "long " * 50, "b" * 60)
        ),
    )
    found = long_turns([annotated(held, set())], TOKENIZER, TextFormat(turn=48))
    assert (found.number, found.share) == (2, 0.5)  # of three actions and a sub-goal
    assert found.text == "long " * 50
    assert found.longest == len(TOKENIZER.words(found.text)) + 1
    assert long_turns([annotated(held, set())], TOKENIZER, TextFormat(turn=300)).number == 0
