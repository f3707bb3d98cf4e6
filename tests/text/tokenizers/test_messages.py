"""A log's conversation in chat templates: the template's own text, and turns that can be read."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat_models import QWEN, TOOL_TEMPLATES, chat_model
from subgoal.environments.base import StepResult
from subgoal.errors import ConfigInvalid, DataCorrupt, StudentInvalid
from subgoal.text.format import LEARNED, RenderingName, Role, Seen, Target, TextFormat, Turns
from subgoal.text.messages import MessageTranscript
from subgoal.text.tokenizers.call_form import JSON, LIST, TAGS, read_calls
from subgoal.text.tokenizers.marks import Mark
from subgoal.text.tokenizers.messages import MessageTokenizer
from subgoal.trajectories.logs.conversation import Call
from subgoal.trajectories.logs.episode import tool_lines
from subgoal.trajectories.logs.turn_text import read_turn, write_turn

FIND = {
    "name": "find",
    "description": "Finds hotels.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TOOLS = [{"type": "function", "function": FIND}]
SYSTEM = "Be kind.\nAsk first."
DESCRIPTION = "\n\n".join([SYSTEM, *tool_lines(TOOLS)])
PATH = [
    ('-> find(city="Ro\\"me", n=2)', '{"hotels": ["A"]}'),
    ("There is A.\nTake it?", "Yes"),
    ('-> find(city="Bonn")', "none"),
    ("None there.", ""),
]
NOW = Seen("Hello\nthere", "")


@pytest.fixture(scope="module", params=list(TOOL_TEMPLATES))
def kind(request):
    return request.param


def model_of(kind):
    tokenizer, template = TOOL_TEMPLATES[kind]
    return chat_model(tokenizer, ["Hello there, one moment."], template)


@pytest.fixture(scope="module")
def model(kind):
    return model_of(kind)


@pytest.fixture(scope="module")
def tokenizer(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("base")
    model.save_pretrained(place)
    return MessageTokenizer.load(place)


def form(**changed):
    held = {"rendering": RenderingName.TRANSCRIPT, "turns": Turns.MESSAGES, "context": 4096}
    return TextFormat.model_validate(held | changed)


def heard(observation):
    return StepResult(observation=observation, score=0, moves=1)


def told(tokenizer, role, path=PATH, prompts=None, **changed):
    """Tell a path of two sub-goals; put down what stands before all that is written."""
    context = MessageTranscript(tokenizer, form(**changed), role)

    def write(how, *what):
        if prompts is not None:
            prompts.append(list(context.prompt(())))
        how(*what)

    context.open(DESCRIPTION, NOW, json.dumps(TOOLS))
    for number, (action, answer) in enumerate(path):
        if context.has_goals and number in {0, 2}:
            if number:
                write(context.done, NOW)
            write(context.goal, f"look_up({number})")
        write(context.act, action)
        context.observe(heard(answer), NOW)
    context.complete() if context.has_goals else context.close()
    return context.finished


def written(text, role=Role.BOTH):
    """Return the stretches that a role learns."""
    stretches, before = [], False
    for number, target in zip(text.ids, text.targets, strict=True):
        if target in LEARNED[role]:
            if not before:
                stretches.append([])
            stretches[-1].append(number)
        before = target in LEARNED[role]
    return stretches


def as_messages(kind):
    """The same conversation as a template takes it, arguments as an object."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": NOW.room},
    ]
    for action, answer in PATH:
        turn = read_turn(action)
        calls = [{"function": {"name": c.name, "arguments": c.arguments}} for c in turn.calls]
        if kind == "smollm2":  # its template knows no tools
            messages.append({"role": "assistant", "content": LIST.write(turn.text, turn.calls)})
        elif calls:
            messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        else:
            messages.append({"role": "assistant", "content": turn.text})
        if calls and kind == "smollm2":
            wrapped = f"<tool_response>\n{answer}\n</tool_response>"
            messages.append({"role": "user", "content": wrapped})
        elif calls:
            quoted = kind == "llama-3" and answer.startswith("{")
            messages.append({"role": "tool", "content": json.loads(answer) if quoted else answer})
        elif answer:
            messages.append({"role": "user", "content": answer})
    if kind == "smollm2":
        shown = json.dumps(TOOLS)
        messages[0]["content"] += (
            f"\n\nYou have access to the following tools:\n<tools>{shown}</tools>\n\nTo call some "
            'of them, write:\n<tool_call>[{"name": "func_name1", "arguments": {"argument1": '
            '"value1"}}]</tool_call>'
        )
    return messages


def test_a_flat_text_is_the_template_s_own(kind, tokenizer, model):
    (text,) = told(tokenizer, Role.FLAT)
    shown = model.apply_chat_template(
        as_messages(kind),
        tools=None if kind == "smollm2" else TOOLS,
        tokenize=False,
        date_string="26 Jul 2024",
    )
    assert tokenizer.text(text.ids) == shown.removesuffix("\n")
    assert "None" not in shown.replace("None there", "")


def test_sub_goals_are_messages_of_the_assistant_s_own(tokenizer):
    (whole,), (flat,) = told(tokenizer, Role.BOTH), told(tokenizer, Role.FLAT)
    marks = (Mark.GOAL, Mark.COMPLETE)
    end = tokenizer.text(sorted(tokenizer.stops))
    lines = ["Sub-goal: look_up( 0)", "END_SG()", "Sub-goal: look_up( 2)", "END_SG()"]
    shown = tokenizer.text(whole.ids)
    for line in lines:
        _, found, shown = shown.partition(line + end)
        assert found
    assert tokenizer.text(written(whole)[-1]) == "complete_task()" + end
    goal = tokenizer.segment(Mark.GOAL, "look_up( 0)", ended=True)
    assert tokenizer.read(goal, marks) == (Mark.GOAL, "look_up( 0)")
    assert [goal[0], written(whole)[-1][0]] == list(tokenizer.starts(marks))
    assert tokenizer.starts((Mark.ACT, Mark.DONE)) == ()
    assert len(written(whole)) == len(written(flat)) + 5


@pytest.mark.parametrize("role", [Role.BOTH, Role.FLAT])
def test_what_is_asked_at_play_is_what_stands_before_it_in_training(role, tokenizer):
    prompts = []
    (text,) = told(tokenizer, role, prompts=prompts)
    starts = [0]
    for prompt in prompts:
        assert list(text.ids[: len(prompt)]) == prompt
        assert text.targets[len(prompt)] is not Target.CONTEXT
        assert text.targets[len(prompt) - 1] is Target.CONTEXT
        assert len(prompt) > starts[-1]
        starts.append(len(prompt))


words = st.text(max_size=12) | st.text(alphabet='<|im_end|> \n{"name": ->\\', max_size=24)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | words,
    lambda more: st.lists(more, max_size=2) | st.dictionaries(words, more, max_size=2),
    max_leaves=3,
)
calls = st.builds(Call, name=words, arguments=st.dictionaries(words, values, max_size=2))
turns = st.builds(write_turn, words, st.lists(calls, max_size=2).map(tuple), words)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=st.lists(st.tuples(turns, words), min_size=1, max_size=4))
def test_what_is_learned_read_again_is_the_log_s_turns(path, tokenizer):
    texts = told(tokenizer, Role.FLAT, path)
    found = [
        tokenizer.read(ids, (Mark.ACT, Mark.DONE))
        for text in texts
        for ids in written(text, Role.FLAT)
    ]
    wanted = [read_turn(action) for action, _ in path if tokenizer.learnable(action)]
    assert [mark for mark, _ in found] == [Mark.ACT] * len(wanted)
    assert [read_turn(one) for _, one in found] == [
        turn._replace(text=turn.text.strip(), thought=turn.thought.strip()) for turn in wanted
    ]


@given(action=turns)
def test_nearly_every_turn_can_be_learned(action, tokenizer):
    """What cannot spells a call in words."""
    words = read_turn(action).text
    spells = re.search(r'<tool_call>|<\|python_tag\|>|\{\s*"name"', words)
    assert tokenizer.learnable(action) or spells


def test_a_turn_that_would_be_misread_is_read_and_not_learned(tokenizer):
    action = "Write <tool_call>[1]</tool_call> then."
    assert not tokenizer.learnable(action)
    (text,) = told(tokenizer, Role.FLAT, [(action, "Why?"), ("Sorry.", "")])
    assert [tokenizer.read(ids, (Mark.ACT,))[1] for ids in written(text)] == ["Sorry."]
    assert action in tokenizer.text(text.ids)


def test_a_long_conversation_begins_anew_within_its_limit(tokenizer):
    path = [(f'-> find(city="{n}")', "x" * 300) for n in range(20)]
    shortest = len(told(tokenizer, Role.BOTH, PATH[:1])[0].ids)
    texts = told(tokenizer, Role.BOTH, path, context=shortest + 900, turn=60, answer=250)
    assert [text.reopened for text in texts] == [False] + [True] * (len(texts) - 1)
    assert len(texts) > 2
    for text in texts:
        shown = tokenizer.text(text.ids)
        assert len(text.ids) <= shortest + 900
        assert "Be kind." in shown
        assert "Finds hotels." in shown
        assert "x" * 125 + " ... " + "x" * 125 in shown
        assert "x" * 126 not in shown
    assert "Completed: look_up( 0) (2 steps): " in tokenizer.text(texts[-1].ids)


def test_without_description_neither_policy_nor_tools_are_shown(tokenizer):
    (text,) = told(tokenizer, Role.FLAT, describe=False)
    assert "Be kind." not in tokenizer.text(text.ids)
    assert "Finds hotels." not in tokenizer.text(text.ids)


def test_results_of_parallel_calls_stand_in_the_order_of_the_calls(tokenizer):
    path = [('-> find(city="a")\n-> find(city="b")', "find: one\nfind: two\nuser: Well?")]
    (text,) = told(tokenizer, Role.FLAT, path)
    shown = tokenizer.text(text.ids)
    places = [shown.index(what) for what in ('"a"', '"b"', "one", "two", "Well?")]
    assert places == sorted(places)


def test_text_that_spells_the_template_stays_text(tokenizer):
    end = tokenizer.text(sorted(tokenizer.stops))
    (text,) = told(tokenizer, Role.FLAT, [(f"a {end} b", f"{end}"), ("c", "")])
    (stop,) = tokenizer.stops
    plain = told(tokenizer, Role.FLAT, [("a b", "d"), ("c", "")])[0]
    assert text.ids.count(stop) == plain.ids.count(stop)


def test_it_survives_the_disk(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "again")
    again = MessageTokenizer.load(tmp_path / "again")
    assert told(again, Role.BOTH) == told(tokenizer, Role.BOTH)
    assert again.pad == tokenizer.pad
    (tmp_path / "again/chat_template.jinja").unlink()
    with pytest.raises(StudentInvalid, match="template is missing"):
        MessageTokenizer.load(tmp_path / "again")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (QWEN.replace('{"name": ', '{"tool": '), "a form that is not"),
        (QWEN.replace("{{ m.content or '' }}", "{{ (m.content or '') | upper }}"), "leaves mess"),
        ("{{ raise_exception('no talk') }}", r"fails \(no talk\)"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template, said, tmp_path):
    chat_model("chatml", ["Hello"], template).save_pretrained(tmp_path)
    with pytest.raises(StudentInvalid, match=said):
        MessageTokenizer.load(tmp_path)


@pytest.mark.parametrize("form", [TAGS, LIST, JSON])
def test_calls_of_every_form_are_read(form):
    made = (Call(name="find", arguments={"city": "a; b", "n": [1]}), Call(name="end"))
    assert read_calls(form.write("One moment.", made)) == write_turn("One moment.", made)
    (alone,) = read_turn(read_calls("<|python_tag|>" + form.write("", made[:1]))).calls
    assert alone == made[0]


@pytest.mark.parametrize(
    "broken",
    [
        '<tool_call>\n{"name": "find", "argum',
        "<tool_call>",
        '<tool_call>[{"name": "find", "arguments": "{}"}]</tool_call>',
        '{"name": "find", "parameters": {}} and more',
        "<tool_call>[1]</tool_call>",
    ],
)
def test_a_call_that_cannot_be_read_is_no_turn(broken):
    with pytest.raises(DataCorrupt):
        read_turn(read_calls(broken))


def test_another_tokenizer_is_refused(tmp_path):
    from subgoal.text.tokenizers.marks import MarkTokenizer

    with pytest.raises(ConfigInvalid):
        MessageTranscript(MarkTokenizer.train(["a"], 300), form(), Role.FLAT)
