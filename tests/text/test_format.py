import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.environments.base import StepResult
from subgoal.errors import ConfigInvalid
from subgoal.text.format import (
    SAME,
    RenderingName,
    Role,
    Seen,
    Target,
    TextFormat,
    functional,
    plain,
    spelled,
)
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.text.transcript import Transcript


def heard(observation, entered):
    return StepResult(
        observation=observation, score=0, moves=1, accepted=True, entered=entered, stop_reason=None
    )


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return MarkTokenizer.train(corpus(annotated), 600)


def spans_of(context, wanted):
    """The learned stretches of the finished texts, decoded with their marks."""
    tokenizer = context._tokenizer
    found = []
    for text in context.finished:
        piece = []
        for number, target in zip(text.ids, text.targets, strict=True):
            if target is wanted:
                piece.append(number)
            elif piece:
                found.append(spell(tokenizer, piece))
                piece = []
        if piece:
            found.append(spell(tokenizer, piece))
    return found


def marks_of(tokenizer):
    return {tokenizer.mark(mark) for mark in Mark}


def spell(tokenizer, ids):
    return tokenizer._tokenizer.decode(ids, skip_special_tokens=False)


def played(tokenizer, rendering, role, limit=1024):
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


GOALS = ["<|goal|>navigate_to( kitchen)<|end|>", "<|goal|>pick_up( ball)<|end|>", "<|complete|>"]
ACTS = [
    "<|act|>go to kitchen<|end|>",
    "<|done|>",
    "<|act|>pick up ball<|end|>",
    "<|done|>",
]


@pytest.mark.parametrize("rendering", [RenderingName.TRANSCRIPT, RenderingName.FOLDED])
@pytest.mark.parametrize("role", [Role.PLANNER, Role.EXECUTOR, Role.BOTH])
def test_the_loss_is_on_goals_and_actions_alone(tokenizer, rendering, role):
    context = played(tokenizer, rendering, role)
    assert spans_of(context, Target.GOAL) == GOALS
    hidden = role is Role.PLANNER and rendering is RenderingName.FOLDED
    assert spans_of(context, Target.ACT) == (["<|done|>"] * 2 if hidden else ACTS)


def test_a_transcript_token_by_token(tokenizer):
    (text,) = played(tokenizer, RenderingName.TRANSCRIPT, Role.BOTH).finished
    expected = [
        ("<|task|>Find the ball.", Target.CONTEXT),
        ("<|inventory|>nothing", Target.CONTEXT),
        ("<|room|>the hall", Target.CONTEXT),
        ("<|goal|>navigate_to( kitchen)<|end|>", Target.GOAL),
        ("<|act|>go to kitchen<|end|>", Target.ACT),
        ("<|observe|>You move to the kitchen.", Target.CONTEXT),
        ("<|room|>the kitchen", Target.CONTEXT),
        ("<|done|>", Target.ACT),
        ("<|goal|>pick_up( ball)<|end|>", Target.GOAL),
        ("<|act|>pick up ball<|end|>", Target.ACT),
        ("<|observe|>You have it.", Target.CONTEXT),
        ("<|done|>", Target.ACT),
        ("<|complete|>", Target.GOAL),
    ]
    assert spell(tokenizer, text.ids) == "".join(piece for piece, _ in expected)
    starts = [i for i, number in enumerate(text.ids) if number in marks_of(tokenizer)]
    starts = [i for i in starts if text.ids[i] != tokenizer.mark(Mark.END)]
    for (piece, target), first, end in zip(
        expected, starts, [*starts[1:], len(text.ids)], strict=True
    ):
        assert spell(tokenizer, text.ids[first:end]) == piece
        assert set(text.targets[first:end]) == {target}


def test_a_flat_text_has_actions_alone(tokenizer):
    context = Transcript(
        tokenizer, TextFormat(rendering=RenderingName.FOLDED, context=1024), Role.FLAT
    )
    context.open("Find the ball.", Seen("the hall", "nothing"))
    for action in ("go to kitchen", "pick up ball"):
        context.act(action)
        context.observe(heard("Well.", False), Seen("the hall", "nothing"))
    context.close()
    (text,) = context.finished
    assert spell(tokenizer, text.ids) == (
        "<|task|>Find the ball.<|inventory|>nothing<|room|>the hall"
        "<|act|>go to kitchen<|end|><|observe|>Well."
        "<|act|>pick up ball<|end|><|observe|>Well."
    )
    assert spans_of(context, Target.ACT) == [
        "<|act|>go to kitchen<|end|>",
        "<|act|>pick up ball<|end|>",
    ]


def test_a_folded_text_holds_only_its_own_steps(tokenizer):
    texts = [
        spell(tokenizer, text.ids)
        for text in played(tokenizer, RenderingName.FOLDED, Role.BOTH).finished
    ]
    assert len(texts) == 2
    assert "<|act|>go to kitchen" not in texts[1]
    assert "<|completed|>navigate_to( kitchen) (1 steps): You move to the kitchen." in texts[1]
    assert "the kitchen, seen again" in texts[1]


def test_a_folded_planner_never_reads_steps(tokenizer):
    for text in played(tokenizer, RenderingName.FOLDED, Role.PLANNER).finished:
        assert "<|act|>" not in spell(tokenizer, text.ids)


def test_each_role_learns_its_own(annotated, tokenizer):
    marks = {
        Role.PLANNER: {Mark.GOAL, Mark.COMPLETE},
        Role.EXECUTOR: {Mark.ACT, Mark.DONE},
        Role.BOTH: {Mark.GOAL, Mark.COMPLETE, Mark.ACT, Mark.DONE},
        Role.FLAT: {Mark.ACT},
    }
    for role, expected in marks.items():
        learned = set()
        for example in build(annotated, role, DatasetConfig(), tokenizer):
            learned |= set(example.ids[example.learned].tolist())
        assert {m for m in Mark if tokenizer.mark(m) in learned} - {Mark.END} == expected


@pytest.mark.parametrize("role", [Role.BOTH, Role.FLAT])
def test_a_long_text_is_reopened_and_nothing_is_learned_twice(annotated, tokenizer, role):
    whole = build(annotated, role, DatasetConfig(context=4096), tokenizer)
    cut = build(
        annotated, role, DatasetConfig(context=600, rendering=RenderingName.TRANSCRIPT), tokenizer
    )
    assert any(example.reopened for example in cut)
    assert max(len(example.ids) for example in cut) <= 600
    count = sum(int(example.learned.sum()) for example in whole)
    assert sum(int(example.learned.sum()) for example in cut) == count
    task, goal = tokenizer.mark(Mark.TASK), tokenizer.mark(Mark.GOAL)
    for example in cut:
        assert example.ids[0] == task
        acts = np.flatnonzero(example.ids == tokenizer.mark(Mark.ACT))
        if role is Role.BOTH and len(acts):
            assert goal in example.ids[: acts[0]]


class Asked:
    """A view that counts how often it is asked."""

    def __init__(self, room="the hall", carried="nothing"):
        self.room, self.carried, self.count = room, carried, 0

    def look(self):
        self.count += 1
        return self.room

    def inventory(self):
        self.count += 1
        return self.carried


def test_the_world_is_asked_only_for_what_the_text_needs(tokenizer):
    now = Asked()
    context = Transcript(
        tokenizer, TextFormat(rendering=RenderingName.TRANSCRIPT, context=1024), Role.BOTH
    )
    context.open("Find the ball.", Seen("the hall", "nothing"))
    context.goal("pick_up(ball)")
    context.act("pick up ball")
    context.observe(heard("You have it.", False), now)
    context.done(now)
    assert now.count == 0
    context.goal("navigate_to(kitchen)")
    context.act("go to kitchen")
    context.observe(heard("You move to the kitchen.", True), now)
    assert now.count == 1


@pytest.mark.parametrize("role", [Role.BOTH, Role.FLAT])
def test_a_reopened_text_shows_what_is_seen_now(tokenizer, role):
    context = Transcript(
        tokenizer, TextFormat(rendering=RenderingName.TRANSCRIPT, context=300), role
    )
    context.open("Find the ball.", Seen("the hall", "nothing"))
    if role is Role.BOTH:
        context.goal("pick_up(ball)")
    for number in range(40):
        context.act(f"look at ball {number}")
        context.observe(
            heard(f"a ball {number}", False), Seen(f"a hall {number}", f"ball {number}")
        )
    context.close()
    # The last text may hold no action yet.
    texts = [text for text in context.finished[1:] if Target.ACT in text.targets]
    assert len(texts) > 1
    for text in texts:
        assert text.reopened
        shown = spell(tokenizer, text.ids)
        latest = text.targets.index(Target.ACT)
        before = spell(tokenizer, text.ids[:latest])
        number = before.rsplit("<|observe|>a ball ", 1)[1]
        assert f"<|inventory|>ball {number}<|room|>a hall {number}" in shown
        assert ("<|goal|>pick_up( ball)<|end|>" in before) == (role is Role.BOTH)


answers = st.builds(lambda text, times: text * times, st.text(max_size=8), st.integers(0, 300))
moments = st.tuples(st.text(max_size=40), answers, st.booleans(), st.booleans())


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(moments, max_size=25), rendering=st.sampled_from(list(RenderingName)))
def test_no_text_exceeds_the_limit_and_nothing_is_learned_twice(tokenizer, rendering, steps):
    limit, seen = 700, Seen("a room", "things")
    context = Transcript(tokenizer, TextFormat(rendering=rendering, context=limit), Role.BOTH)
    context.open("a task", seen)
    context.goal("first(goal)")
    written = ["<|goal|>first( goal)<|end|>"]
    for number, (words, observation, entered, ends) in enumerate(steps):
        action = words.encode()[:20].decode(errors="ignore")
        context.act(action)
        context.observe(heard(observation, entered), seen)
        written.append(f"<|act|>{action}<|end|>")
        if ends:
            context.done(seen)
            context.goal(f"goal({number})")
            written += ["<|done|>", f"<|goal|>goal( {number})<|end|>"]
    context.close()
    learned = [
        number
        for text in context.finished
        for number, target in zip(text.ids, text.targets, strict=True)
        if target is not Target.CONTEXT
    ]
    assert spell(tokenizer, learned) == "".join(written)
    for text in context.finished:
        assert len(text.ids) <= limit
        assert text.ids[0] == tokenizer.mark(Mark.TASK)
        acts = [i for i, number in enumerate(text.ids) if number == tokenizer.mark(Mark.ACT)]
        assert not acts or tokenizer.mark(Mark.GOAL) in text.ids[: acts[0]]


def test_many_completed_subgoals_are_shortened_oldest_first(tokenizer):
    now = Seen("a room", "things")
    context = Transcript(
        tokenizer, TextFormat(rendering=RenderingName.FOLDED, context=600), Role.BOTH
    )
    context.open("a task", now)
    for number in range(60):
        context.goal(f"goal({number})")
        context.act("wait")
        context.observe(heard(f"answer {number}", False), now)
        context.done(now)
    shown = spell(tokenizer, context.ids)
    assert "<|completed|>goal( 59) (1 steps): answer 59" in shown
    assert "answer 0" not in shown
    assert max(len(text.ids) for text in context.finished) <= 600


def test_what_is_cut_lies_in_the_middle():
    room = "In it, you see: " + "a thing, " * 500 + "a door to the hall"
    shown = plain(room)
    assert len(shown) < 1600
    assert shown.startswith("In it, you see: a thing")
    assert shown.endswith("a door to the hall")
    assert plain("a\n\tb\n") == "a; b"


def test_an_answer_that_repeats_the_room_is_short(tokenizer):
    context = Transcript(
        tokenizer, TextFormat(rendering=RenderingName.TRANSCRIPT, context=1024), Role.FLAT
    )
    context.open("a task", Seen("a room with\na ball", "nothing"))
    for observation in ("a room with\na ball", "a room with\na ball and a cup"):
        context.act("look around")
        context.observe(heard(observation, False), Seen("", ""))
    shown = spell(tokenizer, context.ids)
    assert f"<|observe|>{SAME}<|act|>" in shown
    assert shown.endswith("<|observe|>a room with; a ball and a cup")


@pytest.mark.parametrize("rendering", [RenderingName.TRANSCRIPT, RenderingName.FOLDED])
def test_steps_after_the_limit_of_moves_are_left_out(annotated, tokenizer, rendering):
    (act,), (complete,) = (tokenizer.starts((mark,)) for mark in (Mark.ACT, Mark.COMPLETE))
    for limit in (1, 3, 1000):
        config = DatasetConfig(rendering=rendering, move_limit=limit, context=2000)
        for one in annotated:
            steps = one.trajectory.steps
            whole = limit > steps[-2].moves
            acts = len(steps) if whole else sum(step.moves < limit for step in steps) + 1
            for role in (Role.FLAT, Role.BOTH):
                examples = build([one], role, config, tokenizer)
                assert sum(int((text.ids == act).sum()) for text in examples) == acts
            assert any((text.ids == complete).any() for text in examples) == whole


def test_earlier_texts_of_a_path_are_learned_by_lot_and_its_last_always(annotated, tokenizer):
    def texts(share):
        config = DatasetConfig(rendering=RenderingName.FOLDED, context=2000, earlier=share)
        return [[t.ids.tolist() for t in build([p], Role.BOTH, config, tokenizer)] for p in paths]

    paths = [one for one in annotated if len(one.spans) > 1]
    every, some, last = texts(1.0), texts(0.5), texts(0.0)
    assert last == [mine[-1:] for mine in every]
    assert some == texts(0.5)
    for mine, drawn, final in zip(every, some, last, strict=True):
        assert [text for text in mine if text in drawn] == drawn
        assert drawn[-1:] == final
    assert sum(map(len, last)) < sum(map(len, some)) < sum(map(len, every))


def test_a_task_type_has_its_own_share_of_earlier_texts(annotated, tokenizer):
    paths = [one for one in annotated if len(one.spans) > 1]
    name = paths[0].trajectory.task.name
    config = DatasetConfig(rendering=RenderingName.FOLDED, context=2000, earlier={name: 0.0})
    for one in paths:
        texts = len(build([one], Role.BOTH, config, tokenizer))
        assert (texts == 1) is (one.trajectory.task.name == name)


def test_steps_can_be_dropped(annotated, tokenizer):
    whole = build(annotated, Role.BOTH, DatasetConfig(), tokenizer)
    config = DatasetConfig(drop=("look around",))
    dropped = build(annotated, Role.BOTH, config, tokenizer)
    words = "<|act|>look around"
    assert any(words in spell(tokenizer, one.ids) for one in whole)
    assert not any(words in spell(tokenizer, one.ids) for one in dropped)


def test_a_context_that_is_too_small_is_refused(annotated, tokenizer):
    with pytest.raises(ConfigInvalid, match="context = 120 is too small"):
        build(annotated, Role.BOTH, DatasetConfig(context=120), tokenizer)


def test_a_name_has_the_same_tokens_in_a_subgoal_and_in_an_action(tokenizer):
    goal = spelled("pick_up(thermometer, red box)")
    assert functional(goal) == "pick_up(thermometer, red box)"
    for name in (" thermometer", " red", " box"):
        ids = list(tokenizer.encode(name))
        for text in (goal, "use thermometer on red box"):
            whole = list(tokenizer.encode(text))
            assert any(whole[i : i + len(ids)] == ids for i in range(len(whole)))
