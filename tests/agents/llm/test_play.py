"""Agents that ask a model while they play, over a real socket."""

import shutil

import pytest

from subgoal.agents.base import Spent
from subgoal.agents.llm.seat import ActingChat, PlanningChat
from subgoal.agents.llm.stuck import STUCK_STREAK
from subgoal.annotation.teachers.rehearsal.faults import FaultRates
from subgoal.environments.base import StopReason
from subgoal.errors import ConfigInvalid, TeacherFailed
from subgoal.evaluation.summary import played


def test_react_plays_and_its_tokens_and_money_stand_beside_an_agent_that_needs_none(
    serve, run_with
):
    server = serve()
    run = run_with(server)
    summary = run.evaluate(agents=["react", "oracle"], worlds=3)
    episodes = played(run.folder, "test", "react")
    assert all(episode.solved for episode in episodes)
    assert len(episodes) == 6
    delivered = server.delivered
    assert sum(e.spent.calls for e in episodes) == delivered.replies
    assert sum(e.spent.input_tokens for e in episodes) == delivered.input_tokens
    paid = (delivered.input_tokens * 1.0 + delivered.output_tokens * 10.0) / 1e6
    assert sum(e.spent.cost for e in episodes) == pytest.approx(paid)
    oracle, react = (one.overall for one in summary.agents)
    assert (oracle.llm_calls, oracle.llm_cost) == (0, 0)
    assert react.llm_cost == pytest.approx(paid / 6, abs=1e-6)
    assert f"{react.llm_cost:.4g}" in str(summary)
    run.report()
    assert "LLM cost" in (run.folder / "report.html").read_text()


def test_an_evaluation_that_its_budget_stops_goes_on_and_pays_for_nothing_twice(serve, run_with):
    server = serve()
    with pytest.raises(TeacherFailed, match=r"annotate\.openai\.budget"):
        run_with(server, budget={"max_calls": 9}).evaluate(agents=["react"], worlds=2)
    assert server.delivered.replies == 9
    run = run_with(server)
    run.evaluate(agents=["react"], worlds=2)
    assert all(episode.solved for episode in played(run.folder, "test", "react"))
    assert server.delivered.repeated == 0
    spent = sum(episode.spent.calls for episode in played(run.folder, "test", "react"))
    assert spent == server.delivered.replies


def test_faults_cost_attempts_and_no_episode(serve, run_with):
    server = serve(faults=FaultRates.spread(0.4), slow_seconds=0.01, retry_after=0.01)
    run = run_with(server)
    run.evaluate(agents=["react"], worlds=3)
    episodes = played(run.folder, "test", "react")
    assert {episode.stop_reason for episode in episodes} == {StopReason.SOLVED}
    assert sum(episode.invalid for episode in episodes)
    assert sum(server.delivered.faults.values())


def test_a_model_that_refuses_a_question_loses_that_episode_and_is_named(serve, run_with):
    run = run_with(serve(context=400))
    summary = run.evaluate(agents=["react"], worlds=1)
    episodes = played(run.folder, "test", "react")
    failed = [one for one in episodes if one.stop_reason is StopReason.AGENT_FAILED]
    assert failed
    assert all("context" in episode.error for episode in failed)
    assert any(failed[0].key in note for note in summary.notes)


def test_a_student_that_is_stuck_is_helped(serve, run_with, released):
    run = run_with(serve())
    shutil.copytree(released, run.folder / "students")
    run.evaluate(agents=["asks_when_stuck"], worlds=1, types=["fetch"])
    episodes = played(run.folder, "test", "asks_when_stuck")
    assert all(episode.spent.calls for episode in episodes)
    for episode in episodes:
        by_itself = len(episode.steps) - episode.spent.calls
        assert by_itself >= STUCK_STREAK
        assert not any(step.accepted for step in episode.steps[:STUCK_STREAK])
        assert any(step.accepted for step in episode.steps)
    # An untrained student knows nothing: it is the model that knows the way.
    assert any(episode.solved for episode in episodes)


def test_a_model_plans_and_the_student_executes(serve, run_with, released, known):
    server = serve()
    run = run_with(server)
    shutil.copytree(released, run.folder / "students")
    run.collect(per_type=2)
    run.annotate(teacher="scripted")
    run.evaluate(agents=["llm_planner"], worlds=1, types=["fetch"], per_type=1)
    (episode,) = played(run.folder, "test", "llm_planner")
    (mine,) = [one for one in known if one.trajectory.task.key == episode.key]
    goals = list(dict.fromkeys(step.subgoal for step in episode.steps))
    assert goals[0] == str(mine.spans[0].subgoal)
    assert episode.spent.calls >= len(goals)


def test_what_is_missing_is_said_before_anything_is_played(serve, run_with):
    with pytest.raises(ConfigInvalid, match=r"annotate\.openai\.model"):
        run_with(serve(), model="").evaluate(agents=["react"])


@pytest.mark.parametrize(
    ("chat", "reply", "text"),
    [
        (ActingChat, "Thought: I need it.\nAction: pick up key", "pick up key"),
        (ActingChat, "**Action:** `pick up key`", "pick up key"),
        (ActingChat, "Action: wait\nThought: no.\nAction: look around", "look around"),
        (ActingChat, "pick up key", "pick up key"),
        (ActingChat, "<think>Action: drop key</think>\nAction: pick up key", "pick up key"),
        (ActingChat, "", "(nothing)"),
        (PlanningChat, "Sub-goal: pick_up(key)", "pick_up(key)"),
        (PlanningChat, "The next is:\n\nsub-goal : navigate_to(hall)\n", "navigate_to(hall)"),
    ],
)
def test_a_reply_is_read_whatever_stands_around_it(chat, reply, text):
    assert chat("").read(reply) == text


def test_what_is_spent_is_counted_in_tokens():
    assert Spent(input_tokens=3, output_tokens=4).tokens == 7
