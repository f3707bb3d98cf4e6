import shutil
from pathlib import Path

import pytest
import torch

from subgoal.environments.errand import TASK_TYPES
from subgoal.errors import ConfigInvalid, RunFolderInvalid, TrainingFailed
from subgoal.storage.journal import file_digest
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.students.folder import load_student
from subgoal.text.format import Role
from subgoal.training.config import Select, TrainConfig, TrainingConfig
from subgoal.training.train import train


def changed(tiny, **training):
    new = tiny.training.model_copy(update=training)
    return tiny.model_copy(update={"training": new})


def test_a_file_of_annotations_is_enough(tiny, source, tmp_path):
    folder = RunFolder(tmp_path / "run")
    summary = train(tiny, folder)
    card = summary.cards[Role.BOTH]
    assert summary.read == source
    assert card.data == file_digest(source)
    assert card.tokens >= tiny.training.tokens
    assert card.dev_loss is not None
    student = load_student(folder / "students" / "both", Role.BOTH)
    assert student.card == card
    assert 0 < len(card.trained_on) < 12
    manifest = folder.manifest("train-both")
    assert manifest is not None
    assert manifest.state is StageState.COMPLETE
    assert not (folder / "training" / "both" / "checkpoints").exists()


def test_a_pair_shares_the_budget_of_one(tiny, tmp_path):
    roles = (Role.PLANNER, Role.EXECUTOR, Role.FLAT)
    cards = train(tiny.model_copy(update={"roles": roles}), RunFolder(tmp_path / "run")).cards
    budget = tiny.training.tokens
    for role, share in zip(roles, (0.5, 0.5, 1), strict=True):
        assert budget * share <= cards[role].tokens < budget * share + 512


def test_a_complete_stage_is_not_trained_again(tiny, tmp_path):
    folder = RunFolder(tmp_path / "run")
    train(tiny, folder)
    weights = folder / "students" / "both" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    train(tiny, folder)
    assert weights.stat().st_mtime_ns == before
    with pytest.raises(RunFolderInvalid, match=r"training\.seed: 0 -> 1"):
        train(changed(tiny, seed=1), folder)


def test_an_interrupted_stage_goes_on_but_not_with_another_configuration(
    tiny, tmp_path, monkeypatch
):
    def interrupt(folder):
        with monkeypatch.context() as patch:
            patch.setattr("subgoal.training.train.save_student", fail)
            with pytest.raises(KeyboardInterrupt):
                train(tiny, folder)

    def fail(*_):
        raise KeyboardInterrupt

    def steps(folder):
        log = folder / "training" / "both" / "log.jsonl"
        return len(log.read_text().splitlines()) - 1

    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    train(tiny, whole)
    interrupt(cut)
    train(tiny, cut)
    assert steps(cut) == steps(whole)
    models = [load_student(f / "students" / "both").model for f in (whole, cut)]
    assert torch.equal(models[0].lm_head.weight, models[1].lm_head.weight)
    other = RunFolder(tmp_path / "other")
    interrupt(other)
    other.remove_stage("train-both")
    card = train(changed(tiny, tokens=1_000), other).cards[Role.BOTH]
    assert 1_000 <= card.tokens < 1_600


def test_a_restart_that_is_refused_leaves_what_an_interrupted_training_goes_on_from(
    tiny, tmp_path, monkeypatch
):
    def press(*_):
        raise KeyboardInterrupt

    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr("subgoal.training.train.save_student", press)
        with pytest.raises(KeyboardInterrupt):
            train(tiny, folder)
    files = {
        file: file.read_bytes()
        for file in folder.path.rglob("*")
        if file.is_file() and not file.name.endswith(".progress.json")  # that tells of the latest
    }
    assert any("checkpoints" in file.parts for file in files)
    with pytest.raises(TrainingFailed, match="budget"):
        train(changed(tiny, tokens=0), RunFolder(folder.path, restart=True))
    assert {file: file.read_bytes() for file in files if file.exists()} == files


def test_what_is_missing_is_said(tiny, tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunFolderInvalid, match="`subgoal annotate"):
        train(tiny.model_copy(update={"annotations": None}), folder)
    with pytest.raises(ConfigInvalid, match=r"there is no file .*nowhere"):
        train(tiny.model_copy(update={"annotations": tmp_path / "nowhere"}), folder)
    strict = tiny.dataset.model_copy(update={"min_confidence": 1.5})
    with pytest.raises(TrainingFailed, match="min_confidence"):
        train(tiny.model_copy(update={"dataset": strict}), folder)


def test_a_role_has_its_share_and_what_is_its_own(tiny):
    own = {"learning_rate": 4e-4, "epochs": 20}
    config = TrainConfig.model_validate(
        {**tiny.model_dump(), "per_role": {"planner": own, "flat": {"tokens": 7}}}
    )
    planner, executor, flat = (
        config.training_of(role) for role in (Role.PLANNER, Role.EXECUTOR, Role.FLAT)
    )
    assert (planner.learning_rate, planner.epochs, planner.tokens) == (4e-4, 20, 800)
    assert executor == tiny.training.model_copy(update={"tokens": 800})
    assert flat.tokens == 7


def test_task_types_can_be_left_out(tiny, tmp_path):
    def without(*names, types=()):
        dataset = tiny.dataset.model_copy(update={"without": names, "types": types})
        return tiny.model_copy(update={"dataset": dataset})

    card = train(without("fetch"), RunFolder(tmp_path / "run")).cards[Role.BOTH]
    assert {key.split("/")[1] for key in card.trained_on} == {"deliver-two", "visit-and-focus"}
    two = without("fetch", types=("fetch", "deliver-two"))
    card = train(two, RunFolder(tmp_path / "two")).cards[Role.BOTH]
    assert {key.split("/")[1] for key in card.trained_on} == {"deliver-two"}
    with pytest.raises(ConfigInvalid, match=r"dataset\.types: the data has no task type 'fetsch'"):
        train(without(types=("fetsch",)), RunFolder(tmp_path / "unknown-too"))
    with pytest.raises(ConfigInvalid, match=r"no task type 'fetsch'; it has: .*visit-and-focus"):
        train(without("fetsch"), RunFolder(tmp_path / "unknown"))
    with pytest.raises(ConfigInvalid, match="leaves out every task type"):
        train(without(*TASK_TYPES), RunFolder(tmp_path / "none"))


def test_whoever_starts_training_may_watch(tiny, tmp_path):
    asked, looked = [], []

    def watch(role, tokenizer, form):
        asked.append((role, tokenizer.size > 256, form.context))
        return lambda model, line: looked.append((model.training, line.step)) or 50.0

    roles = (Role.PLANNER, Role.FLAT)
    config = changed(tiny, validations=2, select=Select.SCORE).model_copy(update={"roles": roles})
    train(config, RunFolder(tmp_path / "run"), watch)
    assert asked == [(role, True, 512) for role in roles]
    assert len(looked) == 4
    assert not any(training for training, _ in looked)


def test_a_role_may_be_trained_in_its_own_way(tiny, tmp_path):
    own = {Role.PLANNER: TrainingConfig(tokens=700, learning_rate=1e-4)}
    roles = (Role.PLANNER, Role.EXECUTOR)
    config = tiny.model_copy(update={"roles": roles, "per_role": own})
    cards = train(config, RunFolder(tmp_path / "run")).cards
    assert 700 <= cards[Role.PLANNER].tokens < 700 + 512
    assert cards[Role.PLANNER].config["training"]["learning_rate"] == 1e-4
    assert cards[Role.EXECUTOR].tokens >= tiny.training.tokens / 2
    assert cards[Role.EXECUTOR].config["training"]["learning_rate"] == tiny.training.learning_rate


def test_a_student_that_is_trained_further_remembers_what_it_was_trained_on(tiny, tmp_path):
    first = RunFolder(tmp_path / "first")
    before = train(tiny, first).cards[Role.BOTH]
    base = str(first / "students" / "both")
    further = tiny.model_copy(
        update={
            "student": tiny.student.model_copy(update={"model": base}),
            "dataset": tiny.dataset.model_copy(update={"types": (TASK_TYPES[0],)}),
        }
    )
    folder = RunFolder(tmp_path / "second")
    card = train(further, folder).cards[Role.BOTH]
    assert set(card.trained_on) == set(before.trained_on)
    assert (before.base_tokens, card.base_tokens) == (0, before.tokens)
    grown = further.model_copy(update={"student": further.student.model_copy(update={"layers": 2})})
    larger = train(grown, RunFolder(tmp_path / "grown")).cards[Role.BOTH]
    assert larger.parameters > before.parameters == card.parameters
    with pytest.raises(ConfigInvalid, match="where the student that is trained would be written"):
        train(further, first)
    # another base at the same place makes another student
    train(changed(tiny, seed=5), RunFolder(tmp_path / "third"))
    shutil.copytree(tmp_path / "third" / "students" / "both", base, dirs_exist_ok=True)
    with pytest.raises(RunFolderInvalid, match=r"input\.base/model\.safetensors"):
        train(further, folder)


@pytest.mark.parametrize("field", ["per_type", "earlier", "only_renamed"])
def test_a_type_that_is_not_in_the_data_is_named(tiny, tmp_path, field):
    value = ("fetsh",) if field == "only_renamed" else {"fetsh": 1, "default": 1}
    dataset = type(tiny.dataset).model_validate({**tiny.dataset.model_dump(), field: value})
    asked = tiny.model_copy(update={"dataset": dataset})
    with pytest.raises(ConfigInvalid, match=f"{field}: the data has no task type 'fetsh'"):
        train(asked, RunFolder(tmp_path / "run"))


def test_a_file_that_lies_beside_the_one_that_is_meant_is_not_read_in_its_place(
    tiny, source, tmp_path
):
    copy = Path(shutil.copy(source, tmp_path))
    copy.with_suffix("").write_text("another", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match="lies beside"):
        train(tiny.model_copy(update={"annotations": copy}), RunFolder(tmp_path / "run"))
