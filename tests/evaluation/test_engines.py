"""Every engine computes what the student computes, within what its numbers round.

Two engines may part where the reference's choice was closer than its rounding (`rounding.py`), and
nowhere else; so what is asserted hangs neither on the student nor on the processor.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from research.compared_engine import ComparedAnswer, ComparedEngine
from rounding import Rounding, rounding
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_engine import CONVERTED, OpenStudent, decided, open_student
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.engines.base import Engine
from subgoal.engines.config import (
    EngineConfig,
    EngineName,
    Precision,
    ServerAccess,
)
from subgoal.environments.errand import ErrandWorld
from subgoal.environments.pool import Pool
from subgoal.errors import EngineFailed, RunFolderInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.evaluation.protocol import protocol
from subgoal.evaluation.rollout import rollout
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import read_card
from subgoal.students.folder import load_student
from subgoal.text.format import Role, Turns
from subgoal.training.config import TrainConfig, TrainingConfig
from subgoal.training.train import train
from support.completions_server import CompletionsServer, ServedStudent
from untrained import TRANSCRIPT, WINDOW, fresh_student

REFERENCE = EngineConfig(engine=EngineName.TRANSFORMERS, precision=Precision.FLOAT32, device="cpu")
FORMS = {"causal": TRANSCRIPT, "pairs": WINDOW}


@pytest.fixture(
    scope="module",
    params=[*FORMS, *(pytest.param(f"trained {form}", marks=pytest.mark.slow) for form in FORMS)],
)
def run(
    request: pytest.FixtureRequest,
    annotated: list[AnnotatedTrajectory],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunFolder:
    """A run folder with a flat student."""
    place: Path = tmp_path_factory.mktemp("engines")
    form = FORMS[request.param.split()[-1]]
    folder = RunFolder(place / "run")
    if request.param in FORMS:
        fresh_student(folder / "students" / Role.FLAT, annotated, form)
        return folder
    store = Journal(
        place / "annotations.jsonl",
        AnnotatedTrajectory,
        "annotations",
        lambda one: one.trajectory.task.key,
    )
    for one in annotated:
        store.append(one)
    pairs = form.turns is Turns.WORDS
    config = TrainConfig(
        roles=(Role.FLAT,),
        dataset=DatasetConfig(
            vocabulary=400, context=512, rendering=form.rendering, turns=form.turns
        ),
        training=TrainingConfig(
            tokens=40_000 if pairs else 100_000, batch_tokens=1024, validations=1, threads=1
        ),
        annotations=store.seal(),
    )
    train(config, folder)
    return folder


@pytest.fixture
def server(run: RunFolder) -> Iterator[str]:
    """The student served from this machine; the base URL."""
    folder = run / "students" / Role.FLAT
    student = open_student(folder, Role.FLAT, decided(folder, Role.FLAT, REFERENCE))
    words = student.tokenizer
    served = ServedStudent(student.engine, words.decode)
    with CompletionsServer({"flat": served}) as running:
        yield running.base_url


def _pairs(run: RunFolder) -> bool:
    return read_card(run / "students" / Role.FLAT).form.turns is Turns.WORDS


def _compared(run: RunFolder, other: EngineConfig) -> tuple[list[ComparedAnswer], Engine]:
    """Play with the reference, and ask another engine the same each time."""
    folder, rules = (
        run / "students",
        protocol("test", "errand").model_copy(update={"step_limit": 3}),
    )
    place = folder / Role.FLAT
    reference = open_student(place, Role.FLAT, decided(place, Role.FLAT, REFERENCE))
    asked = open_student(place, Role.FLAT, decided(place, Role.FLAT, other))
    compared = ComparedEngine(reference.engine, asked.engine)
    shop = AgentShop(folder)
    shop.hold_open(OpenStudent(compared, reference.tokenizer, reference.card))
    tasks = rules.select(ErrandWorld().tasks("test"), per_type=1)
    with Pool("errand", 3) as pool:
        played = list(rollout(tasks, shop.factory(AgentName.FLAT), "flat", rules, pool))
    assert 9 <= sum(len(one.steps) for one in played) <= len(compared.answers)
    return compared.answers, asked.engine


def _computed(run: RunFolder, answers: Sequence[ComparedAnswer], precision: Precision) -> Rounding:
    """Return what the model computes at some answers, and how far a precision may move it."""
    model: Any = load_student(run / "students" / Role.FLAT, Role.FLAT).model
    return rounding(model, [(one.text, one.given) for one in answers], precision)


def _check_answers(run: RunFolder, answers: Sequence[ComparedAnswer], precision: Precision) -> None:
    """Where two answers part, the model's own choice was closer than rounding."""
    parted = [one for one in answers if one.given != one.other]
    computed = _computed(run, parted, precision)
    for text, one in enumerate(parted):
        pairs = zip(one.given, one.other, strict=False)
        place, given, other = next((i, a, b) for i, (a, b) in enumerate(pairs) if a != b)
        logits = computed.exact[text][place]
        assert logits[given] - logits[other] <= computed.margin(text, place)


@pytest.mark.parametrize(
    ("engine", "precision"),
    [
        (EngineName.TRANSFORMERS, Precision.BFLOAT16),
        (EngineName.CTRANSLATE2, Precision.FLOAT32),
        (EngineName.CTRANSLATE2, Precision.INT8),
    ],
)
def test_an_engine_computes_the_student_within_its_rounding(
    run: RunFolder, engine: EngineName, precision: Precision
) -> None:
    config = EngineConfig(engine=engine, precision=precision, device="cpu")
    if engine is EngineName.CTRANSLATE2 and not _pairs(run):
        with pytest.raises(EngineFailed, match="encoder-decoder"):
            _compared(run, config)
        return
    answers, asked = _compared(run, config)
    _check_answers(run, answers, precision)
    computed = _computed(run, answers, precision)
    errors: list[torch.Tensor] = []
    for one, exact in zip(answers, computed.exact, strict=True):
        stream = asked.open()
        stream.extend(one.text)
        errors.append(torch.from_numpy(asked.logits(stream)) - exact[0])
    error = float(torch.stack(errors).square().mean().sqrt())
    assert error <= computed.typical
    if precision is not Precision.FLOAT32:
        assert error > computed.typical / 100  # it does compute in these numbers
    # Rounding decides few choices: which answers are equal says something, too.
    far = [
        float(-row.topk(2).values.diff()) > computed.margin(text, place)
        for text, logits in enumerate(computed.exact)
        for place, row in enumerate(logits[:-1])
    ]
    assert any(far)


def test_a_server_computes_the_student(run: RunFolder, server: str) -> None:
    access = ServerAccess(base_url=server)
    answers, _ = _compared(run, EngineConfig(engine=EngineName.OPENAI, server=access))
    _check_answers(run, answers, Precision.FLOAT32)


def test_what_was_played_on_is_recorded_and_never_mixed(run: RunFolder) -> None:
    config = EvaluateConfig(
        environment="errand", protocol="test", per_type=1, agents=(AgentName.FLAT,)
    )
    pairs = _pairs(run)
    low = EngineConfig(precision=Precision.INT8 if pairs else Precision.BFLOAT16, device="cpu")
    summary = evaluate(config.model_copy(update={"engine": low}), run, worlds=1)
    label = "ctranslate2 int8" if pairs else "transformers bfloat16"
    assert f"flat played flat on {label}" in summary.notes
    assert len(list((run / "students" / CONVERTED).glob("flat-int8-*"))) == pairs
    with pytest.raises(RunFolderInvalid, match="engines"):
        evaluate(config.model_copy(update={"engine": REFERENCE}), run, worlds=1)
    run.remove_stage("evaluate-test-flat")
    summary = evaluate(config.model_copy(update={"engine": REFERENCE}), run, worlds=1)
    assert not [note for note in summary.notes if "transformers" in note]


def test_what_an_engine_cannot_do_is_said_before_anything_is_played(run: RunFolder) -> None:
    def shop(decoding: Decoding, engine: EngineName) -> AgentShop:
        return AgentShop(run / "students", (), decoding, EngineConfig(engine=engine, device="cpu"))

    if _pairs(run):
        with pytest.raises(EngineFailed, match=r"does not sample.*temperature = 0"):
            shop(Decoding(temperature=1.0), EngineName.CTRANSLATE2).factory(AgentName.FLAT)
    else:
        with pytest.raises(EngineFailed, match=r"decoding\.beams"):
            shop(Decoding(beams=2), EngineName.TRANSFORMERS).factory(AgentName.FLAT)
