"""Conversations of a real agent, replayed over the server, are answered as in the program itself.

The student is untrained: what it writes is nonsense, always the same, and hangs on all it has read.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import subgoal
from subgoal.agents.released import AGENT, AgentCard
from subgoal.agents.session import SessionStep
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import corpus
from subgoal.students.build import make_student
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, save_student
from subgoal.text.format import RenderingName, Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.trajectories.logs.conversation import LoggedConversation
from subgoal.trajectories.logs.episode import course_of
from subgoal.trajectories.logs.reading import conversations, file_of
from subgoal.trajectories.logs.turn_text import write_turn
from subgoal.trajectories.logs.writing import LogForm, written
from trips import running

CHOSEN = {"airline-12-1", "airline-21-3"}


@pytest.fixture(scope="module")
def airline() -> list[LoggedConversation]:
    """Two conversations: with calls, turns without any, and long results."""
    read = conversations(file_of(Path("package:airline")))
    return [one for one in read if isinstance(one, LoggedConversation) and one.id in CHOSEN]


@pytest.fixture(scope="module")
def agent(
    annotated: Sequence[AnnotatedTrajectory], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an agent of logs that nobody has trained."""
    tokenizer = MarkTokenizer.train(corpus(annotated), 400)
    form = TextFormat(
        rendering=RenderingName.FOLDED, context=1024, turn=8, describe=False, answer=200
    )
    torch.manual_seed(0)
    model = make_student(StudentConfig(layers=2), tokenizer.size, tokenizer.pad, form.context)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, 0, 0.2)
    card = StudentCard(
        role=Role.BOTH,
        form=form,
        data="",
        parameters=1,
        tokens=0,
        loss=0.0,
        dev_loss=None,
        seconds=0.0,
        seed=0,
        trained_on=(),
    )
    folder = tmp_path_factory.mktemp("airline") / "agent"
    save_student(folder / "both", Student(model.eval(), tokenizer, card))
    described = AgentCard(
        name="airline-agent",
        students=(Role.BOTH,),
        environment="log:airline",
        simplifications="",
        protocol="test",
    )
    (folder / AGENT).write_text(described.model_dump_json())
    return folder


def _alone(agent: Path, one: LoggedConversation) -> list[SessionStep]:
    """Return what a session in this process decides, told what the log's agent did."""
    told = course_of(one)
    steps, seen, did = [], told.opening, ""
    with (
        subgoal.load_agent(agent) as player,
        player.session(told.description, told.tools) as session,
    ):
        for turn, answer in told.turns:
            steps.append(session.act(seen, did=did))
            did, seen = write_turn(turn.text, turn.calls), answer
    return steps


def test_each_turn_is_that_of_a_session(airline: list[LoggedConversation], agent: Path) -> None:
    assert {one.id for one in airline} == CHOSEN
    equal = 0
    with running(agent) as server:
        create = server.client().chat.completions.create
        for one in airline:
            record = written(one, (), LogForm.MESSAGES)
            messages = record["messages"]
            places = [n for n, said in enumerate(messages) if said["role"] == "assistant"]
            for place, step in zip(places, _alone(agent, one), strict=True):
                said = create(model="x", messages=messages[:place])
                assert said.choices[0].message.content == step.action
                assert said.subgoal == step.subgoal
                assert said.certainty == pytest.approx(step.certainty, rel=1e-3)
                streamed = create(model="x", messages=messages[:place], stream=True)
                words = [chunk.choices[0].delta.content or "" for chunk in streamed]
                assert "".join(words) == step.action
                equal += 1
    assert equal == 13
