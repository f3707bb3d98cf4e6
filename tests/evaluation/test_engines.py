"""Every engine gives the same actions, within a stated tolerance, along episodes of real students.

The tolerances stand in docs/rollout.md. The students are small and trained for seconds: their
choices are closer calls than those of students trained to the end.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from subgoal.agents.load import AgentName, AgentShop
from subgoal.agents.student_engine import CONVERTED, OpenStudent, decided, open_student
from subgoal.agents.student_seat import Decoding
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import DatasetConfig
from subgoal.datasets.rendering import RenderingName, Role, Turns
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.environments.protocol import protocol
from subgoal.errors import EngineFailed, RunFolderInvalid
from subgoal.evaluation.evaluate import EvaluateConfig, evaluate
from subgoal.evaluation.rollout import rollout
from subgoal.journal import Journal
from subgoal.language_models.agreement import ComparedEngine
from subgoal.language_models.engine_config import (
    EngineConfig,
    EngineName,
    Precision,
    ServerAccess,
)
from subgoal.run_folder import RunFolder
from subgoal.training.student import Architecture, StudentConfig
from subgoal.training.train import TrainConfig, train
from subgoal.training.training_config import TrainingConfig
from support.completions_server import CompletionsServer, ServedStudent

REFERENCE = EngineConfig(engine=EngineName.TRANSFORMERS, precision=Precision.FLOAT32, device="cpu")
TOLERANCE = {Precision.FLOAT32: 1.0, Precision.BFLOAT16: 0.95, Precision.INT8: 0.95}
"""Least share of equal answers by numbers."""
FORMS = {
    "causal": DatasetConfig(vocabulary=400, context=512),
    "pairs": DatasetConfig(
        vocabulary=400, context=512, rendering=RenderingName.WINDOW, turns=Turns.WORDS
    ),
}


@pytest.fixture(scope="module", params=list(FORMS))
def run(
    request: pytest.FixtureRequest,
    annotated: list[AnnotatedTrajectory],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunFolder:
    """A run folder with a flat student, trained for seconds."""
    place: Path = tmp_path_factory.mktemp("engines")
    store = Journal(
        place / "annotations.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda one: one.trajectory.task.key,
    )
    for one in annotated:
        store.append(one)
    pairs = request.param == "pairs"
    config = TrainConfig(
        roles=(Role.FLAT,),
        dataset=FORMS[request.param],
        student=StudentConfig(architecture=Architecture.T5 if pairs else Architecture.LLAMA),
        training=TrainingConfig(
            tokens=40_000 if pairs else 100_000, batch_tokens=1024, looks=1, threads=1
        ),
        annotations=store.seal(),
    )
    train(config, RunFolder(place / "run"))
    return RunFolder(place / "run")


@pytest.fixture
def server(run: RunFolder) -> Iterator[str]:
    """The student served from this machine; the base URL."""
    folder = run / "students" / Role.FLAT
    student = open_student(folder, Role.FLAT, decided(folder, Role.FLAT, REFERENCE))
    words = student.tokenizer
    served = ServedStudent(student.engine, words.decode)
    with CompletionsServer({"flat": served}) as running:
        yield running.base_url


def _agreement(run: RunFolder, other: EngineConfig) -> ComparedEngine:
    """Play with the reference, and ask another engine the same each time."""
    folder, rules = run / "students", protocol("plain").model_copy(update={"step_limit": 12})
    place = folder / Role.FLAT
    reference = open_student(place, Role.FLAT, decided(place, Role.FLAT, REFERENCE))
    asked = open_student(place, Role.FLAT, decided(place, Role.FLAT, other))
    compared = ComparedEngine(reference.engine, asked.engine)
    shop = AgentShop(folder)
    shop.hold_open(OpenStudent(compared, reference.tokenizer, reference.card))
    tasks = rules.select(ErrandWorld().tasks("test"), per_type=3)
    with Pool("errand", 4) as pool:
        played = list(rollout(tasks, shop.factory(AgentName.FLAT), "flat", rules, pool))
    assert sum(len(one.steps) for one in played) <= compared.asked
    return compared


@pytest.mark.parametrize(
    ("engine", "precision"),
    [
        (EngineName.TRANSFORMERS, Precision.BFLOAT16),
        (EngineName.TRANSFORMERS, Precision.INT8),
        (EngineName.CTRANSLATE2, Precision.FLOAT32),
        (EngineName.CTRANSLATE2, Precision.INT8),
    ],
)
def test_engines_give_the_same_actions(
    run: RunFolder, engine: EngineName, precision: Precision
) -> None:
    found = _agreement(run, EngineConfig(engine=engine, precision=precision, device="cpu"))
    assert found.asked > 30
    assert found.share >= TOLERANCE[precision], f"{found.equal} of {found.asked}"


def test_a_server_gives_the_same_actions(run: RunFolder, server: str) -> None:
    access = ServerAccess(base_url=server)
    found = _agreement(run, EngineConfig(engine=EngineName.OPENAI, server=access))
    assert found.share == 1.0


def test_what_was_played_on_is_recorded_and_never_mixed(run: RunFolder) -> None:
    config = EvaluateConfig(
        environment="errand", protocol="plain", per_type=1, agents=(AgentName.FLAT,)
    )
    int8 = EngineConfig(engine=EngineName.CTRANSLATE2, precision=Precision.INT8, device="cpu")
    summary = evaluate(config.model_copy(update={"engine": int8}), run, worlds=1)
    assert "flat played flat on ctranslate2 int8" in summary.notes
    assert len(list((run / "students" / CONVERTED).glob("flat-int8-*"))) == 1
    with pytest.raises(RunFolderInvalid, match="engines"):
        evaluate(config.model_copy(update={"engine": REFERENCE}), run, worlds=1)
    run.remove_stage("evaluate-plain-flat")
    summary = evaluate(config.model_copy(update={"engine": REFERENCE}), run, worlds=1)
    assert not [note for note in summary.notes if "transformers" in note]


def test_what_an_engine_cannot_do_is_said_before_anything_is_played(run: RunFolder) -> None:
    def shop(decoding: Decoding, engine: EngineName) -> AgentShop:
        return AgentShop(run / "students", (), decoding, EngineConfig(engine=engine, device="cpu"))

    with pytest.raises(EngineFailed, match=r"does not sample.*temperature = 0"):
        shop(Decoding(temperature=1.0), EngineName.CTRANSLATE2).factory(AgentName.FLAT)
    with pytest.raises(EngineFailed, match=r"no beams; set decoding\.beams = 1"):
        shop(Decoding(beams=2), EngineName.OPENAI).factory(AgentName.FLAT)
