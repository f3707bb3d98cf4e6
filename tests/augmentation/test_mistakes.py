"""Noise: a path with mistakes still solves its task, and the mistakes are read, never learned."""

import pytest

from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import check_spans
from subgoal.annotation.surroundings import surroundings
from subgoal.augmentation.mistakes import noisy
from subgoal.augmentation.shortening import shortened
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.environments.base import StopReason
from subgoal.environments.errand import ErrandWorld
from subgoal.text.format import RenderingName, Role, Turns
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.trajectories.replay import replay


@pytest.fixture(scope="module")
def paths():
    """Noisy copies of shortened paths, with what they were made of."""
    with ErrandWorld() as world:
        tasks = world.tasks("train", "easy")[::25]
        found = [replay(world, task, world.oracle_path(task), "oracle") for task in tasks]
        annotated, _ = annotate_all(found, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
        around, made = surroundings(annotated), []
        for one in annotated:

            def again(actions, task=one.trajectory.task):
                return replay(world, task, actions, "oracle")

            short = shortened(one, again)
            made += [(short, noisy(short, again, around, copy)) for copy in range(1, 7)]
        return [(old, new) for old, new in made if new is not None]


def test_mistakes_are_put_in_and_the_task_is_still_solved(paths):
    assert len(paths) > 20
    for old, new in paths:
        assert new.trajectory.stop_reason is StopReason.SOLVED
        check_spans(new.spans, len(new.trajectory.steps))
        steps = new.trajectory.steps
        wrong = [step for step in steps if step.injected]
        astray = [span for span in new.spans if span.injected]
        assert wrong or astray
        assert all(step.accepted for step in steps if not step.injected)
        assert new.key == f"{old.trajectory.task.key}#{new.variant}"
        # What is left without the mistakes and the ways back is the path itself, in order.
        rest = iter(step.action for step in steps if not step.injected)
        assert all(action in rest for action in old.trajectory.actions)
    assert any(not step.accepted for _, new in paths for step in new.trajectory.steps)
    assert any(span.injected for _, new in paths for span in new.spans)


def test_the_same_noise_each_time_and_other_noise_in_another_copy(paths):
    by_task = {}
    for _, new in paths:
        by_task.setdefault(new.trajectory.task.key, []).append(new.trajectory.actions)
    assert any(len(set(actions)) > 1 for actions in by_task.values())


@pytest.mark.parametrize("role", [Role.BOTH, Role.FLAT])
@pytest.mark.parametrize("rendering", [RenderingName.FOLDED, RenderingName.WINDOW])
def test_mistakes_are_read_and_never_learned(paths, role, rendering):
    tokenizer = MarkTokenizer.train(corpus(new for _, new in paths), 1024)
    config = DatasetConfig(rendering=rendering, turns=Turns.MARKS)
    for _, new in paths:
        learned = [
            tokenizer.decode(text.ids[text.learned])
            for text in build([new], role, config, tokenizer)
        ]
        said = " ".join(learned)
        wrong = {step.action for step in new.trajectory.steps if step.injected}
        right = [step.action for step in new.trajectory.steps if not step.injected]
        for action in wrong - set(right) - {"inventory"}:
            assert f"{action} " not in f"{said} " or any(action in other for other in right)
        astray = {str(span.subgoal) for span in new.spans if span.injected} - {
            str(span.subgoal) for span in new.spans if not span.injected
        }
        assert not any(goal.replace("(", "( ") in said for goal in astray)
        if role is Role.FLAT:  # nor what a wrong sub-goal leads to
            assert len(right) - sum(s.last - s.first + 1 for s in new.spans if s.injected) == sum(
                count_acts(text, tokenizer, rendering)
                for text in build([new], role, config, tokenizer)
            )


def count_acts(text, tokenizer, rendering):
    """How many actions a text teaches."""
    if rendering is RenderingName.WINDOW:
        return 1
    before = [False, *text.learned[:-1]]
    return sum(now and not was for now, was in zip(text.learned, before, strict=True))
