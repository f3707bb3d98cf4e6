"""The stage `annotate`: sub-goals on every collected trajectory, or a named failure."""

import random
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from subgoal.annotation.recorded import RecordedTeacher
from subgoal.annotation.scripted import ScriptedTeacher
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teacher import Teacher
from subgoal.annotation.transfer import TransferTeacher
from subgoal.environments.environment import StopReason
from subgoal.errors import AnnotationInvalid, TeacherFailed
from subgoal.journal import Journal
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.trajectories import collect
from subgoal.trajectories.trajectory import Trajectory

FILE = "annotations.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""


class TeacherKind(StrEnum):
    """Who annotates."""

    RECORDED = "recorded"
    """Real LLM annotations that ship with the package."""
    SCRIPTED = "scripted"
    """A deterministic segmentation, for any world, without a model."""


TEACHERS: dict[TeacherKind, type[Teacher]] = {
    TeacherKind.RECORDED: RecordedTeacher,
    TeacherKind.SCRIPTED: ScriptedTeacher,
}
"""The teacher's class by kind."""


class AnnotateConfig(Record):
    """Who sets the sub-goals."""

    teacher: TeacherKind = TeacherKind.RECORDED
    """Who annotates."""
    transfer: bool = True
    """Carry annotations over to paths of the same task type that the teacher did not annotate."""
    min_confidence: float = 0.0
    """Leave out transferred annotations below this confidence (0..1)."""


class AnnotationFailure(Record):
    """Why a trajectory has no annotation."""

    key: str
    """The task's key."""
    reason: str
    """One sentence."""


class AnnotateSummary(Record):
    """What `annotate` did."""

    read: Path
    """The trajectories' file."""
    written: Path
    """The sealed annotations."""
    direct: int
    """Annotated by the teacher."""
    transferred: int
    """Carried over."""
    failed: int
    """Left out, each with its reason in `annotation_failures.jsonl.zst`."""
    reasons: tuple[AnnotationFailure, ...]
    """The first ten failures."""
    confidence: float
    """Mean confidence of the transferred ones; 1 where there are none."""
    subgoals: int
    """Sub-goals in all."""
    samples: tuple[AnnotatedTrajectory, ...]
    """Five annotated paths chosen by chance, to be read."""


def journal(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of annotated trajectories."""
    return Journal(
        folder / FILE, AnnotatedTrajectory, "annotations", lambda one: one.trajectory.task.key
    )


def failures(folder: RunFolder) -> Journal[AnnotationFailure]:
    """Return the run folder's journal of failures."""
    return Journal(
        folder / "annotation_failures.jsonl",
        AnnotationFailure,
        "annotation-failures",
        lambda failure: failure.key,
    )


def annotate_all(
    trajectories: Iterable[Trajectory], config: AnnotateConfig
) -> tuple[list[AnnotatedTrajectory], list[AnnotationFailure]]:
    """Annotate trajectories: by the teacher where it can, else by transfer.

    Returns:
        The annotations, and a failure with its reason for every trajectory without one.
    """
    teacher = TEACHERS[config.teacher]()
    direct: list[AnnotatedTrajectory] = []
    rest: list[tuple[Trajectory, str]] = []
    failed: list[AnnotationFailure] = []
    for path in trajectories:
        if path.stop_reason is not StopReason.SOLVED:
            reason = f"the path ends at a score of {path.final_score}; only solved ones are used"
            failed.append(AnnotationFailure(key=path.task.key, reason=reason))
            continue
        try:
            direct.append(teacher.annotate(path))
        except (TeacherFailed, AnnotationInvalid) as error:
            rest.append((path, str(error)))
    if not config.transfer:
        failed += [AnnotationFailure(key=path.task.key, reason=why) for path, why in rest]
        return direct, failed
    carried, left = _carry_over(direct, rest, config.min_confidence)
    return direct + carried, failed + left


def _carry_over(
    direct: Sequence[AnnotatedTrajectory],
    rest: Sequence[tuple[Trajectory, str]],
    min_confidence: float,
) -> tuple[list[AnnotatedTrajectory], list[AnnotationFailure]]:
    teacher = TransferTeacher(direct)
    carried: list[AnnotatedTrajectory] = []
    failed: list[AnnotationFailure] = []
    with Progress("annotate", len(rest), "paths") as progress:
        for path, why in rest:
            progress.advance()
            try:
                found = teacher.annotate(path)
            except TeacherFailed as error:
                failed.append(AnnotationFailure(key=path.task.key, reason=f"{why}; {error}"))
                continue
            if found.confidence >= min_confidence:
                carried.append(found)
                continue
            reason = f"confidence {found.confidence:.2f} is below {min_confidence:.2f}"
            failed.append(AnnotationFailure(key=path.task.key, reason=reason))
    return carried, failed


def annotate(config: AnnotateConfig, folder: RunFolder) -> AnnotateSummary:
    """Run the stage: read the trajectories, write annotations and failures.

    Raises:
        RunFolderInvalid: `collect` is not complete, or the stage has another configuration.
    """
    folder.need("collect", "collect")
    source = collect.journal(folder)
    store, bad = journal(folder), failures(folder)
    with folder.stage("annotate", config, {source.sealed_path.name: source.sealed_path}) as stage:
        if not stage.complete:
            annotated, failed = annotate_all(source, config)
            for one in annotated:
                store.append(one)
            for failure in failed:
                bad.append(failure)
            outputs = {store.sealed_path.name: store.seal(), bad.sealed_path.name: bad.seal()}
            stage.finish(outputs, annotated=len(annotated), failed=len(failed))
    return _summary(folder)


def _summary(folder: RunFolder) -> AnnotateSummary:
    annotated, failed = list(journal(folder)), list(failures(folder))
    carried = [one for one in annotated if one.transferred_from]
    confidence = sum(one.confidence for one in carried) / len(carried) if carried else 1.0
    samples = random.Random(0).sample(annotated, min(5, len(annotated)))
    return AnnotateSummary(
        read=collect.journal(folder).sealed_path,
        written=journal(folder).sealed_path,
        direct=len(annotated) - len(carried),
        transferred=len(carried),
        failed=len(failed),
        reasons=tuple(failed[:10]),
        confidence=confidence,
        subgoals=sum(len(one.spans) for one in annotated),
        samples=tuple(samples),
    )
