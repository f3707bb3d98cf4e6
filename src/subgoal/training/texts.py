"""What decides one student, and the texts that it is trained on: made, or kept from before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.augmentation.augment import learned_from
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import (
    Example,
    build,
    chosen_types,
    corpus,
    cut_answers,
    long_turns,
    unwritable,
)
from subgoal.datasets.renaming import copies_of, names, renamed_all
from subgoal.datasets.splits import hold_out, unseen
from subgoal.datasets.training_texts import Prepared, load_prepared, save_prepared
from subgoal.errors import StudentInvalid, TrainingFailed
from subgoal.progress import Progress, console
from subgoal.record import Record
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import Journal, file_digest
from subgoal.storage.manifest import StageManifest
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import Tokens, make_tokens
from subgoal.students.card import CARD, StudentCard, read_card
from subgoal.students.config import StudentConfig
from subgoal.text.format import Role
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.training.config import TrainConfig, TrainingConfig

_MOST_UNWRITABLE = 0.05
"""A student that cannot write a larger share of the sub-goals and actions is not trained."""


class OneStudent(Record):
    """All that decides one student."""

    role: Role
    """Its role."""
    dataset: DatasetConfig
    """What it learns from."""
    student: StudentConfig
    """Which model."""
    training: TrainingConfig
    """Its own budget and hyper-parameters."""

    def deciding(self) -> "OneStudent":
        """Return this without what may change while a training goes on: who watches it."""
        training = self.training.model_copy(update={"trackers": ()})
        return self.model_copy(update={"training": training})


def one_student(config: TrainConfig, role: Role) -> OneStudent:
    """Return what decides the student of a role."""
    return OneStudent(
        role=role,
        dataset=config.dataset,
        student=config.student,
        training=config.training_of(role),
    )


def base_files(student: StudentConfig) -> dict[str, Path]:
    """Return the files of a folder with a pretrained model that decide what becomes of it."""
    place = Path(student.model).expanduser() if student.model else None
    if place is None or not place.is_dir():
        return {}
    found = [*place.glob("*.safetensors"), *place.glob("tokenizer.json")]
    return {f"base/{file.name}": file for file in sorted(found)}


def base_card(student: StudentConfig) -> StudentCard | None:
    """Return the card of a student that is trained further; None for any other model."""
    place = Path(student.model).expanduser()
    return read_card(place) if student.model and (place / CARD).is_file() else None


@dataclass(frozen=True)
class _Data:
    """What all students of a run are trained on."""

    train: Sequence[AnnotatedTrajectory]
    dev: Sequence[AnnotatedTrajectory]
    tokens: Tokens
    unwritable: tuple[str, ...]


class TextShelf:
    """The texts of a run's students, made when they are needed, or kept from before.

    Args:
        config: Which students, on what.
        folder: The run folder.

    Attributes:
        source: The file of the annotated paths.
        digest: That of the file.

    Raises:
        RunFolderInvalid: There are no annotations.
    """

    def __init__(self, config: TrainConfig, folder: RunFolder) -> None:
        self._config, self._folder = config, folder
        self._store, self.source = learned_from(config.annotations, folder, "annotations")
        self._data: _Data | None = None
        self.digest = file_digest(self.source)

    def ready(self, one: OneStudent, before: StageManifest | None) -> None:
        """Read the annotations of a stage that has not begun, so that wrong ones do not begin it.

        Raises:
            DataCorrupt: The file is damaged.
            TrainingFailed: There is nothing to train on.
        """
        if before is None and not self._place(one).exists():
            self._data = self._data or _read(self._config, self._store)

    def take(self, one: OneStudent) -> tuple[Prepared, Tokens]:
        """Return a student's texts and tokens."""
        place = self._place(one)
        if not place.exists():
            return self._made(one)
        prepared = load_prepared(place, one.dataset.turns)
        if one.student.model:
            return prepared, make_tokens(one.student, one.dataset.form, (), 0)
        return prepared, Tokens(prepared.tokenizer)

    def keep(self, one: OneStudent) -> Path:
        """Make a student's texts and keep them; return their folder."""
        place = self._place(one)
        if not place.exists():
            save_prepared(place, self._made(one)[0])
        return place

    def _made(self, one: OneStudent) -> tuple[Prepared, Tokens]:
        data = self._data = self._data or _read(self._config, self._store)
        tokenizer, number = data.tokens.tokenizer, len(data.train) + len(data.dev)
        with Progress(f"texts {one.role}", number, "paths") as progress:
            train, dev = (
                build(progress.over(paths), one.role, one.dataset, tokenizer)
                for paths in (data.train, data.dev)
            )
        _tell_of_full_texts(train, one)
        return Prepared(
            train=train,
            dev=dev,
            tokenizer=tokenizer,
            trained_on=tuple(dict.fromkeys(a.trajectory.task.key for a in data.train)),
            teachers=_teachers(data.train),
            unwritable=data.unwritable,
        ), data.tokens

    def _place(self, one: OneStudent) -> Path:
        decides = {
            "annotations": self.digest,
            "role": one.role,
            "dataset": one.dataset.model_dump(mode="json"),
            "model": one.student.model,
            **{name: file_digest(file) for name, file in base_files(one.student).items()},
        }
        return self._folder / f"texts/{digest_of(decides)}"


def prepare(config: TrainConfig, folder: RunFolder) -> dict[str, Path]:
    """Make the texts that students are trained on and keep them, so that training begins at once.

    Args:
        config: As for `train`.
        folder: The run folder.

    Returns:
        The folder of each role's texts.
    """
    shelf = TextShelf(config, folder)
    return {role: shelf.keep(one_student(config, role)) for role in config.roles}


def texts_by_role(
    config: TrainConfig, folder: RunFolder
) -> tuple[StudentTokenizer, dict[Role, dict[str, list[Example]]]]:
    """Return the texts that the stage trains on, by role and split (`train`, `dev`).

    Raises:
        RunFolderInvalid: There are no annotations.
        TrainingFailed: There is nothing to train on.
    """
    data = _read(config, learned_from(config.annotations, folder, "annotations")[0])
    splits = {"train": data.train, "dev": data.dev}
    return data.tokens.tokenizer, {
        role: {
            split: build(paths, role, config.dataset, data.tokens.tokenizer)
            for split, paths in splits.items()
        }
        for role in config.roles
    }


def split(
    whole: TrainConfig, store: Journal[AnnotatedTrajectory]
) -> tuple[list[AnnotatedTrajectory], list[AnnotatedTrajectory]]:
    """Return the paths that are learned from, copies aside, and those that are held out.

    Args:
        whole: As for `train`.
        store: The annotated paths.

    Raises:
        TrainingFailed: There is nothing to train on.
    """
    config = whole.dataset
    known = chosen_types(list(store.by_key().values()), config)
    kept = [one for one in known if one.confidence >= config.min_confidence]
    if not kept:
        raise TrainingFailed(
            f"{store.sealed_path} holds no annotation of confidence {config.min_confidence:g} or "
            "more; annotate some trajectories, or lower train.dataset.min_confidence"
        )
    training, dev = hold_out(kept, config.dev_share)
    old = base_card(whole.student)
    return training, unseen(old.trained_on, dev) if old else dev


def _read(whole: TrainConfig, store: Journal[AnnotatedTrajectory]) -> _Data:
    config, student = whole.dataset, whole.student
    training, dev = split(whole, store)
    taken = copies_of(
        training,
        config.renamed,
        config.per_type,
        config.only_renamed,
        rare_plans=config.rare_plans,
    )
    pool = names(training, frozenset(config.kept))
    paths = list(renamed_all(taken, pool, config.invented))
    tokens = make_tokens(student, config.form, corpus(training, config.form), config.vocabulary)
    _warn_of_long_turns(training, tokens.tokenizer, config)
    _tell_of_cut_answers(training, config)
    return _Data(paths, dev, tokens, check_writable(training, tokens.tokenizer, whole))


def _warn_of_long_turns(
    training: Sequence[AnnotatedTrajectory], tokenizer: StudentTokenizer, config: DatasetConfig
) -> None:
    """Say before training how many sub-goals and actions a student could not write."""
    found = long_turns(training, tokenizer, config.form)
    if found.number:
        console.print(
            f"train: {found.number:,} sub-goals and actions ({found.share:.0%}) are longer than "
            f"train.dataset.turn = {config.turn} tokens, so they are learned and cannot be written;"
            f" the longest has {found.longest}: {found.text[:60]!r}",
            style="yellow",
            soft_wrap=True,
        )
    actions = [step.action for one in training for step in one.trajectory.steps]
    unread = [action for action in actions if not tokenizer.learnable(action)]
    if unread:
        console.print(
            f"train: {len(unread):,} of {len(actions):,} actions could not be read again from how "
            f"the model writes them, so they are read and not learned, such as {unread[0][:60]!r}",
            style="yellow",
            soft_wrap=True,
        )


def _tell_of_cut_answers(training: Sequence[AnnotatedTrajectory], config: DatasetConfig) -> None:
    number, answers, share = cut_answers(training, config.form)
    if number:
        console.print(
            f"train: of {number:,} of {answers:,} answers the middle is left out, {share:.0%} of "
            f"all their characters (train.dataset.answer = {config.answer})",
            soft_wrap=True,
        )


def _tell_of_full_texts(texts: Sequence[Example], one: OneStudent) -> None:
    reopened = sum(text.reopened for text in texts)
    if reopened:
        console.print(
            f"train: {one.role}: {len(texts):,} texts, of which {reopened:,} go on from one that "
            f"was full (train.dataset.context = {one.dataset.context})",
            soft_wrap=True,
        )


def check_writable(
    training: Sequence[AnnotatedTrajectory], tokenizer: StudentTokenizer, config: TrainConfig
) -> tuple[str, ...]:
    """Return the characters that a student cannot write; refuse one that cannot write much.

    Raises:
        StudentInvalid: It is such a one.
    """
    found = unwritable(training, tokenizer, config.dataset.form)
    if found.share > _MOST_UNWRITABLE:
        examples = " ".join(map(repr, found.characters[:10]))
        raise StudentInvalid(
            f"the tokenizer of {config.student.model} has no tokens for {examples}, which "
            f"{found.share:.0%} of the sub-goals and actions have: the student could not write "
            "them; choose another model, or another train.dataset.actions"
        )
    return found.characters


def _teachers(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, int]:
    by_key = {a.trajectory.key: a for a in annotated}  # renamed copies count once
    return dict(Counter("transfer" if a.transferred_from else a.teacher for a in by_key.values()))
