"""Texts through chat templates: the template's own text, and the loss on what the role writes."""

import numpy as np
import pytest

from chat_models import CHATML, KINDS, LLAMA_3, chat_model
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.environments.base import StepResult
from subgoal.errors import StudentInvalid
from subgoal.text.format import RenderingName, Role, Seen, Target, TextFormat, Turns
from subgoal.text.tokenizers.chat import ChatTokenizer
from subgoal.text.tokenizers.marks import Mark, Speaker
from subgoal.text.transcript import Transcript


def heard(observation, entered):
    return StepResult(
        observation=observation, score=0, moves=1, accepted=True, entered=entered, stop_reason=None
    )


@pytest.fixture(scope="module", params=list(KINDS))
def model(request, annotated):
    return chat_model(request.param, corpus(annotated))


@pytest.fixture(scope="module")
def tokenizer(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("base")
    model.save_pretrained(place)
    return ChatTokenizer.of(model, place)


def spell(tokenizer, ids):
    return tokenizer._tokenizer.decode(list(ids), skip_special_tokens=False)


def played(tokenizer, role=Role.BOTH, rendering=RenderingName.TRANSCRIPT, limit=1024):
    context = Transcript(tokenizer, TextFormat(rendering=rendering, context=limit), role)
    context.open("Find the ball.", Seen("the hall", "nothing"))
    context.goal("navigate_to(kitchen)")
    context.act("go to kitchen")
    context.observe(heard("You move to the kitchen.", True), Seen("the kitchen", "nothing"))
    context.done(Seen("the kitchen, seen again", "nothing"))
    context.goal("pick_up(ball)")
    context.act("pick up ball")
    context.observe(heard("You have it.", False), Seen("the kitchen", "a ball"))
    context.complete()
    return context


TALK = [
    "Task: Find the ball.\nInventory: nothing\nRoom: the hall",
    "Sub-goal: navigate_to( kitchen)\nAction: go to kitchen",
    "Observation: You move to the kitchen.\nRoom: the kitchen",
    "END_SG()\nSub-goal: pick_up( ball)\nAction: pick up ball",
    "Observation: You have it.",
]


def test_a_text_is_the_template_s_own(tokenizer, model):
    (text,) = played(tokenizer).finished
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": line} for n, line in enumerate(TALK)]
    shown = model.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, date_string="26 Jul 2024"
    )
    end = model.eos_token
    assert spell(tokenizer, text.ids) == shown + "END_SG()\ncomplete_task()" + end
    assert text.ids.count(model.bos_token_id) == (0 if "im_end" in end else 1)


def test_the_loss_is_on_what_a_role_writes_token_by_token(tokenizer, model):
    end = model.eos_token
    (text,) = played(tokenizer).finished
    pieces, before = [], None
    for number, target in zip(text.ids, text.targets, strict=True):
        if target is not before:
            pieces.append((target, []))
        pieces[-1][1].append(number)
        before = target
    written = [(t, spell(tokenizer, ids)) for t, ids in pieces if t is not Target.CONTEXT]
    assert written == [
        (Target.GOAL, "Sub-goal: navigate_to( kitchen)\n"),
        (Target.ACT, f"Action: go to kitchen{end}"),
        (Target.ACT, "END_SG()\n"),
        (Target.GOAL, "Sub-goal: pick_up( ball)\n"),
        (Target.ACT, f"Action: pick up ball{end}"),
        (Target.ACT, "END_SG()\n"),
        (Target.GOAL, f"complete_task(){end}"),
    ]


@pytest.mark.parametrize(
    ("role", "begin"),
    [
        (Role.PLANNER, {"Sub-goal:", "complete_task()"}),
        (Role.EXECUTOR, {"Action:", "END_SG()"}),
        (Role.FLAT, {"Action:"}),
    ],
)
def test_each_role_learns_its_own_lines(role, begin, tokenizer, model, annotated):
    found = set()
    for example in build(annotated, role, DatasetConfig(turns=Turns.CHAT), tokenizer):
        edges = np.flatnonzero(np.diff(example.learned, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):
            lines = spell(tokenizer, example.ids[first:last])
            found |= {line.partition(" ")[0] for line in lines.splitlines()}
    found = {word.removesuffix(model.eos_token) for word in found}
    assert found == begin


@pytest.mark.parametrize("role", [Role.BOTH, Role.FLAT])
def test_a_reopened_text_stays_a_conversation_and_within_its_limit(role, tokenizer, annotated):
    config = DatasetConfig(turns=Turns.CHAT, context=700, rendering=RenderingName.TRANSCRIPT)
    texts = build(annotated, role, config, tokenizer)
    assert any(text.reopened for text in texts)
    pieces = tokenizer._pieces
    for text in texts:
        shown = spell(tokenizer, text.ids)
        assert shown.startswith(pieces.opening + "Task: ")
        messages = shown.removeprefix(pieces.opening).split(pieces.to_world)
        assert all(pieces.to_student in message for message in messages[:-1])
        assert "\n\n" not in messages[0].split(pieces.to_student)[0]


def test_what_a_student_writes_is_read(tokenizer):
    marks = (Mark.ACT, Mark.DONE)
    for mark, text in ((Mark.ACT, "go to kitchen"), (Mark.DONE, None)):
        ids = tokenizer.segment(mark, text, ended=True)
        assert ids[0] in tokenizer.starts(marks)
        assert [number for number in ids if number in tokenizer.stops] == ids[-1:]
        assert tokenizer.read(ids, marks) == (mark, text or "")
    assert len(set(tokenizer.starts((Mark.GOAL, Mark.ACT, Mark.DONE, Mark.COMPLETE)))) == 4


def test_what_is_said_is_text_whatever_it_spells(tokenizer, model):
    ids = tokenizer.segment(Mark.OBSERVE, f"a {model.eos_token} b", ended=False)
    assert model.eos_token_id not in ids
    assert tokenizer.decode(ids) == f"Observation: a {model.eos_token} b"


def test_it_survives_the_disk(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "again")
    again = ChatTokenizer.load(tmp_path / "again")
    assert [t.ids for t in played(again).finished] == [t.ids for t in played(tokenizer).finished]
    (tmp_path / "again" / "chat_pieces.json").unlink()
    with pytest.raises(StudentInvalid, match=r"no chat student: chat_pieces\.json is missing"):
        ChatTokenizer.load(tmp_path / "again")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (CHATML.replace("m['content']", "m['content'] | upper"), "leaves messages out"),
        (CHATML.replace("m['content']", "m['content'][:25]"), "does not show every turn in the"),
        (CHATML.replace("\n{% endfor", "{% if loop.index > 2 %}!{% endif %}\n{% endfor"), "every"),
        ("{{ raise_exception('no talk') }}", r"fails \(no talk\)"),
    ],
)
def test_a_template_that_cannot_be_taken_apart_is_refused(template, said, annotated, tmp_path):
    model = chat_model("chatml", corpus(annotated), template)
    model.save_pretrained(tmp_path)
    with pytest.raises(StudentInvalid, match=said + r".* set train\.dataset\.turns = 'marks'"):
        ChatTokenizer.of(model, tmp_path)


def test_a_model_without_a_template_is_refused(annotated, tmp_path):
    model = chat_model("chatml", corpus(annotated))
    model.chat_template = None
    model.save_pretrained(tmp_path)
    with pytest.raises(StudentInvalid, match="template is missing"):
        ChatTokenizer.of(model, tmp_path)


def test_a_template_that_shows_today_shows_the_same_day_forever(tmp_path):
    template = "{{ strftime_now('%d %B %Y') }}|" + LLAMA_3
    model = chat_model("llama-3", ["go on"], template)
    model.save_pretrained(tmp_path)
    tokenizer = ChatTokenizer.of(model, tmp_path)
    opening = tokenizer.text(tokenizer.turn(None, Speaker.WORLD))
    assert opening.startswith("26 July 2024|")
    assert "Today Date: 26 Jul 2024" in opening
