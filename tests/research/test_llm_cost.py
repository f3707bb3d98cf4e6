"""The teacher is paid once; agents that ask a language model pay for every action."""

import pytest

from research.tables.llm_cost import TeacherTokens, llm_cost, teacher_tokens
from research.tables.published import TOKENS_AN_ACTION
from subgoal.annotation.teachers.llm.cost import TokenCounter, estimate
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.environments.base import StopReason, Task
from subgoal.errors import ComparisonInvalid
from subgoal.evaluation.episode import Episode, EpisodeStep

PAID = TeacherTokens(paths=10, read=90_000, written=10_000, counter="estimate")


def episode(number, steps, solved, agent="hierarchical"):
    step = EpisodeStep(action="wait", observation="", score=0, moves=1, accepted=True)
    reason = StopReason.SOLVED if solved else StopReason.STEP_LIMIT
    return Episode(
        task=Task(environment="errand", name="fetch", variation=number, split="test"),
        agent=agent,
        protocol="test",
        steps=(step,) * steps,
        score=100 * solved,
        final_score=100 * solved,
        stop_reason=reason,
        seconds=1.0,
        tokens=50,
    )


def test_only_what_the_teacher_annotated_is_counted(annotated):
    carried = annotated[0].model_copy(update={"transferred_from": (annotated[1].key,)})
    copy = annotated[1].model_copy(update={"variant": "noise 1"})
    found = teacher_tokens([carried, copy, *annotated[1:3]])
    assert found == teacher_tokens(annotated[1:3])
    assert found.paths == 2
    assert found.counter == "estimate"
    assert found.written == sum(estimate(render_pairs(one.spans)) for one in annotated[1:3])
    assert found.total == found.read + found.written
    assert found.read > 2 * estimate(Prompt().system)
    letters = teacher_tokens(annotated[1:3], counter=TokenCounter("letters", True, len))
    assert (letters.counter, letters.read > found.read) == ("letters", True)


def test_the_recorded_annotations_have_a_price():
    found = teacher_tokens(recorded_annotations("scienceworld"))
    assert found.paths == 272
    assert 800 < found.read / found.paths < 2_500
    assert 50 < found.written / found.paths < 200


def test_the_more_is_played_the_less_a_solved_episode_costs():
    cost = llm_cost(PAID, [episode(0, 8, True), episode(1, 12, False)], played=(1, 1_000))
    assert (cost.agent, cost.episodes, cost.steps.mean, cost.solved.mean) == (
        "hierarchical", 2, 10, 50,
    )  # fmt: skip
    assert [after.tokens.mean for after in cost.after if after.tokens] == [200_000, 200]
    by_method = {one.method: one for one in cost.run_time}
    assert list(by_method) == [one.method for one in TOKENS_AN_ACTION]
    react = by_method["ReAct"]
    assert react.an_episode.mean == pytest.approx(19_710.3)
    assert react.a_solved_episode is not None
    assert react.a_solved_episode.mean == pytest.approx(39_420.6)
    for one in cost.run_time:
        assert PAID.total < one.cheaper_after.mean * one.an_episode.mean
        assert PAID.total >= (one.cheaper_after.mean - 1) * one.an_episode.mean
    assert (react.cheaper_after.mean, by_method["SwiftSage"].cheaper_after.mean) == (6, 14)


def test_every_figure_that_play_decides_has_an_interval():
    played = [episode(n, 6 + n % 5, solved=n % 4 > 0) for n in range(20)]
    cost = llm_cost(PAID, played, played=(1,))
    (after,), react = cost.after, cost.run_time[1]
    assert after.tokens is not None
    assert react.a_solved_episode is not None
    for of in (cost.steps, cost.solved, after.tokens, react.a_solved_episode, react.cheaper_after):
        assert of.high is not None
        assert of.low <= of.mean <= of.high
        assert of.low < of.high
    assert react.an_episode.low == pytest.approx(1971.03 * cost.steps.low, abs=0.06)


def test_where_an_interval_reaches_no_solved_episode_a_cost_has_no_bound():
    cost = llm_cost(PAID, [episode(0, 8, True), episode(1, 12, False)], played=(1,))
    after, react = cost.after[0].tokens, cost.run_time[0].a_solved_episode
    assert after is not None
    assert react is not None
    assert (after.high, react.high) == (None, None)


def test_seeds_of_one_task_are_one_task():
    twice = [episode(n, 6 + n, solved=n > 1) for n in range(5) for _ in (0, 1)]
    assert llm_cost(PAID, twice).steps == llm_cost(PAID, twice[::2]).steps


def test_an_agent_that_solves_nothing_has_no_cost_of_a_solved_episode():
    cost = llm_cost(PAID, [episode(0, 4, False)])
    assert not any(after.tokens for after in cost.after)
    assert not any(one.a_solved_episode for one in cost.run_time)


def test_the_cost_is_that_of_one_agent_that_acts():
    with pytest.raises(ComparisonInvalid, match="flat and hierarchical"):
        llm_cost(PAID, [episode(0, 4, True), episode(0, 4, True, "flat")])
    with pytest.raises(ComparisonInvalid, match="are of none"):
        llm_cost(PAID, [])
    with pytest.raises(ComparisonInvalid, match="took no action"):
        llm_cost(PAID, [episode(0, 0, False)])
