"""Does what is missing of a matrix, job by job."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import sleep
from typing import Literal

import tomli_w
import torch

from research.tables.annotation_budget import Thinning, thinned
from research.tables.cast import Play, Training
from research.tables.exact_match import exact_match
from research.tables.matrix import Job, Place
from research.tables.scale import Scale
from subgoal.agents.config import AgentName
from subgoal.agents.released import released_agent
from subgoal.annotation.annotate import annotate, journal_at
from subgoal.annotation.annotate import journal as annotations_of
from subgoal.augmentation.augment import augment
from subgoal.augmentation.config import AugmentConfig
from subgoal.datasets.examples import chosen_types
from subgoal.environments.pool import NO_LIMITS_GIVEN, WorldLimits
from subgoal.errors import ConfigInvalid, DiskFull, StageBusy, SubgoalError
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.evaluate import evaluate
from subgoal.progress import console
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import weights_file
from subgoal.training.train import students_folder, train
from subgoal.trajectories.collect import collect

PAUSE = 5.0
"""Seconds after which a job that another process was doing is looked at again."""


class MatrixIncomplete(SubgoalError):
    """Some trainings or plays of a matrix failed; the others were done."""


class Work:
    """Does jobs.

    Args:
        place: Where the matrix lies.
        worlds: Episodes at once.
        limits: When a world is given up and replaced.
    """

    def __init__(
        self,
        place: Place,
        worlds: int | Literal["auto"] = "auto",
        limits: WorldLimits = NO_LIMITS_GIVEN,
    ) -> None:
        self._place, self._limits = place, limits
        self._worlds: int | Literal["auto"] = worlds
        self._told = set[str]()

    def do(self, jobs: Sequence[Job]) -> None:
        """Do what is missing; what fails is told at the end, and the rest is done.

        Several processes may share a matrix: what another one is doing is left to it, and what
        builds on that waits.

        Raises:
            DiskFull: Nothing more can be written.
            MatrixIncomplete: Some jobs failed.
        """
        failed: dict[str, str] = {}
        left = [(f"{i}/{len(jobs)} {described(job)}", job) for i, job in enumerate(jobs, start=1)]
        while left:
            elsewhere = set[str]()
            busy = [(what, job) for what, job in left if self._busy(what, job, elsewhere, failed)]
            if len(busy) == len(left):
                sleep(PAUSE)
            left = busy
        if failed:
            first, reason = next(iter(failed.items()))
            raise MatrixIncomplete(
                f"{len(failed)} of {len(jobs)} jobs failed, first {first}: {reason}"
            )

    def _busy(self, what: str, job: Job, elsewhere: set[str], failed: dict[str, str]) -> bool:
        """Do a job; return whether it waits for another process.

        Args:
            what: The job, said in a few words.
            job: The job.
            elsewhere: Digests of trainings that other processes do; this one's is added.
            failed: Why jobs failed; this one's reason is added.
        """
        if self._place.done(job):
            return False
        training = job.training or (job.play.training if job.play else None)
        if job.play is not None and training is not None and training.digest in elsewhere:
            return True
        if job.gpu and not torch.cuda.is_available():
            _tell(f"{what}: left out, it wants a GPU")
            return False
        self._tell_once(f"{what}, for {', '.join(job.tables)}")
        try:
            self._do(job)
        except DiskFull:
            raise
        except StageBusy:
            self._tell_once(f"{what}: left to the process that is doing it")
            if training is not None:
                elsewhere.add(training.digest)
            return True
        except SubgoalError as error:
            failed[described(job)] = str(error)
            _tell(f"failed: {error}")
        return False

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            _tell(line)

    def _do(self, job: Job) -> None:
        if job.training is not None:
            self._train(job.training, job.scale)
        elif job.play is not None and job.match:
            self._match(job.play, job.scale)
        elif job.play is not None:
            self._play(job.play, job.scale)

    def _train(self, training: Training, scale: Scale) -> None:
        if training.data.file is None:
            self._make_data(self._place.data(training), scale)
        folder = self._place.training(training)
        path = _budgeted(training, self._place.annotations(training, scale), folder)
        config = training.config.plain.model_copy(update={"annotations": path})
        # so that `subgoal play --run` and the other verbs find their options
        kept = {"train": config.model_dump(mode="json", exclude_none=True)}
        kept["evaluate"] = _kept(scale.evaluate)
        write_text(folder / "config.toml", tomli_w.dumps(kept))
        train(config, folder)

    def _make_data(self, folder: RunFolder, scale: Scale) -> None:
        collect(scale.collect, folder, self._worlds, self._limits)
        annotate(scale.annotate, folder)
        if scale.augment != AugmentConfig():
            augment(scale.augment, folder, self._worlds, self._limits)

    def _play(self, play: Play, scale: Scale) -> None:
        config, students, drawn_from = play.config, None, None
        if play.training is not None:
            students = self._place.training(play.training) / "students"
            drawn_from = self._place.annotations(play.training, scale)
        elif play.run is not None:
            students = play.run / "students"
            own = annotations_of(RunFolder(play.run))
            drawn_from = config.annotations or (own.sealed_path if own.sealed else None)
        if play.agent is AgentName.RANDOM_SUBGOALS:
            config = config.model_copy(update={"annotations": drawn_from})
        evaluate(
            config,
            self._place.play(play),
            self._worlds,
            self._limits,
            released=released_agent(play.released) if play.released else None,
            students=students,
        )

    def _match(self, play: Play, scale: Scale) -> None:
        training = play.training
        if training is None:
            raise ConfigInvalid(
                "exact match is taken of students that a table trains; leave `released` and `run` "
                "out of its rows"
            )
        folder, path = self._place.training(training), self._place.annotations(training, scale)
        inputs = {
            f"students/{role}": weights_file(students_folder(folder, role))
            for role in training.config.roles
        }
        name = f"exact-match-{play.agent}"
        with folder.stage(name, training.config.dataset, {**inputs, path.name: path}) as stage:
            if stage.complete:
                return
            found = exact_match(
                folder / "students",
                play.agent,
                chosen_types(list(journal_at(path)), training.config.dataset),
                engine=play.config.engine,
                dataset=training.config.dataset,
            )
            file = self._place.match(play)
            write_text(file, found.model_dump_json(indent=1) + "\n")
            stage.finish({str(file.relative_to(folder.path)): file})


def _budgeted(training: Training, path: Path, folder: RunFolder) -> Path:
    """Return the file that a training reads: as if the teacher had annotated fewer paths."""
    config = training.config
    if config.teacher == Thinning():
        return path
    whole = list(journal_at(path))
    chosen = chosen_types(whole, config.dataset)  # others lend no annotation, and are left out
    keys = {one.key for one in chosen}
    store = journal_at(folder / "thinned.jsonl")
    store.clear()
    with closing(store):
        for one in (*thinned(chosen, config.teacher), *(o for o in whole if o.key not in keys)):
            store.append(one)
    return store.seal()


def described(job: Job) -> str:
    """Say a job in a few words."""
    if job.training is not None:
        roles, tokens = " + ".join(job.training.config.roles), job.training.tokens
        budget = f"{tokens / 1e6:g}M tokens" if tokens else "by its own budget"
        return f"train {roles} ({job.row}), seed {job.training.seed}, {budget}"
    assert job.play is not None
    seed = f", seed {job.play.training.seed}" if job.play.training else ""
    if job.match:
        return f"exact match of {job.play.agent} ({job.row}){seed}"
    return f"play {job.play.agent} ({job.row}){seed}, protocol {job.play.config.protocol}"


def _kept(config: EvaluateConfig) -> dict[str, object]:
    return config.model_dump(mode="json", exclude_none=True)


def _tell(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
