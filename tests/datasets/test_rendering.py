import numpy as np
import pytest

from subgoal.datasets.examples import DatasetConfig, build, corpus
from subgoal.datasets.rendering import Context, RenderingName, Role, Target
from subgoal.datasets.tokenizer import Mark, StudentTokenizer


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return StudentTokenizer.train(corpus(annotated), 600)


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


def spell(tokenizer, ids):
    return tokenizer._tokenizer.decode(ids, skip_special_tokens=False)


def played(tokenizer, rendering, role, limit=1024):
    context = Context(tokenizer, rendering, role, limit)
    context.open("Find the ball.", "the hall", "nothing")
    context.goal("navigate_to(kitchen)")
    context.act("go to kitchen")
    context.observe("You move to the kitchen.", "the kitchen")
    context.done("the kitchen, seen again", "nothing")
    context.goal("pick_up(ball)")
    context.act("pick up ball")
    context.observe("You have it.")
    context.done()
    context.complete()
    return context


@pytest.mark.parametrize("rendering", list(RenderingName))
def test_the_loss_is_on_goals_and_actions_alone(tokenizer, rendering):
    context = played(tokenizer, rendering, Role.BOTH)
    goals = spans_of(context, Target.GOAL)
    acts = spans_of(context, Target.ACT)
    assert goals == [
        "<|goal|>navigate_to(kitchen)<|end|>",
        "<|goal|>pick_up(ball)<|end|>",
        "<|complete|>",
    ]
    assert acts == [
        "<|act|>go to kitchen<|end|>",
        "<|done|>",
        "<|act|>pick up ball<|end|>",
        "<|done|>",
    ]


def test_a_folded_text_holds_only_its_own_steps(tokenizer):
    texts = [
        spell(tokenizer, text.ids)
        for text in played(tokenizer, RenderingName.FOLDED, Role.BOTH).finished
    ]
    assert len(texts) == 3
    assert "<|act|>go to kitchen" not in texts[1]
    assert "<|completed|>navigate_to(kitchen) (1 steps): You move to the kitchen." in texts[1]
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


def test_text_is_cut_by_a_named_rule_only(tokenizer):
    context = Context(tokenizer, RenderingName.TRANSCRIPT, Role.FLAT, 4096)
    context.open("task", "room " * 500, "")
    assert "..." in spell(tokenizer, context.ids)
