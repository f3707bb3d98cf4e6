"""The agents on the tiny world, with a real (untrained) student behind them."""

import pytest

from subgoal.agents.base import Ask
from subgoal.agents.config import Decoding
from subgoal.agents.flat import FlatAgent
from subgoal.agents.hierarchical import (
    DRAWS,
    REFUSALS,
    HierarchicalAgent,
    RandomSubgoals,
    SemiRandomSubgoals,
)
from subgoal.agents.stopping import INVALID_STREAK, LOOP_STEPS, Endings
from subgoal.agents.student_seat import StudentSeat
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.engines.base import Generated
from subgoal.engines.prefix import PrefixStream
from subgoal.engines.transformers import TransformersEngine
from subgoal.environments.base import StepResult, StopReason
from subgoal.environments.errand import LANGUAGE, ErrandWorld
from subgoal.students.build import make_student
from subgoal.students.config import StudentConfig
from subgoal.text.format import LEARNED, RenderingName, Role, TextFormat, spelled
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer


@pytest.fixture(scope="module")
def tokenizer(annotated):
    return MarkTokenizer.train(corpus(annotated), 500)


@pytest.fixture(scope="module")
def engine(tokenizer):
    model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512).eval()
    return TransformersEngine(model, 1024)


def seat(engine, tokenizer, role, rendering=RenderingName.FOLDED, limit=512):
    form = TextFormat(rendering=rendering, context=limit)
    return StudentSeat(engine, tokenizer, form, role, Decoding(), LANGUAGE)


def follow(agent, one, tokenizer, world, compute=False):
    """Drive an agent along an annotated path: every turn it writes is the path's own.

    Returns how many tokens were computed.
    """
    computed = 0
    goal_of = {span.first: str(span.subgoal) for span in one.spans}
    ends = {span.last for span in one.spans}
    agent.begin(world.reset(one.trajectory.task), world)
    for number, action in enumerate(one.trajectory.actions, start=1):
        turn, answer = agent.act(), None
        while True:
            try:
                ask = turn.send(answer) if answer else next(turn)
            except StopIteration as stopped:
                decided = stopped.value
                break
            assert isinstance(ask, Ask)
            if compute:
                assert isinstance(ask.request.stream, PrefixStream)
                computed += len(ask.request.stream.pending)
                ask.engine.logits(ask.request.stream)
            first = ask.request.first
            if tokenizer.mark(Mark.GOAL) in first:
                ids = tokenizer.segment(Mark.GOAL, goal_of[number], True)
            elif tokenizer.mark(Mark.DONE) in first and number - 1 in ends:
                ids = [tokenizer.mark(Mark.DONE)]
            else:
                ids = tokenizer.segment(Mark.ACT, action, True)
            ask.request.stream.extend(ids)
            answer = Generated(tuple(ids), 0.0, True)
        assert decided.text == action
        result = world.step(action)
        if result.stop_reason is None:
            agent.observe(action, result)
    return computed


@pytest.mark.parametrize("limit", [350, 512])
@pytest.mark.parametrize("rendering", [RenderingName.TRANSCRIPT, RenderingName.FOLDED])
@pytest.mark.parametrize(
    "roles", [(Role.BOTH,), (Role.PLANNER, Role.EXECUTOR), (Role.FLAT,)], ids="-".join
)
def test_an_agent_reads_in_play_what_its_student_read_in_training(
    annotated, tokenizer, engine, rendering, roles, limit
):
    config = DatasetConfig(rendering=rendering, context=limit)
    flat, reopened = roles == (Role.FLAT,), 0
    with ErrandWorld() as world:
        for one in annotated:
            seats = [seat(engine, tokenizer, role, rendering, limit) for role in roles]
            agent = FlatAgent(seats[0]) if flat else HierarchicalAgent(seats[0], seats[-1])
            follow(agent, one, tokenizer, world)
            for role, mine in zip(roles, seats, strict=True):
                examples = build([one], role, config, tokenizer)
                reopened += sum(example.reopened for example in examples)
                trained = [example.ids.tolist() for example in examples]
                learned = LEARNED[role]
                played = [
                    list(text.ids) for text in mine.context.finished if learned & set(text.targets)
                ]
                # The last answer may still open a text, to learn the end in.
                assert played == trained[: len(played)]
                assert 1 <= len(trained) - len(played) <= 2
                growing = list(mine.context.prompt(()))
                assert trained[len(played)][: len(growing)] == growing
    if limit == 350 and (flat or rendering is RenderingName.TRANSCRIPT):
        assert reopened


def test_every_token_is_computed_once(annotated, tokenizer, engine):
    with ErrandWorld() as world:
        for one in annotated[:3]:
            mine = seat(engine, tokenizer, Role.BOTH, RenderingName.TRANSCRIPT, 4096)
            computed = follow(HierarchicalAgent(mine, mine), one, tokenizer, world, compute=True)
            last = len(tokenizer.segment(Mark.ACT, one.trajectory.actions[-1], True))
            assert not mine.context.finished
            assert computed == len(mine.context.prompt(()))
            assert mine._stream is not None
            assert len(mine._stream.ids) == len(mine.context.prompt(())) + last


def test_disturbed_subgoals_are_drawn_from_where_they_should_be():
    with ErrandWorld() as world:
        world.reset(world.tasks("dev")[0])
        pool = ["navigate_to(kitchen)", "pick_up(ball)"]
        assert RandomSubgoals(pool, 1).replace("x()", world) in pool
        drawn = SemiRandomSubgoals(1).replace("place(ball, box)", world)
        assert drawn.startswith("place(")
        assert drawn == SemiRandomSubgoals(1).replace("place(ball, box)", world)
        assert SemiRandomSubgoals(1).replace("no sub-goal", world) == "no sub-goal"


def result(observation="nothing", score=0, accepted=True):
    return StepResult(
        observation=observation, score=score, moves=1, accepted=accepted, entered=False
    )


class Dictated:
    """An agent whose student writes what it is told, and what it was asked.

    Attributes:
        asks: The prompt and the temperature of each ask, in order.
    """

    def __init__(self, agent, tokenizer, world):
        self.agent, self.tokenizer, self.asks = agent, tokenizer, []
        agent.begin(world.reset(world.tasks("dev")[0]), world)

    def turn(self, *written):
        """Let the agent act; return its action once all was written."""
        said, turn, answer = list(written), self.agent.act(), None
        while True:
            try:
                ask = next(turn) if answer is None else turn.send(answer)
            except StopIteration as decided:
                assert not said
                return decided.value
            self.asks.append((list(ask.request.stream.ids), ask.request.temperature))
            mark, text = said.pop(0)
            ids = self.tokenizer.segment(mark, text, text is not None)
            ask.request.stream.extend(ids)
            answer = Generated(tuple(ids), 0.0, True)


def refused(played, goal, action="focus on nothing"):
    """Let the agent pursue a goal until the world has not known its actions often enough."""
    first = [(Mark.GOAL, goal)] if goal else []
    for number in range(REFUSALS):
        said = [(Mark.ACT, action)]
        assert played.turn(*(said if number else [*first, *said])).text == action
        played.agent.observe(action, result("unknown", accepted=False))


@pytest.mark.parametrize("roles", [(Role.BOTH,), (Role.PLANNER, Role.EXECUTOR)], ids="-".join)
def test_a_subgoal_of_refused_actions_is_forgotten_and_another_one_drawn(tokenizer, engine, roles):
    with ErrandWorld() as world:
        seats = [seat(engine, tokenizer, role) for role in roles]
        played = Dictated(HierarchicalAgent(seats[0], seats[-1]), tokenizer, world)
        refused(played, "focus_on(nothing)")
        asked, before = played.asks[0], len(played.asks)
        done = played.turn(
            (Mark.GOAL, "focus_on(nothing)"),
            (Mark.GOAL, "focus_on(ball)"),
            (Mark.ACT, "focus on ball"),
        )
        assert done.subgoal == "focus_on(ball)"
        again, drawn = played.asks[before : before + 2]
        assert again == asked  # it reads what it read before, and writes without a draw
        assert drawn[0] == asked[0]
        assert drawn[1] > 0


def test_a_subgoal_that_did_something_before_it_was_refused_stays_in_the_text(tokenizer, engine):
    with ErrandWorld() as world:
        mine = seat(engine, tokenizer, Role.BOTH)
        played = Dictated(HierarchicalAgent(mine, mine), tokenizer, world)
        played.turn((Mark.GOAL, "find(ball)"), (Mark.ACT, "wait"))
        played.agent.observe("wait", result("time passes"))
        refused(played, "")
        played.turn((Mark.GOAL, "focus_on(ball)"), (Mark.ACT, "focus on ball"))
        steps = REFUSALS + 1
        assert f"{spelled('find(ball)')} ({steps} steps)" in tokenizer.text(played.asks[-1][0])


def test_a_subgoal_is_kept_where_nothing_else_is_drawn_or_no_draw_is_possible(tokenizer, engine):
    with ErrandWorld() as world:
        mine = seat(engine, tokenizer, Role.BOTH)
        played = Dictated(HierarchicalAgent(mine, mine), tokenizer, world)
        refused(played, "find(ball)")
        same = [(Mark.GOAL, "find(ball)")] * (DRAWS + 1)
        assert played.turn(*same, (Mark.ACT, "wait")).subgoal == "find(ball)"
        never = seat(engine, tokenizer, Role.BOTH)
        never.draws = False
        played = Dictated(HierarchicalAgent(never, never), tokenizer, world)
        refused(played, "find(ball)")
        assert played.turn((Mark.ACT, "wait")).subgoal == "find(ball)"


def test_a_loop_ends_but_watching_a_change_does_not():
    endings = Endings()
    stops = [endings.after("wait", result()) for _ in range(LOOP_STEPS)]
    assert stops == [None] * (LOOP_STEPS - 1) + [StopReason.LOOP]
    endings = Endings()
    assert not any(endings.after("look", result(f"{n} %")) for n in range(200))


def test_a_streak_of_unknown_actions_ends_and_a_known_one_breaks_it():
    endings = Endings()
    for n in range(INVALID_STREAK - 1):
        assert endings.after(f"{n}", result(accepted=False)) is None
    assert endings.after("known", result("well")) is None
    stops = [endings.after(f"x{n}", result(accepted=False)) for n in range(INVALID_STREAK)]
    assert stops[-1] is StopReason.INVALID_STREAK
    assert not any(stops[:-1])
