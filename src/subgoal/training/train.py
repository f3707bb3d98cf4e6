"""The stage `train`: annotations in, student folders out; needs no world.

Each student is a stage of its own (`train-both`, `train-flat`), resumable. The roles that make
one agent share a budget of tokens or minutes: `planner` and `executor` get half of what `both` or
`flat` gets, so that agents are compared at the same cost; `first`, which has one text a path, a
tenth. What `per_role` says goes before that.

Under `accelerate launch` the processes train the students one after another, together; the main
one alone writes the stages and the students.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from typing_extensions import override

from subgoal.errors import ConfigInvalid
from subgoal.machine import cores
from subgoal.storage.digests import digest_of
from subgoal.storage.journal import file_digest, write_text
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder, Stage
from subgoal.students.build import make_model
from subgoal.students.card import StudentCard, read_card
from subgoal.students.ending import TrainingExtent, cautions
from subgoal.students.folder import Student, save_student
from subgoal.students.model_files import check_name
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.training.config import Tracker, TrainConfig
from subgoal.training.loop import finetune
from subgoal.training.parallel.processes import joined_processes
from subgoal.training.parallel.side_by_side import TrainingOrder, train_side_by_side
from subgoal.training.run import OnDev
from subgoal.training.texts import OneStudent, TextShelf, base_card, base_files, one_student
from subgoal.training.tracking import trackio_home

Watch = Callable[[Role, StudentTokenizer, TextFormat], OnDev | None]
"""Returns what is called after each look at held-out texts, for a role's student; training knows
no world, so whoever starts it brings the one in which students so far are tried."""


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
    if Tracker.TRACKIO in config.training.trackers:
        trackio_home(folder)
    shelf = TextShelf(config, folder)
    orders = _orders(config, folder) if watch is None and processes.number == 1 else []
    if orders:
        train_side_by_side(orders)
        folder = RunFolder(folder.path)  # what was to begin anew is done
    cards: dict[str, StudentCard] = {}
    for role in config.roles:
        one = one_student(config, role)
        place = students_folder(folder, role)
        base = base_files(one.student)
        work, checkpoints = folder / f"training/{role}", folder / f"training/{role}/checkpoints"
        with ExitStack() as stack:
            stage = None
            if processes.main:
                shelf.ready(one, folder.manifest(f"train-{role}"))
                inputs = {shelf.source.name: shelf.source, **base}
                named = folder.stage(f"train-{role}", one.deciding(), inputs, (work,))
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
        read=shelf.source,
        written={role: students_folder(folder, role) for role in config.roles},
        cards=cards,
    )


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
            kept="" if number else folder.config,  # one of them writes it
        )
        for number, role in enumerate(open_roles)
    ]


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


def _begin(
    folder: RunFolder, work: Path, one: OneStudent, digests: Sequence[str], stage: Stage | None
) -> None:
    """Delete what a training that is not to go on left behind."""
    run, file = (
        " ".join([digest_of(one.deciding().model_dump(mode="json")), *digests, "\n"]),
        work / "run",
    )
    fresh = stage is not None and stage.fresh
    if fresh or not file.exists() or file.read_bytes() != run.encode():
        folder.delete(work)
        write_text(file, run)


def _train_one(one: OneStudent, shelf: TextShelf, work: Path, watch: Watch | None) -> Student:
    form, old = one.dataset.form, base_card(one.student)
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
    ids = (number for text in prepared.train for number in text.ids.tolist())
    return Student(model, tokenizer.shown(ids, fresh=not one.student.model), card)
