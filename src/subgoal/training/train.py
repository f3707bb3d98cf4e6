"""The stage `train`: annotations in, student folders out; needs no world.

Each student is a stage of its own (`train-both`, `train-flat`), resumable. The roles that make
one agent share a budget of tokens or minutes: `planner` and `executor` get half of what `both` or
`flat` gets, so that agents are compared at the same cost; `first`, which has one text a path, a
tenth. What `per_role` says goes before that.

Under `accelerate launch` the processes train the students one after another, together; the main
one alone writes the stages and the students.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.augmentation.augment import learned_from
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import Example, build, chosen_types, corpus, unwritable
from subgoal.datasets.renaming import copies_of, names, renamed_all
from subgoal.datasets.splits import hold_out, unseen
from subgoal.datasets.training_texts import Prepared, load_prepared, save_prepared
from subgoal.digests import digest_of
from subgoal.errors import ConfigInvalid, StudentInvalid, TrainingFailed
from subgoal.journal import Journal, file_digest, write_text
from subgoal.machine import cores
from subgoal.manifest import StageManifest, StageState
from subgoal.record import Record
from subgoal.run_folder import RunFolder, Stage
from subgoal.students.build import Tokens, make_model, make_tokens
from subgoal.students.card import CARD, StudentCard, read_card
from subgoal.students.config import StudentConfig
from subgoal.students.ending import TrainingExtent, cautions
from subgoal.students.folder import Student, save_student
from subgoal.students.model_files import check_name
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.training.config import RoleTraining, TrainConfig, TrainingConfig
from subgoal.training.loop import finetune
from subgoal.training.parallel.processes import joined_processes
from subgoal.training.parallel.side_by_side import TrainingOrder, train_side_by_side
from subgoal.training.run import OnDev

Watch = Callable[[Role, StudentTokenizer, TextFormat], OnDev | None]
"""Returns what is called after each look at held-out texts, for a role's student; training knows
no world, so whoever starts it brings the one in which students so far are tried."""


_MOST_UNWRITABLE = 0.05
"""A student that cannot write a larger share of the sub-goals and actions is not trained."""


class _OneStudent(Record):
    """All that decides one student."""

    role: Role
    dataset: DatasetConfig
    student: StudentConfig
    training: TrainingConfig


class TrainSummary(Summary):
    """What `train` did."""

    read: Path
    """The annotations."""
    written: dict[str, Path]
    """The student's folder by role."""
    cards: dict[str, StudentCard]
    """What each was trained on and how it ended."""

    @property
    def cautions(self) -> list[str]:
        """What a reader must know before the students' scores are compared."""
        whole = Role.BOTH in self.cards  # then it plays, not a planner and an executor beside it
        parts = {Role.PLANNER, Role.EXECUTOR} if whole else set[Role]()
        agents: dict[str, dict[str, TrainingExtent]] = {}
        for role, card in self.cards.items():
            agent = "flat" if role == Role.FLAT else str(role) if role in parts else "hierarchical"
            agents.setdefault(agent, {})[role] = card.extent
        return cautions(agents)

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how each student ended, and what it cannot write."""
        head = ("student", "parameters", "tokens", "loss", "dev loss", "seconds", "paths")
        rows = tuple(
            (
                role,
                f"{card.parameters:,}",
                f"{card.tokens:,}",
                f"{card.loss:.3f}",
                "-" if card.dev_loss is None else f"{card.dev_loss:.3f}",
                f"{card.seconds:.0f}",
                str(len(card.trained_on)),
            )
            for role, card in self.cards.items()
        )
        unwritable = [
            f"{role} cannot write {' '.join(card.unwritable)}: its tokenizer has no tokens"
            for role, card in self.cards.items()
            if card.unwritable
        ]
        return [
            *(TextLine(text=caution, tone=Tone.CAUTION) for caution in self.cautions),
            Table(head=head, rows=rows),
            *(TextLine(text=line) for line in unwritable),
            *files(self.read, ", ".join(map(str, self.written.values()))),
        ]


@dataclass(frozen=True)
class _Data:
    """What all students of a run are trained on."""

    train: Sequence[AnnotatedTrajectory]
    dev: Sequence[AnnotatedTrajectory]
    tokens: Tokens
    unwritable: tuple[str, ...]


def students_folder(folder: RunFolder, role: Role) -> Path:
    """Return where a role's student lies in a run folder.

    Raises:
        StudentInvalid: No student can be read in a folder of that name.
    """
    place = folder / f"students/{role}"
    check_name(place)
    return place


def train(config: TrainConfig, folder: RunFolder, watch: Watch | None = None) -> TrainSummary:
    """Run the stage: each student is resumable.

    Args:
        config: Which students, on what, for how long.
        folder: The run folder.
        watch: Tries students at play while they are trained; then one is trained after another.

    Raises:
        ConfigInvalid: The settings do not go together.
        RunFolderInvalid: There are no annotations, or a student has another configuration.
        StudentInvalid: A pretrained model cannot be had, or does not fit its use.
        TrainingFailed: There is nothing to train on, or the loss is not finite.
    """
    processes = joined_processes()
    _check_base(config, folder)
    store, source = learned_from(config.annotations, folder, "train.annotations")
    orders = _orders(config, folder) if watch is None and processes.number == 1 else []
    if orders:
        train_side_by_side(orders)
        folder = RunFolder(folder.path)  # what was to begin anew is done
    shelf = _Shelf(config, folder, store, source)
    cards: dict[str, StudentCard] = {}
    for role in config.roles:
        one = _one_student(config, role)
        place = students_folder(folder, role)
        base = _base_files(one.student)
        work, checkpoints = folder / f"training/{role}", folder / f"training/{role}/checkpoints"
        with ExitStack() as stack:
            stage = None
            if processes.main:
                shelf.ready(one, folder.manifest(f"train-{role}"))
                inputs = {source.name: source, **base}
                named = folder.stage(f"train-{role}", one, inputs, (work,))
                stage = stack.enter_context(named)
            complete = processes.tell(float(stage.complete) if stage else 0.0)
            if not complete:
                if processes.main:
                    _begin(
                        folder, work, one, [shelf.digest, *map(file_digest, base.values())], stage
                    )
                processes.wait()
                student = _train_one(one, shelf, work, watch)
                if stage:
                    save_student(place, student)
                    stage.finish({f"students/{role}": place}, tokens=student.card.tokens)
            processes.wait()
        if processes.main:
            folder.delete(checkpoints)
        cards[role] = read_card(place, role)
    return TrainSummary(
        read=source,
        written={role: students_folder(folder, role) for role in config.roles},
        cards=cards,
    )


def prepare(config: TrainConfig, folder: RunFolder) -> dict[str, Path]:
    """Make the texts that students are trained on and keep them, so that training begins at once.

    Args:
        config: As for `train`.
        folder: The run folder.

    Returns:
        The folder of each role's texts.
    """
    shelf = _Shelf(config, folder, *learned_from(config.annotations, folder, "train.annotations"))
    return {role: shelf.keep(_one_student(config, role)) for role in config.roles}


def training_of(config: TrainConfig, role: Role) -> TrainingConfig:
    """Return a role's share of the budget, and what else differs for it."""
    whole = config.training
    share = {Role.PLANNER: 2, Role.EXECUTOR: 2, Role.FIRST: 10}.get(role, 1)
    part: dict[str, Any] = {"tokens": whole.tokens // share, "minutes": whole.minutes / share}
    own: RoleTraining = getattr(config.per_role, role)
    return whole.model_copy(update={**part, **own.model_dump(exclude_none=True)})


def texts_by_role(
    config: TrainConfig, folder: RunFolder
) -> tuple[StudentTokenizer, dict[Role, dict[str, list[Example]]]]:
    """Return the texts that the stage trains on, by role and split (`train`, `dev`).

    Raises:
        RunFolderInvalid: There are no annotations.
        TrainingFailed: There is nothing to train on.
    """
    data = _read(config, learned_from(config.annotations, folder, "train.annotations")[0])
    splits = {"train": data.train, "dev": data.dev}
    return data.tokens.tokenizer, {
        role: {
            split: build(paths, role, config.dataset, data.tokens.tokenizer)
            for split, paths in splits.items()
        }
        for role in config.roles
    }


def in_turn(config: TrainConfig) -> bool:
    """Return whether students are trained one after another, not at the same time."""
    few = _threads(config) < len(config.roles)
    return not config.side_by_side or torch.cuda.is_available() or few


def _threads(config: TrainConfig) -> int:
    return config.training.threads or min(torch.get_num_threads(), cores())


def _orders(config: TrainConfig, folder: RunFolder) -> list[TrainingOrder]:
    """Say what processes of their own are to train; nothing where one process does better."""
    manifests = [(role, folder.manifest(f"train-{role}")) for role in config.roles]
    open_roles = [
        role
        for role, one in manifests
        if folder.begins_anew(f"train-{role}")
        or one is None
        or one.state is not StageState.COMPLETE
    ]
    many = len(config.roles)  # though some are done: other threads would round sums otherwise
    if many < 2 or in_turn(config):
        return []
    asked = config.model_dump(mode="json", exclude={"roles"})
    threads = _threads(config) // many
    return [
        TrainingOrder(
            config={**asked, "roles": [role]},
            folder=folder.path,
            threads=threads,
            restart=folder.begins_anew(f"train-{role}"),
        )
        for role in open_roles
    ]


class _Shelf:
    """The texts of a run's students, made when they are needed, or kept from before."""

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        store: Journal[AnnotatedTrajectory],
        source: Path,
    ) -> None:
        self._config, self._store, self._folder = config, store, folder
        self._data: _Data | None = None
        self.digest = file_digest(source)

    def ready(self, one: _OneStudent, before: StageManifest | None) -> None:
        """Read the annotations of a stage that has not begun, so that wrong ones do not begin it.

        Raises:
            DataCorrupt: The file is damaged.
            TrainingFailed: There is nothing to train on.
        """
        if before is None and not self._place(one).exists():
            self._data = self._data or _read(self._config, self._store)

    def take(self, one: _OneStudent) -> tuple[Prepared, Tokens]:
        """Return a student's texts and tokens."""
        place = self._place(one)
        if not place.exists():
            return self._made(one)
        prepared = load_prepared(place, one.dataset.turns)
        if one.student.model:
            return prepared, make_tokens(one.student, one.dataset.form, (), 0)
        return prepared, Tokens(prepared.tokenizer)

    def keep(self, one: _OneStudent) -> Path:
        """Make a student's texts and keep them; return their folder."""
        place = self._place(one)
        if not place.exists():
            save_prepared(place, self._made(one)[0])
        return place

    def _made(self, one: _OneStudent) -> tuple[Prepared, Tokens]:
        data = self._data = self._data or _read(self._config, self._store)
        tokenizer = data.tokens.tokenizer
        return Prepared(
            train=build(data.train, one.role, one.dataset, tokenizer),
            dev=build(data.dev, one.role, one.dataset, tokenizer),
            tokenizer=tokenizer,
            trained_on=tuple(dict.fromkeys(a.trajectory.task.key for a in data.train)),
            teachers=_teachers(data.train),
            unwritable=data.unwritable,
        ), data.tokens

    def _place(self, one: _OneStudent) -> Path:
        decides = {
            "annotations": self.digest,
            "role": one.role,
            "dataset": one.dataset.model_dump(mode="json"),
            "model": one.student.model,
            "architecture": one.student.architecture,
            **{name: file_digest(file) for name, file in _base_files(one.student).items()},
        }
        return self._folder / f"texts/{digest_of(decides)}"


def _one_student(config: TrainConfig, role: Role) -> _OneStudent:
    return _OneStudent(
        role=role,
        dataset=config.dataset,
        student=config.student,
        training=training_of(config, role),
    )


def _read(whole: TrainConfig, store: Journal[AnnotatedTrajectory]) -> _Data:
    config, student = whole.dataset, whole.student
    known = chosen_types(list(store.by_key().values()), config)
    kept = [one for one in known if one.confidence >= config.min_confidence]
    if not kept:
        raise TrainingFailed(
            f"{store.sealed_path} holds no annotation of confidence {config.min_confidence:g} or "
            "more; annotate some trajectories, or lower train.dataset.min_confidence"
        )
    training, dev = hold_out(kept, config.dev_share)
    old = _base_card(student)
    dev = unseen(old.trained_on, dev) if old else dev
    more = config.per_type_of, config.only_renamed
    taken = copies_of(training, config.renamed, config.per_type, *more)
    pool = names(training, frozenset(config.kept))
    paths = list(renamed_all(taken, pool, config.invented))
    tokens = make_tokens(student, config.form, corpus(training, config.form), config.vocabulary)
    return _Data(paths, dev, tokens, _unwritable(training, tokens.tokenizer, whole))


def _unwritable(
    training: Sequence[AnnotatedTrajectory], tokenizer: StudentTokenizer, config: TrainConfig
) -> tuple[str, ...]:
    """Return the characters that a student cannot write; refuse one that cannot write much."""
    found = unwritable(training, tokenizer, config.dataset.form)
    if found.share > _MOST_UNWRITABLE:
        examples = " ".join(map(repr, found.characters[:10]))
        raise StudentInvalid(
            f"the tokenizer of {config.student.model} has no tokens for {examples}, which "
            f"{found.share:.0%} of the sub-goals and actions have: the student could not write "
            "them; choose another model, or another train.dataset.actions"
        )
    return found.characters


def _check_base(config: TrainConfig, folder: RunFolder) -> None:
    """Refuse to write a student where the one lies that it begins with."""
    base = Path(config.student.model).expanduser().resolve()
    for role in config.roles:
        place = students_folder(folder, role)
        if config.student.model and place.resolve() == base:
            raise ConfigInvalid(
                f"train.student.model is {place}, where the student that is trained would be "
                "written; choose another folder with --run"
            )


def _base_files(student: StudentConfig) -> dict[str, Path]:
    """Return the files of a folder with a pretrained model that decide what becomes of it."""
    place = Path(student.model).expanduser() if student.model else None
    if place is None or not place.is_dir():
        return {}
    found = [*place.glob("*.safetensors"), *place.glob("tokenizer.json")]
    return {f"base/{file.name}": file for file in sorted(found)}


def _base_card(student: StudentConfig) -> StudentCard | None:
    """Return the card of a student that is trained further; None for any other model."""
    place = Path(student.model).expanduser()
    return read_card(place) if student.model and (place / CARD).is_file() else None


def _begin(
    folder: RunFolder, work: Path, one: _OneStudent, digests: Sequence[str], stage: Stage | None
) -> None:
    """Delete what a training that is not to go on left behind."""
    run, file = " ".join([digest_of(one.model_dump(mode="json")), *digests, "\n"]), work / "run"
    fresh = stage is not None and stage.fresh
    if fresh or not file.exists() or file.read_bytes() != run.encode():
        folder.delete(work)
        write_text(file, run)


def _train_one(one: _OneStudent, shelf: _Shelf, work: Path, watch: Watch | None) -> Student:
    form, old = one.dataset.form, _base_card(one.student)
    prepared, tokens = shelf.take(one)
    model, tokenizer = make_model(one.student, form, tokens), tokens.tokenizer
    outcome = finetune(
        model,
        prepared.train,
        prepared.dev,
        one.training,
        work,
        f"train {one.role}",
        on_dev=watch(one.role, tokenizer, form) if watch else None,
        fresh=not one.student.model,
    )
    card = StudentCard(
        role=one.role,
        form=form,
        data=shelf.digest,
        parameters=sum(p.numel() for p in model.parameters()),
        tokens=outcome.at.tokens,
        loss=outcome.loss,
        dev_loss=outcome.dev_loss,
        seconds=round(outcome.at.seconds, 1),
        seed=one.training.seed,
        ending=outcome.ending,
        share=outcome.share,
        # what a student was trained on before counts too: it must not be played
        trained_on=tuple(dict.fromkeys((*(old.trained_on if old else ()), *prepared.trained_on))),
        teachers=prepared.teachers,
        unwritable=prepared.unwritable,
        base=one.student.model,
        base_tokens=old.base_tokens + old.tokens if old else 0,
        vocabulary=tokenizer.size,
        config=one.model_dump(mode="json"),
    )
    return Student(model, tokenizer, card)


def _teachers(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, int]:
    by_key = {a.trajectory.key: a for a in annotated}  # renamed copies count once
    return dict(Counter("transfer" if a.transferred_from else a.teacher for a in by_key.values()))
