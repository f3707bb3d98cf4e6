"""Students that have learned one small log by heart, so that they make calls."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from subgoal.agents.config import AgentName
from subgoal.agents.released import AGENT, AgentCard
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.datasets.config import DatasetConfig
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.training.train import train
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.formats.openai_messages import OpenAIMessages
from trips import CONVERSATIONS, TOOLS, Running, running, thought_of


@pytest.fixture(scope="session")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an agent that learned from a log."""
    return _learned(tmp_path_factory.mktemp("trips"))


@pytest.fixture(scope="session")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an agent that learned from the log what was thought, too."""
    return _learned(tmp_path_factory.mktemp("thinking"), thoughts=True)


def _learned(place: Path, thoughts: bool = False) -> Path:
    journal = Journal(
        place / "annotations.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda one: one.trajectory.task.key + one.trajectory.variant,
    )
    for number in range(8):
        messages = thought_of(CONVERSATIONS[number % 2])
        record = {"messages": messages, "tools": TOOLS, "id": f"c{number}"}
        (one,) = OpenAIMessages().read(record)
        path = trajectory(one, "log:trips", "chat", number, 100, True, thoughts)
        spans = (
            SubgoalSpan(subgoal=Subgoal(name="search"), first=1, last=1),
            SubgoalSpan(subgoal=Subgoal(name="book"), first=2, last=3),
        )
        journal.append(AnnotatedTrajectory(trajectory=path, spans=spans, teacher="test"))
    config = TrainConfig(
        roles=(Role.BOTH,),
        dataset=DatasetConfig(vocabulary=400, context=256, turn=40, describe=False, dev_share=0.25),
        student=StudentConfig(layers=2),
        training=TrainingConfig(
            tokens=12_000 << thoughts, batch_tokens=256, learning_rate=5e-3, validations=1
        ),
        annotations=journal.seal(),
    )
    train(config, RunFolder(place / "run"))
    agent = AgentCard(
        name="trips-agent",
        kind=AgentName.HIERARCHICAL,
        students=(Role.BOTH,),
        environment="log:trips",
        simplifications="",
        protocol="test",
    )
    folder = place / "run" / "students"
    (folder / AGENT).write_text(agent.model_dump_json(indent=2) + "\n")
    return folder


@pytest.fixture(scope="module")
def served(trips: Path) -> Iterator[Running]:
    with running(trips) as server:
        yield server
