"""The stage `train`: annotations in, student folders out; needs no world.

Each student is a stage of its own (`train-both`, `train-flat`), resumable. The roles that make
one agent share the budget: `planner` and `executor` get half of what `both` or `flat` gets, so
that agents are compared at the same cost; `first`, which has one text a path, a tenth on top.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.examples import DatasetConfig, Example, build, corpus
from subgoal.datasets.renaming import renamed
from subgoal.datasets.rendering import Role
from subgoal.datasets.splits import hold_out
from subgoal.datasets.tokenizer import StudentTokenizer
from subgoal.errors import ConfigInvalid, TrainingFailed
from subgoal.journal import Journal, file_digest, write_text
from subgoal.record import Record
from subgoal.run_folder import RunFolder, StageState, digest_of
from subgoal.training.checkpoint import Student, StudentCard, read_card, save_student
from subgoal.training.finetune import TrainingConfig, finetune
from subgoal.training.side_by_side import Order, train_side_by_side
from subgoal.training.student import StudentConfig, Tokens, make_model, make_tokens


class RoleTraining(Record):
    """What one role is trained with instead; what is left out is as for all."""

    learning_rate: float | None = None
    """Peak learning rate."""
    epochs: float | None = None
    """Budget in passes over the texts."""
    tokens: int | None = None
    """Token budget, not shared with other roles."""


class PerRole(Record):
    """What roles are trained with instead of what `training` says."""

    planner: RoleTraining = RoleTraining()
    """The planner."""
    executor: RoleTraining = RoleTraining()
    """The executor."""
    both: RoleTraining = RoleTraining()
    """One model for both."""
    first: RoleTraining = RoleTraining()
    """The generator of the first sub-goal."""
    flat: RoleTraining = RoleTraining()
    """The flat agent."""


class TrainConfig(Record):
    """Which students are trained, on what, for how long."""

    roles: tuple[Role, ...] = (Role.BOTH, Role.FLAT)
    """`both`, or `planner` and `executor`; `first`, which may set the first sub-goal; and `flat`,
    the baseline."""
    dataset: DatasetConfig = DatasetConfig()
    """How annotated trajectories become examples."""
    student: StudentConfig = StudentConfig()
    """Which model."""
    training: TrainingConfig = TrainingConfig()
    """Budget and hyper-parameters; the budget is an agent's, shared by its models."""
    per_role: PerRole = PerRole()
    """What some roles are trained with instead."""
    annotations: Path | None = None
    """A file of annotated trajectories (.jsonl or .jsonl.zst) to train on instead of the run
    folder's own."""
    side_by_side: bool = True
    """Train the students at the same time where there is no GPU, each with its share of the
    cores; false: one after another, each with all."""


class _OneStudent(Record):
    """All that decides one student."""

    role: Role
    dataset: DatasetConfig
    student: StudentConfig
    training: TrainingConfig


class TrainSummary(Record):
    """What `train` did."""

    read: Path
    """The annotations."""
    written: dict[str, Path]
    """The student's folder by role."""
    cards: dict[str, StudentCard]
    """What each was trained on and how it ended."""


@dataclass(frozen=True)
class _Data:
    """What all students of a run are trained on."""

    train: Sequence[AnnotatedTrajectory]
    dev: Sequence[AnnotatedTrajectory]
    tokens: Tokens
    digest: str


def students_folder(folder: RunFolder, role: Role) -> Path:
    """Return where a role's student lies in a run folder."""
    return folder / "students" / role


def train(config: TrainConfig, folder: RunFolder) -> TrainSummary:
    """Run the stage: each student is resumable.

    Raises:
        RunFolderInvalid: There are no annotations, or a student has another configuration.
        TrainingFailed: There is nothing to train on, or the loss is not finite.
    """
    store, source = _annotations(config, folder)
    orders = _orders(config, folder)
    if len(orders) > 1:
        train_side_by_side(orders)
    data: _Data | None = None
    cards: dict[str, StudentCard] = {}
    for role in config.roles:
        one = _OneStudent(
            role=role,
            dataset=config.dataset,
            student=config.student,
            training=_training(config, role),
        )
        place = students_folder(folder, role)
        work = folder / "training" / role
        with folder.stage(f"train-{role}", one, {source.name: source}) as stage:
            if not stage.complete:
                data = data or _read(config, store, source)
                student = _train_one(one, data, work)
                save_student(place, student)
                stage.finish({f"students/{role}": place}, tokens=student.card.tokens)
        shutil.rmtree(work / "checkpoints", ignore_errors=True)
        cards[role] = read_card(place, role)
    return TrainSummary(
        read=source,
        written={role: students_folder(folder, role) for role in config.roles},
        cards=cards,
    )


def texts_by_role(
    config: TrainConfig, folder: RunFolder
) -> tuple[StudentTokenizer, dict[Role, dict[str, list[Example]]]]:
    """Return the texts that the stage trains on, by role and split (`train`, `dev`).

    Raises:
        RunFolderInvalid: There are no annotations.
        TrainingFailed: There is nothing to train on.
    """
    data = _read(config, *_annotations(config, folder))
    splits = {"train": data.train, "dev": data.dev}
    return data.tokens.tokenizer, {
        role: {
            split: build(paths, role, config.dataset, data.tokens.tokenizer)
            for split, paths in splits.items()
        }
        for role in config.roles
    }


def _orders(config: TrainConfig, folder: RunFolder) -> list[Order]:
    """Say what processes of their own are to train; nothing where one process does better."""
    manifests = [(role, folder.manifest(f"train-{role}")) for role in config.roles]
    open_roles = [
        role for role, one in manifests if one is None or one.state is not StageState.COMPLETE
    ]
    cores = config.training.threads or torch.get_num_threads()
    if not config.side_by_side or torch.cuda.is_available() or cores < len(open_roles):
        return []
    asked = config.model_dump(mode="json", exclude={"roles"})
    threads = cores // max(1, len(open_roles))
    return [
        Order(config={**asked, "roles": [role]}, folder=folder.path, threads=threads)
        for role in open_roles
    ]


_SHARES = {Role.PLANNER: 0.5, Role.EXECUTOR: 0.5, Role.FIRST: 0.1}


def _training(config: TrainConfig, role: Role) -> TrainingConfig:
    """Return how a role is trained: its share of the budget, and what is said of it alone."""
    training, share = config.training, _SHARES.get(role, 1)
    mine = {"tokens": int(training.tokens * share), "minutes": training.minutes * share}
    own: RoleTraining = getattr(config.per_role, role.value)
    return training.model_copy(update={**mine, **own.model_dump(exclude_none=True)})


def _annotations(
    config: TrainConfig, folder: RunFolder
) -> tuple[Journal[AnnotatedTrajectory], Path]:
    """Return the annotations to train on, and the file that holds them."""
    store = annotate.journal(folder)
    path = config.annotations
    if path is not None:
        if not path.is_file():
            raise ConfigInvalid(f"train.annotations: there is no file {path}")
        place = path.with_suffix("") if path.suffix == ".zst" else path
        store = Journal(place, AnnotatedTrajectory, "annotations", lambda a: a.trajectory.task.key)
    elif not store.sealed:
        folder.need("annotate", "annotate")
    return store, path or store.sealed_path


def _read(whole: TrainConfig, store: Journal[AnnotatedTrajectory], source: Path) -> _Data:
    config, student = whole.dataset, whole.student
    kept = [one for one in store.by_key().values() if one.confidence >= config.min_confidence]
    if not kept:
        raise TrainingFailed(
            f"{source} holds no annotation of confidence {config.min_confidence:g} or more; "
            "annotate some trajectories, or lower train.dataset.min_confidence"
        )
    training, dev = hold_out(kept, config.dev_share)
    paths = [one for copy in range(config.renamed + 1) for one in renamed(training, copy)]
    tokens = make_tokens(student, config.form, corpus(training, config.form), config.vocabulary)
    return _Data(paths, dev, tokens, file_digest(source))


def _begin(work: Path, one: _OneStudent, data: _Data) -> None:
    """Delete what an interrupted training of another configuration or other data left behind."""
    run, file = f"{digest_of(one.model_dump(mode='json'))} {data.digest}\n", work / "run"
    if not file.exists() or file.read_text() != run:
        shutil.rmtree(work, ignore_errors=True)
        write_text(file, run)


def _train_one(one: _OneStudent, data: _Data, work: Path) -> Student:
    _begin(work, one, data)
    form = one.dataset.form
    model, tokenizer = make_model(one.student, form, data.tokens), data.tokens.tokenizer
    outcome = finetune(
        model,
        build(data.train, one.role, one.dataset, tokenizer),
        build(data.dev, one.role, one.dataset, tokenizer),
        one.training,
        work,
        f"train {one.role}",
        fresh=not one.student.model,
    )
    card = StudentCard(
        role=one.role,
        form=form,
        data=data.digest,
        parameters=sum(p.numel() for p in model.parameters()),
        tokens=outcome.at.tokens,
        loss=outcome.loss,
        dev_loss=outcome.dev_loss,
        seconds=round(outcome.at.seconds, 1),
        seed=one.training.seed,
        trained_on=tuple(dict.fromkeys(a.trajectory.task.key for a in data.train)),
        teachers=_teachers(data.train),
        base=one.student.model,
        vocabulary=tokenizer.size,
        config=one.model_dump(mode="json"),
    )
    return Student(model, tokenizer, card)


def _teachers(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, int]:
    by_key = {a.trajectory.task.key: a for a in annotated}  # renamed copies count once
    return dict(Counter("transfer" if a.transferred_from else a.teacher for a in by_key.values()))
