import pytest
import torch
from hypothesis import HealthCheck, settings

from subgoal.agents.released import AGENT, AgentCard
from subgoal.annotation.annotate import annotate_all
from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import corpus
from subgoal.environments.errand import ErrandWorld
from subgoal.storage.journal import Journal
from subgoal.students.build import make_student
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, save_student
from subgoal.text.format import RenderingName, Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.trajectories.replay import replay

torch.set_num_threads(1)
# No example counts as too slow, and every machine tries the same ones.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def trajectories():
    """Twelve oracle paths of the tiny world, four a type."""
    with ErrandWorld() as world:
        tasks = world.tasks("train")
        names = dict.fromkeys(task.name for task in tasks)
        chosen = [t for name in names for t in [t for t in tasks if t.name == name][:4]]
        return [replay(world, task, world.oracle_path(task), "oracle") for task in chosen]


@pytest.fixture(scope="session")
def annotated(trajectories):
    """The same with scripted sub-goals."""
    found, failed = annotate_all(trajectories, AnnotateConfig(teacher=TeacherKind.SCRIPTED))
    assert not failed
    return found


@pytest.fixture(scope="session")
def released(annotated, tmp_path_factory):
    """The folder of a released agent of the tiny world, with an untrained student."""
    tokenizer = MarkTokenizer.train(corpus(annotated), 500)
    form = TextFormat(rendering=RenderingName.FOLDED, context=512)
    model = make_student(StudentConfig(), tokenizer.size, tokenizer.pad, form.context)
    card = StudentCard(
        role=Role.BOTH,
        form=form,
        data="0123456789abcdef",
        parameters=sum(p.numel() for p in model.parameters()),
        tokens=1,
        loss=1.0,
        dev_loss=None,
        seconds=1.0,
        seed=0,
        trained_on=tuple(one.trajectory.task.key for one in annotated),
        teachers={"scripted": len(annotated)},
    )
    folder = tmp_path_factory.mktemp("agents") / "errand-agent"
    save_student(folder / "both", Student(model, tokenizer, card))
    agent = AgentCard(
        name="errand-agent",
        students=(Role.BOTH,),
        environment="errand",
        simplifications="",
        protocol="test",
    )
    (folder / AGENT).write_text(agent.model_dump_json(indent=2) + "\n")
    return folder


@pytest.fixture
def source(annotated, tmp_path):
    """A sealed file of annotated paths of the tiny world."""
    journal = Journal(
        tmp_path / "given" / "annotations.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda one: one.trajectory.task.key,
    )
    for one in annotated:
        journal.append(one)
    return journal.seal()


@pytest.fixture
def tiny(source):
    """A training that takes a second."""
    return TrainConfig(
        roles=(Role.BOTH,),
        dataset=DatasetConfig(vocabulary=400, context=512, dev_share=0.3),
        student=StudentConfig(layers=1),
        training=TrainingConfig(
            tokens=1_600,
            batch_tokens=512,
            checkpoint_tokens=500,
            validations=1,
            validation_tokens=500,
        ),
        annotations=source,
    )
