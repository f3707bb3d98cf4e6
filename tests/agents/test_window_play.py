"""Agents whose students read windows: what they read in play is what they read in training."""

import pytest

from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import EMPTY_ENDS, HierarchicalAgent, RandomSubgoals
from subgoal.agents.student_seat import StudentSeat
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.engines.base import Engine, Generated
from subgoal.environments.errand import LANGUAGE, ErrandWorld
from subgoal.text.format import ActionForm, Asked, RenderingName, Role, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.text.window import Window

TEAMS = [
    (Role.BOTH,),
    (Role.PLANNER, Role.EXECUTOR),
    (Role.PLANNER, Role.EXECUTOR, Role.FIRST),
    (Role.FLAT,),
]


class Listener(Engine):
    """An engine that computes nothing: tests answer in its place."""

    context = vocabulary = 10**6

    def _generate(self, requests):
        raise NotImplementedError

    def _logits(self, stream):
        raise NotImplementedError


@pytest.fixture(scope="module", params=["words", "marks"])
def tokenizer(request, annotated):
    kind = WordTokenizer if request.param == "words" else MarkTokenizer
    return kind.train(corpus(annotated), 500)


def team(tokenizer, form, roles):
    """The agent of some roles, and its seats by role."""
    seats = {
        role: StudentSeat(Listener(), tokenizer, form, role, Decoding(seed=number), LANGUAGE)
        for number, role in enumerate(roles)
    }
    if roles == (Role.FLAT,):
        return FlatAgent(seats[Role.FLAT]), seats
    planner = seats.get(Role.BOTH) or seats[Role.PLANNER]
    executor = seats.get(Role.BOTH) or seats[Role.EXECUTOR]
    return HierarchicalAgent(planner, executor, None, seats.get(Role.FIRST)), seats


def converse(agent, say):
    """Let an agent decide; `say` answers each ask."""
    turn, answer = agent.act(), None
    while True:
        try:
            ask = turn.send(answer) if answer else next(turn)
        except StopIteration as stopped:
            return stopped.value
        answer = Generated(tuple(say(ask)), 0.0, True)


def questions(examples):
    """Source and target of examples."""
    splits = [(example.ids.tolist(), int(example.learned.argmax())) for example in examples]
    return [(ids[:at], ids[at:]) for ids, at in splits]


@pytest.mark.parametrize("limit", [420, 1024])
@pytest.mark.parametrize("form", list(ActionForm))
@pytest.mark.parametrize("asked", list(Asked))
@pytest.mark.parametrize("roles", TEAMS, ids="-".join)
def test_an_agent_reads_in_play_what_its_students_read_in_training(
    annotated, tokenizer, roles, asked, form, limit
):
    config = DatasetConfig(
        rendering=RenderingName.WINDOW, planner_asked=asked, actions=form, context=limit
    )
    with ErrandWorld() as world:
        for one in annotated[::3]:
            agent, _ = team(tokenizer, config.form, roles)
            trained = {role: questions(build([one], role, config, tokenizer)) for role in roles}
            if Role.FIRST in roles:  # the planner is not asked for the first one
                del trained[Role.PLANNER][0]
            left = {role: iter(pairs) for role, pairs in trained.items()}

            def say(ask, left=left, roles=roles):
                role = roles[ask.request.seed // 100_003]
                source, target = next(left[role])
                assert list(ask.request.stream.ids) == source
                return target

            agent.begin(world.reset(one.trajectory.task), world)
            for action in one.trajectory.actions:
                assert converse(agent, say).text == action
                result = world.step(action)
                if result.stop_reason is None:
                    agent.observe(action, result)
            # What is left is said when the world has ended: END_SG(), complete_task().
            rest = {role: len(list(pairs)) for role, pairs in left.items()}
            assert sum(rest.values()) <= 3
            assert all(rest[role] == 0 for role in (Role.FLAT, Role.FIRST) if role in rest)
            agent.close()


def begun(annotated, asked, say, steps=1):
    """An agent whose students have no marks, on the tiny world; its decisions."""
    tokenizer = WordTokenizer.train(corpus(annotated), 500)
    form = TextFormat(rendering=RenderingName.WINDOW, planner_asked=asked)
    agent, seats = team(tokenizer, form, (Role.PLANNER, Role.EXECUTOR))

    def spoken(ask):
        planner = ask.request.seed < 100_003
        return tokenizer.segment(Mark.ACT, say(planner), True)

    decided = []
    with ErrandWorld() as world:
        agent.begin(world.reset(annotated[0].trajectory.task), world)
        for _ in range(steps):
            decided.append(converse(agent, spoken))
            agent.observe("wait1", world.step("wait1"))
    context = seats[Role.PLANNER].context
    assert isinstance(context, Window)
    return decided, context


@pytest.mark.parametrize("asked", list(Asked))
def test_subgoals_that_end_before_their_first_step_do_not_loop(annotated, asked):
    asks = []

    def say(planner):
        asks.append(planner)
        return "navigate_to(kitchen)" if planner else "END_SG()"

    (decided,), _ = begun(annotated, asked, say)
    assert decided.text == "END_SG()"  # the world refuses it
    assert asks.count(False) == EMPTY_ENDS + 1


@pytest.mark.parametrize("asked", list(Asked))
def test_a_planner_that_is_done_too_early_leaves_the_subgoal_as_it_is(annotated, asked):
    plans = iter(["pick_up(ball)", *["complete_task()"] * 10])
    acts = iter(["wait1", "END_SG()", "wait1"])
    decided, context = begun(annotated, asked, lambda planner: next(plans if planner else acts), 2)
    assert [one.subgoal for one in decided] == ["pick_up(ball)"] * 2
    assert context._completed == []


def test_a_planner_asked_at_every_step_may_turn_to_another_subgoal(annotated):
    plans = iter(["pick_up(ball)", "pick_up(ball)", "navigate_to(kitchen)"])
    decided, context = begun(
        annotated, Asked.EVERY_STEP, lambda planner: next(plans) if planner else "wait1", 3
    )
    assert [one.subgoal for one in decided] == ["pick_up(ball)"] * 2 + ["navigate_to(kitchen)"]
    assert context._completed == ["pick_up(ball)"]


def test_a_subgoal_in_the_planners_place_stands_for_ten_steps(annotated):
    tokenizer = WordTokenizer.train(corpus(annotated), 500)
    form = TextFormat(rendering=RenderingName.WINDOW, planner_asked=Asked.EVERY_STEP)
    _, seats = team(tokenizer, form, (Role.PLANNER, Role.EXECUTOR))
    drawn = RandomSubgoals(["navigate_to(cellar)"], 1)
    agent = HierarchicalAgent(seats[Role.PLANNER], seats[Role.EXECUTOR], drawn)
    plans = 0

    def say(ask):
        nonlocal plans
        planner = ask.request.seed < 100_003
        plans += planner
        return tokenizer.segment(Mark.ACT, "complete_task()" if planner else "wait1", True)

    with ErrandWorld() as world:
        agent.begin(world.reset(annotated[0].trajectory.task), world)
        for _ in range(drawn.every + 1):
            assert converse(agent, say).subgoal == "navigate_to(cellar)"
            agent.observe("wait1", world.step("wait1"))
    assert plans == 2


def test_a_planner_that_has_nothing_to_plan_at_all_is_taken_at_its_word(annotated):
    decided, _ = begun(
        annotated, Asked.AT_END, lambda planner: "complete_task()" if planner else "wait1"
    )
    assert decided[0].subgoal == "complete_task()"
