import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.environments.base import StepResult
from subgoal.environments.errand import LANGUAGE
from subgoal.environments.language import NO_WORDS
from subgoal.errors import ConfigInvalid
from subgoal.text.format import (
    KEPT_STEPS,
    ActionForm,
    Asked,
    RenderingName,
    Role,
    Seen,
    Target,
    TextFormat,
)
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.text.window import Window, room_name, window_line

WINDOW = RenderingName.WINDOW


def heard(observation, score=0, entered=False):
    return StepResult(observation=observation, score=score, moves=1, accepted=True, entered=entered)


def called(room):
    return f"This room is called the {room}. In it, you see: \n\ta door (that is open)"


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return WordTokenizer.train(corpus(annotated), 500)


def played(tokenizer, role, **options):
    form = TextFormat(rendering=WINDOW, **options)
    every = form.planner_asked is Asked.EVERY_STEP
    context = Window(tokenizer, form, role, LANGUAGE)
    context.open("Find the ball.", Seen(called("hall"), "nothing"))
    context.goal("navigate_to(kitchen)")
    context.act("go to kitchen")
    context.observe(heard("You move.", 20, True), Seen(called("kitchen"), "nothing"))
    if every:
        context.goal("navigate_to(kitchen)")
    context.done(Seen(called("kitchen"), "nothing"))
    context.goal("pick_up(ball)")
    context.act("pick up ball")
    context.observe(heard("You have\n\tit.", 100), Seen(called("kitchen"), "a ball"))
    context.complete()
    return context


def spoken(tokenizer, text):
    """Source and target of a text, special tokens shown."""
    split = next(i for i, target in enumerate(text.targets) if target is not Target.CONTEXT)
    assert len(set(text.targets[split:])) == 1
    show = tokenizer._tokenizer.decode
    return show(list(text.ids[:split])), show(list(text.ids[split:]))


HALL = "This room is called the hall. In it, you see: | a door"
KITCHEN = "This room is called the kitchen. In it, you see: | a door"


def test_what_an_executor_reads_and_writes_word_by_word(tokenizer):
    texts = played(tokenizer, Role.EXECUTOR).finished
    said = [spoken(tokenizer, text) for text in texts]
    assert [target for _, target in said] == [
        "go to kitchen</s>",
        "END_SG()</s>",
        "pick up ball</s>",
        "END_SG()</s>",
    ]
    assert said[0][0] == (
        "Find the ball.</s>Time: 1; Score: 0;</s>"
        "No completed subtasks. The current subtask is navigate_to(kitchen)</s>"
        f"Action history:</s>Current environment:{HALL}</s>Current inventory: nothing</s>"
        "Visited rooms: hall</s>What action should you do next?</s>"
    )
    assert said[2][0] == (
        "Find the ball.</s>Time: 2; Score: 20;</s>"
        "Completed subtasks are: navigate_to(kitchen). The current subtask is pick_up(ball)</s>"
        "Action history:<extra_id_10>go to kitchen (+20) --> You move. |<extra_id_9>END_SG() |</s>"
        f"Current environment:{KITCHEN}</s>Current inventory: nothing</s>"
        "Visited rooms: hall, kitchen</s>What action should you do next?</s>"
    )
    assert "pick up ball (+80) --> You have | it. |" in said[3][0]


def test_what_a_planner_reads_and_writes(tokenizer):
    said = [spoken(tokenizer, text) for text in played(tokenizer, Role.PLANNER).finished]
    targets = ["navigate_to(kitchen)</s>", "pick_up(ball)</s>", "complete_task()</s>"]
    assert [target for _, target in said] == targets
    assert "No completed subtasks.</s>" in said[0][0]
    # A sub-goal that has ended is the current one until another is named.
    assert "No completed subtasks. The current subtask is navigate_to(kitchen)</s>" in said[1][0]
    assert "END_SG() |" in said[1][0]
    assert all(source.endswith("What subtask should you do next?</s>") for source, _ in said)


def test_a_planner_that_is_asked_at_every_step_goes_on_by_repeating(tokenizer):
    context = played(tokenizer, Role.PLANNER, planner_asked=Asked.EVERY_STEP)
    said = [spoken(tokenizer, text) for text in context.finished]
    assert [target for _, target in said][:3] == [
        "navigate_to(kitchen)</s>",
        "navigate_to(kitchen)</s>",
        "pick_up(ball)</s>",
    ]
    assert "No completed subtasks. The current subtask is navigate_to(kitchen)" in said[2][0]
    assert context._completed == ["navigate_to(kitchen)"]


def test_the_first_subgoal_is_asked_for_without_a_past(tokenizer):
    (text,) = played(tokenizer, Role.FIRST).finished
    source, target = spoken(tokenizer, text)
    assert target == "navigate_to(kitchen)</s>"
    assert "subtasks are" not in source
    assert "history" not in source
    assert f"Score: 0;</s>Current environment:{HALL}</s>" in source
    assert "first subtask" in source


def test_actions_in_functional_form_stand_in_history_and_target(tokenizer):
    context = played(tokenizer, Role.EXECUTOR, actions=ActionForm.FUNCTIONAL)
    said = [spoken(tokenizer, text) for text in context.finished]
    assert said[0][1] == "GO(kitchen)</s>"
    assert "GO(kitchen) (+20) --> You move." in said[1][0]


def test_a_flat_agent_sees_no_subgoals(annotated, tokenizer):
    config = DatasetConfig(rendering=WINDOW)
    for example in build(annotated[:2], Role.FLAT, config, tokenizer):
        assert "subtask" not in tokenizer.decode(example.ids)


def test_a_causal_student_reads_a_window_too_and_writes_after_its_mark(annotated):
    tokenizer = MarkTokenizer.train(corpus(annotated), 500)
    config = DatasetConfig(rendering=WINDOW, context=2048)
    for role, mark in ((Role.EXECUTOR, Mark.ACT), (Role.PLANNER, Mark.GOAL)):
        example = build(annotated[:1], role, config, tokenizer)[0]
        first = int(example.learned.argmax())
        assert example.ids[first] == tokenizer.mark(mark)
        assert example.learned[first:].all()
        assert "What " in tokenizer.decode(example.ids[:first].tolist())
        marks = {tokenizer.mark(one) for one in Mark}
        assert not marks & set(example.ids[:first].tolist())


def test_the_history_holds_the_last_ten_steps(tokenizer):
    context = Window(tokenizer, TextFormat(rendering=WINDOW), Role.FLAT, LANGUAGE)
    now = Seen(called("hall"), "nothing")
    context.open("Wait.", now)
    for number in range(KEPT_STEPS + 3):
        context.act(f"wait {number}")
        context.observe(heard("Well."), now)
    source = tokenizer._tokenizer.decode(context.prompt(()))
    assert "<extra_id_10>wait 3 (+0)" in source
    assert f"<extra_id_1>wait {KEPT_STEPS + 2} (+0)" in source
    assert "wait 2 " not in source


@given(
    goals=st.lists(st.sampled_from(["a(b)", "navigate_to(kitchen)"]), max_size=8),
    answers=st.lists(st.sampled_from(["Well.", "A long answer. " * 9, "x" * 5000]), max_size=12),
    room=st.sampled_from([called("hall"), called("hall") + "\n\ta cup" * 60]),
    limit=st.integers(min_value=230, max_value=900),
)
@settings(max_examples=40, deadline=None)
def test_a_source_is_shortened_to_fit_oldest_first(tokenizer, goals, answers, room, limit):
    form = TextFormat(rendering=WINDOW, context=limit)
    context = Window(tokenizer, form, Role.EXECUTOR, LANGUAGE)
    context.open("Find the ball.", Seen(room, "nothing"))
    for goal in goals:
        context.goal(goal)
        context.done(Seen(room, "nothing"))
    for number, answer in enumerate(answers):
        context.act(f"wait {number}")
        context.observe(heard(answer), Seen(room, "nothing"))
    ids = context.prompt((Mark.ACT,))
    source = tokenizer._tokenizer.decode(ids)
    assert len(ids) <= limit - context._form.turn
    assert source.startswith("Find the ball.</s>Time:")
    assert source.endswith("What action should you do next?</s>")
    steps = [text.split(" (+")[0].split(">")[-1] for text in source.split(" |")[:-1]]
    shown = [int(step.removeprefix("wait ")) for step in steps if step.startswith("wait ")]
    assert shown == list(range(len(answers) - len(shown), len(answers)))
    whole = window_line(room, LANGUAGE)
    if whole not in source:  # the room is cut last
        assert not shown
        assert "END_SG" not in source


def test_rooms_are_called_what_they_say():
    assert room_name(called("art studio"), LANGUAGE) == "art studio"
    assert room_name("This place is called the outside. Here", LANGUAGE) == "outside"
    for language in (LANGUAGE, NO_WORDS):
        assert room_name("Hallway\nYou are here", language) == "Hallway"
        assert room_name("A dark cave. It is cold.", language) == "A dark cave"


def test_a_turn_that_is_too_short_is_said(annotated, tokenizer):
    config = DatasetConfig(rendering=WINDOW, turn=3)
    with pytest.raises(ConfigInvalid, match=r"train\.dataset\.turn = 3 is too small"):
        build(annotated, Role.EXECUTOR, config, tokenizer)


def test_what_needs_windows_says_so(annotated, tokenizer):
    for options in ({"planner_asked": "every_step"}, {"actions": "functional"}):
        config = DatasetConfig.model_validate({"rendering": "folded", **options})
        with pytest.raises(ConfigInvalid, match=r"needs train\.dataset\.rendering = 'window'"):
            build(annotated, Role.PLANNER, config, tokenizer)
    with pytest.raises(ConfigInvalid, match="'first' needs"):
        build(annotated, Role.FIRST, DatasetConfig(), tokenizer)


def test_functional_actions_need_the_forms_of_their_world(annotated, tokenizer):
    config = DatasetConfig(rendering=WINDOW, actions=ActionForm.FUNCTIONAL)
    path = annotated[0].trajectory
    task = path.task.model_copy(update={"environment": "logs"})
    moved = path.model_copy(update={"task": task})
    elsewhere = annotated[0].model_copy(update={"trajectory": moved})
    with pytest.raises(ConfigInvalid, match=r"dataset\.actions.*'logs'"):
        build([elsewhere], Role.EXECUTOR, config, tokenizer)


def test_a_tokenizer_for_windows_knows_what_they_say(annotated):
    form = TextFormat(rendering=WINDOW, actions=ActionForm.FUNCTIONAL)
    said = list(corpus(annotated[:1], form))
    assert "What action should you do next?" in said
    assert any(text.startswith("GO(") for text in said)
    config = DatasetConfig(rendering=WINDOW, actions=ActionForm.FUNCTIONAL)
    lengths = [
        len(build(annotated[:1], Role.EXECUTOR, config, WordTokenizer.train(texts, 900))[-1].ids)
        for texts in (corpus(annotated, form), corpus(annotated))
    ]
    assert lengths[0] < 0.8 * lengths[1]
