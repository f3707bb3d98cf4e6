"""Draws, groups and weights."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.base import StopReason
from subgoal.environments.errand import LANGUAGE, ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.protocol import protocol
from subgoal.self_training.attempts import Attempt, attempts
from subgoal.self_training.credit import spread, step_credits, weighed
from subgoal.self_training.draw import Draw, counted, renewed
from subgoal.text.format import LEARNED, Role
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from untrained import untrained_students

RULES = protocol("test", "errand").model_copy(update={"split": "train", "step_limit": 6})


def test_draws_every_variation_once_before_one_comes_again() -> None:
    tasks = [task for task in ErrandWorld().tasks("train") if task.variation < 5]
    types = len({task.name for task in tasks})
    draw = Draw(tasks, seed=3)
    drawn: dict[str, int] = {}
    found = []
    for _ in range(12):
        some = draw.tasks(4, drawn, {})
        drawn = counted(drawn, some)
        found += some
    assert sum(drawn.values()) == 48
    assert len(drawn) == types
    for name, number in drawn.items():
        mine = [task.key for task in found if task.name == name]
        per_type = len([task for task in tasks if task.name == name])
        for start in range(0, number - per_type + 1, per_type):
            assert len(set(mine[start : start + per_type])) == per_type
    again = Draw(tasks, seed=3)
    assert again.tasks(4, {}, {}) == found[:4]


def test_types_whose_scores_differ_come_more_often() -> None:
    tasks = ErrandWorld().tasks("train")
    names = sorted({task.name for task in tasks})
    spreads = dict.fromkeys(names, 0.0) | {names[0]: 0.5}
    count = Counter(task.name for task in Draw(tasks, 0).tasks(300, {}, spreads))
    assert count[names[0]] > 150
    assert all(count[name] for name in names)


def test_a_spread_is_a_running_mean() -> None:
    assert renewed({"a": 0.4, "b": 0.1}, {"a": [0.0, 0.2]}) == {"a": pytest.approx(0.25), "b": 0.1}
    assert spread([0, 100]) == 0.5


def _episode(final: int, *scores: int) -> Episode:
    """An episode whose actions brought these scores."""
    steps = tuple(
        EpisodeStep(action="wait", observation="", score=score, moves=number, accepted=True)
        for number, score in enumerate(scores, 1)
    )
    return Episode(
        task=ErrandWorld().tasks("train")[0],
        agent="a",
        protocol="dev",
        steps=steps,
        score=final,
        final_score=final,
        stop_reason=StopReason.STEP_LIMIT,
        seconds=0,
        tokens=0,
    )


def test_credit_falls_where_attempts_part() -> None:
    solves, strays = _episode(100, 0, 50, 50, 100), _episode(50, 50, 50)
    dies = _episode(0, 50, -100)
    mine, other, last = step_credits([solves, strays, dies])
    # All three reach 50, whose worth is the group's mean: what comes before is not judged.
    assert mine[:2] == [0.0, 0.0]
    assert mine[2:4] == [pytest.approx(0.5)] * 2
    assert mine[4] == 0.0  # what a solved task is worth
    assert other == [0.0, pytest.approx(0.0), pytest.approx(0.0)]
    assert last == [0.0, pytest.approx(-0.5), pytest.approx(-0.5)]


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.lists(st.integers(-100, 100), max_size=6)),
        min_size=1,
        max_size=6,
    )
)
def test_the_credit_of_an_episode_is_its_distance_to_the_mean(
    group: list[tuple[int, list[int]]],
) -> None:
    mean = sum(final for final, _ in group) / len(group)
    every = step_credits([_episode(final, *scores) for final, scores in group])
    for (final, scores), credit in zip(group, every, strict=True):
        reached = [max(0, *scores[:n], 0) for n in range(len(scores) + 1)]
        stretches = [
            next(iter(some)) for _, some in groupby(range(len(reached)), reached.__getitem__)
        ]
        assert sum(credit[first] for first in stretches) == pytest.approx((final - mean) / 100)


@pytest.fixture(scope="module")
def played(
    annotated: list[AnnotatedTrajectory], tmp_path_factory: pytest.TempPathFactory
) -> list[Attempt]:
    """Two attempts of an untrained hierarchical agent."""
    folder = tmp_path_factory.mktemp("students")
    untrained_students(folder, annotated)
    shop = AgentShop(folder)
    shop.load(AgentName.HIERARCHICAL)
    task = ErrandWorld().tasks("train")[0]
    group = [(task, Decoding(temperature=1.0, seed=seed)) for seed in range(2)]
    with Pool("errand", 2) as pool:
        found = sorted(
            attempts([group], shop, AgentName.HIERARCHICAL, RULES, pool),
            key=lambda one: one[1].episode.agent,
        )
    assert [number for number, _ in found] == [0, 0]
    return [attempt for _, attempt in found]


def _scored(attempt: Attempt, score: int, stop: StopReason) -> Attempt:
    episode = attempt.episode.model_copy(update={"score": score, "stop_reason": stop})
    return Attempt(episode, attempt.texts)


def test_what_is_weighed_is_what_the_students_wrote(
    played: list[Attempt], tmp_path: Path, annotated: list[AnnotatedTrajectory]
) -> None:
    untrained_students(tmp_path, annotated)
    shop = AgentShop(tmp_path)
    shop.load(AgentName.HIERARCHICAL)
    tokenizer = shop.seats(AgentName.HIERARCHICAL, LANGUAGE)[Role.BOTH]._tokenizer
    assert isinstance(tokenizer, MarkTokenizer)
    assert played[0].episode.steps != played[1].episode.steps  # seeds of their own
    learned = LEARNED[Role.BOTH]
    for attempt in played:
        written = Counter(
            number
            for text in attempt.texts[Role.BOTH]
            for number, target in zip(text.ids, text.targets, strict=True)
            if target in learned
        )
        goals = [goal for goal, _ in groupby(step.subgoal for step in attempt.episode.steps)]
        assert written[tokenizer.mark(Mark.ACT)] == len(attempt.episode.steps)
        assert written[tokenizer.mark(Mark.GOAL)] >= len(goals)


def test_blame_is_halved_and_falls_on_the_end_of_a_fatal_episode(played: list[Attempt]) -> None:
    best = _scored(played[0], 100, StopReason.SOLVED)
    slow = weighed([best, _scored(played[1], 0, StopReason.STEP_LIMIT)])[Role.BOTH]
    values = {float(value) for text in slow for value in np.unique(text.weights)}
    assert values == {0.0, 0.5, -0.25}
    fatal = weighed([best, _scored(played[1], 0, StopReason.FAILED)])[Role.BOTH]
    blamed = [text for text in fatal if text.weights.min() < 0]
    assert 1 <= len(blamed) <= 2
    assert {float(text.weights.min()) for text in blamed} == {-0.5}


def test_a_group_that_scores_alike_and_a_broken_episode_teach_nothing(
    played: list[Attempt],
) -> None:
    alike = [_scored(one, 50, StopReason.STEP_LIMIT) for one in played]
    assert weighed(alike) == {}
    broken = [
        _scored(played[0], 100, StopReason.SOLVED),
        _scored(played[1], 0, StopReason.ENVIRONMENT_ERROR),
    ]
    assert weighed(broken) == {}  # nobody is left to compare with


def test_what_attempts_write_alike_is_learned_once(played: list[Attempt]) -> None:
    best = _scored(played[0], 100, StopReason.SOLVED)
    other = _scored(played[1], 0, StopReason.STEP_LIMIT)
    alone = weighed([best, other])[Role.BOTH]
    twice = weighed([best, best, other, other])[Role.BOTH]
    assert {text.ids.tobytes() for text in twice} == {text.ids.tobytes() for text in alone}
    sums = {text.ids.tobytes(): 2 * text.weights for text in alone}
    assert len(sums) == len(alone) == len(twice)
    assert all(np.allclose(text.weights, sums[text.ids.tobytes()]) for text in twice)


def test_what_the_best_and_the_worst_write_alike_cancels_out(played: list[Attempt]) -> None:
    solved = _scored(played[0], 100, StopReason.SOLVED)
    fatal = _scored(played[0], 0, StopReason.FAILED)
    sums = weighed([solved, fatal])[Role.BOTH]
    before = played[0].texts[Role.BOTH][:-2]
    assert {text.ids.tobytes() for text in sums} <= {
        np.array(text.ids, np.int32).tobytes() for text in before
    }


def test_repetitions_are_not_praised(played: list[Attempt]) -> None:
    steps = played[0].episode.steps
    same = tuple(
        step.model_copy(update={"action": "go", "observation": "You go.", "score": 0})
        for step in steps
    )
    episode = played[0].episode.model_copy(
        update={"steps": same, "score": 100, "stop_reason": StopReason.SOLVED}
    )
    solved = Attempt(episode, played[0].texts)
    other = _scored(played[1], 0, StopReason.STEP_LIMIT)
    mine = {np.array(text.ids, np.int32).tobytes(): text for text in solved.texts[Role.BOTH]}
    praised = 0
    for one in weighed([solved, other])[Role.BOTH]:
        text = mine.get(one.ids.tobytes())
        for weight, acted in zip(one.weights, text.acted if text else (), strict=bool(text)):
            if weight > 0:
                assert acted == 0 or acted == len(steps)  # the first time, and what follows it
                praised += 1
    assert praised
