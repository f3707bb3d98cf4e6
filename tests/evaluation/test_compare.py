"""Metrics and paired comparisons on episodes made by hand."""

from collections.abc import Mapping, Sequence

import pytest

from subgoal.environments.base import StopReason, Task
from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.compare import compare
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.metrics import agent_scores
from subgoal.evaluation.protocol import protocol

PAPER = protocol("paper", "scienceworld")


def _episode(name: str, variation: int, score: int, agent: str = "one", steps: int = 2) -> Episode:
    task = Task(environment="scienceworld", name=name, variation=variation, split="test")
    step = EpisodeStep(action="wait", observation="", score=score, moves=1, accepted=True)
    wrong = step.model_copy(update={"accepted": False})
    return Episode(
        task=task,
        agent=agent,
        protocol="paper",
        steps=(*[step] * (steps - 1), wrong),
        score=score,
        final_score=score,
        stop_reason=StopReason.SOLVED if score == 100 else StopReason.STEP_LIMIT,
        seconds=steps * 0.5,
        tokens=10 * steps,
    )


def _episodes(scores: Mapping[str, Sequence[int]], agent: str = "one") -> list[Episode]:
    return [
        _episode(name, number, score, agent)
        for name, values in scores.items()
        for number, score in enumerate(values)
    ]


def test_scores_by_type_by_class_and_over_all() -> None:
    episodes = _episodes({"boil": [0, 100], "find-plant": [100, 100, 70], "find-animal": [10]})
    scores = agent_scores("one", episodes, PAPER)
    assert [(group.name, group.score.mean) for group in scores.types] == [
        ("boil", 50),
        ("find-plant", 90),
        ("find-animal", 10),
    ]
    assert [(group.name, group.score.mean) for group in scores.classes] == [
        ("short", 50),
        ("long", 50),
    ]
    assert scores.overall.score.mean == 50
    assert scores.overall.solved.mean == pytest.approx(100 * (1 / 2 + 2 / 3 + 0) / 3, abs=1e-5)
    assert (scores.overall.types, scores.overall.episodes) == (3, 6)
    assert (scores.overall.steps, scores.overall.seconds, scores.overall.tokens) == (2, 1, 20)
    assert scores.overall.invalid == 50
    assert scores.endings == {StopReason.SOLVED: 3, StopReason.STEP_LIMIT: 3}


def test_the_unseen_protocol_averages_over_episodes() -> None:
    episodes = _episodes({"boil": [0, 0, 0], "find-plant": [100]})
    unseen = protocol("unseen", "scienceworld")
    assert agent_scores("one", episodes, unseen).overall.score.mean == 25


def test_a_steady_difference_is_seen_through_varied_tasks() -> None:
    base = {"boil": [0, 50, 90, 20, 70], "find-plant": [10, 30, 60, 80, 0]}
    better = {name: [score + 5 for score in scores] for name, scores in base.items()}
    result = compare(_episodes(better), _episodes(base, "two")[::-1], PAPER)
    assert (result.first, result.second) == ("one", "two")
    assert result.overall.difference.mean == 5
    assert result.overall.difference.low == 5
    assert (result.overall.wins, result.overall.ties, result.overall.losses) == (10, 0, 0)
    assert result.overall.p_value < 0.01
    assert [group.name for group in result.types] == ["boil", "find-plant"]
    assert [group.name for group in result.classes] == ["short", "long"]


def test_wins_ties_and_losses() -> None:
    one, two = {"boil": [10, 20, 30, 0]}, {"boil": [0, 20, 40, 5]}
    result = compare(_episodes(one), _episodes(two, "two"), PAPER)
    assert (result.overall.wins, result.overall.ties, result.overall.losses) == (1, 1, 2)
    assert result.overall.difference.low < 0 < result.overall.difference.high


def test_what_does_not_pair_is_refused() -> None:
    one = _episodes({"boil": [1, 2, 3]})
    with pytest.raises(ComparisonInvalid, match=r"1 of 'one' are missing for 'two' .*boil/2"):
        compare(one, _episodes({"boil": [1, 2]}, "two"), PAPER)
    with pytest.raises(ComparisonInvalid, match=r"1 of 'two' are missing for 'one' .*boil/3"):
        compare(one, _episodes({"boil": [1, 2, 3, 4]}, "two"), PAPER)
    with pytest.raises(ComparisonInvalid, match="several episodes of one task"):
        compare(one, _episodes({"boil": [1, 2, 3]}, "two") * 2, PAPER)
    with pytest.raises(ComparisonInvalid, match="no episodes"):
        compare(one, [], PAPER)
    with pytest.raises(ComparisonInvalid, match="under 'paper', not under 'plain'"):
        compare(one, one, protocol("plain", "scienceworld"))
    with pytest.raises(ComparisonInvalid, match="mixes the episodes of one and two"):
        compare([*one, *_episodes({"melt": [1]}, "two")], one, PAPER)
