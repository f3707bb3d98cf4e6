"""The stage `annotate`: sub-goals on every collected trajectory, or a named failure."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.edited_text import corrected
from subgoal.annotation.failure import AnnotationFailure, FailureKind
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.summary import AnnotateSummary, summarize
from subgoal.annotation.teachers.base import Teacher
from subgoal.annotation.teachers.llm.stage import Forecast, PaidTeacher, forecast
from subgoal.annotation.teachers.own import own_teacher
from subgoal.annotation.teachers.recorded import RecordedTeacher, check_recorded
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.annotation.teachers.world import WorldTeacher
from subgoal.annotation.transfer.selection import Selection
from subgoal.annotation.transfer.worker import carried_over
from subgoal.cluster import Cluster
from subgoal.environments.base import StopReason
from subgoal.environments.boundary import raised
from subgoal.errors import AnnotationInvalid, ConfigInvalid, DataCorrupt, TeacherFailed
from subgoal.plain_text import read_record, storable
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.storage.journal import Journal, write_text
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories import collect
from subgoal.trajectories.trajectory import Trajectory

FILE = "annotations.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""
_RETRIES = "annotation_retries.json"


TEACHERS: dict[TeacherKind, type[Teacher]] = {
    TeacherKind.RECORDED: RecordedTeacher,
    TeacherKind.SCRIPTED: ScriptedTeacher,
}
"""The class of each teacher of ours that is free."""


def journal(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of annotated trajectories."""
    return journal_at(folder / FILE)


def journal_at(path: Path) -> Journal[AnnotatedTrajectory]:
    """Return the journal in a file of annotated trajectories, wherever it lies.

    Args:
        path: A `.jsonl` or `.jsonl.zst`, as `annotate` and `augment` write.

    Raises:
        ConfigInvalid: A `.jsonl` lies beside the `.jsonl.zst` that is meant.
    """
    place = path.with_suffix("") if path.suffix == ".zst" else path
    if place != path and place.exists():
        raise ConfigInvalid(f"{place} lies beside {path}; name that one, or move it away")
    return Journal(place, AnnotatedTrajectory, "annotations", lambda one: one.key)


def named_file(path: Path, setting: str) -> Journal[AnnotatedTrajectory]:
    """Return the journal in a file that a user names; it has been read once from end to end.

    Args:
        path: The file.
        setting: What the path is called, for messages.

    Raises:
        ConfigInvalid: There is no such file, or another lies beside it.
        DataCorrupt: It is damaged.
    """
    if not path.is_file():
        raise ConfigInvalid(f"{setting}: there is no file {path}")
    store = journal_at(path)
    store.check()
    return store


def failures(folder: RunFolder) -> Journal[AnnotationFailure]:
    """Return the run folder's journal of failures."""
    return Journal(
        folder / "annotation_failures.jsonl",
        AnnotationFailure,
        "annotation-failures",
        lambda failure: failure.key,
    )


def annotate_all(
    trajectories: Iterable[Trajectory],
    config: AnnotateConfig,
    paid: PaidTeacher | None = None,
    cluster: Cluster | None = None,
    teacher: Teacher | None = None,
) -> tuple[list[AnnotatedTrajectory], list[AnnotationFailure]]:
    """Annotate trajectories: by the teacher where it can, else by transfer.

    Args:
        trajectories: The paths.
        config: Who annotates.
        paid: The openai teacher at work; None makes one where the configuration wants it. It asks
            from this process alone, so that its ledger, budget and rate limits hold.
        cluster: Whose processes carry annotations over; None: this one.
        teacher: Who annotates instead of the configured one.

    Returns:
        The annotations, and a failure with its reason for every trajectory without one, and for
        those that the openai teacher was asked about and that transfer annotated instead.

    Raises:
        ConfigInvalid, TeacherFailed: The openai teacher cannot be asked at all.
    """
    solved: list[Trajectory] = []
    failed: list[AnnotationFailure] = []
    for path in trajectories:
        if path.stop_reason is StopReason.SOLVED:
            solved.append(path)
        else:
            reason = f"the path ends at a score of {path.final_score}; only solved ones are used"
            failed.append(_failure(path, reason, FailureKind.PATH))
    if teacher is None and config.teacher is TeacherKind.OPENAI:
        paid = paid or PaidTeacher(config.openai)
        selection = Selection(config.select, solved)
        while not paid.stopped and (asked := selection.next(paid.annotated)):
            paid.ask(asked)
        direct, refused = paid.annotated, paid.failed
    else:
        direct, refused = _by_free_teacher(teacher or _free_teacher(config), solved)
    reasons = {failure.key: failure for failure in refused}
    done = {one.trajectory.key for one in direct}
    rest = [path for path in solved if path.key not in done]
    if config.transfer and rest:
        carried, left = _carry_over(direct, rest, reasons, cluster)
        return direct + carried, failed + left
    not_asked = "the teacher was not asked about it"
    left = [reasons.get(path.key) or _failure(path, not_asked) for path in rest]
    return direct, failed + left


def annotate(
    config: AnnotateConfig,
    folder: RunFolder,
    retry_failed: bool = False,
    cluster: Cluster | None = None,
    teacher: Teacher | None = None,
) -> AnnotateSummary:
    """Run the stage: read the trajectories, write annotations and failures.

    Args:
        config: Who annotates.
        folder: The run folder.
        retry_failed: Take up the paths that the teacher failed on; those that are annotated are
            not asked about again.
        cluster: Whose processes carry annotations over; None: this one.
        teacher: Who annotates; where its class lies must be what `config` names.

    Raises:
        RunFolderInvalid: `collect` is not complete, or the stage has another configuration.
        ConfigInvalid, TeacherFailed: The openai teacher cannot be asked at all, or nothing of this
            world is recorded.
    """
    folder.need("collect", "collect")
    source = collect.journal(folder)
    store, bad = journal(folder), failures(folder)
    inputs = {source.sealed_path.name: source.sealed_path}
    if retry_failed and not folder.begins_anew("annotate"):
        with folder.stage("annotate", config.deciding(), inputs) as stage:
            complete = stage.complete
        if complete:
            _take_up(folder)
    before = folder.manifest("annotate")
    if teacher is None and (before is None or before.state is not StageState.COMPLETE):
        teacher = _own_teacher(config)  # before the stage begins: it may not be there
        if config.teacher is TeacherKind.RECORDED:
            check_recorded({path.task.environment for path in islice(source, 1)})
    with folder.stage("annotate", config.deciding(), inputs) as stage:
        if not stage.complete:
            paid = None
            if config.teacher is TeacherKind.OPENAI:
                run = storable(str(folder.path.resolve()))
                paid = PaidTeacher(config.openai, run, _retries(folder).again)
            annotated, failed = annotate_all(source, config, paid, cluster, teacher)
            store.clear()  # of what an interrupted attempt wrote
            bad.clear()
            with closing(store), closing(bad):
                for one in corrected(annotated, folder):
                    store.append(one)
                for failure in failed:
                    bad.append(failure)
            outputs = {store.sealed_path.name: store.seal(), bad.sealed_path.name: bad.seal()}
            used = paid.counts if paid else {}
            stage.finish(outputs, annotated=len(annotated), failed=len(failed), **used)
    counts = dict(stage.manifest.counts)
    used = {name: counts[name] for name in counts if name not in {"annotated", "failed"}}
    return summarize(list(store), list(bad), source.sealed_path, store.sealed_path, used)


def dry_run(config: AnnotateConfig, folder: RunFolder) -> Forecast:
    """Estimate what the stage would send, without sending anything.

    Where paths are chosen in rounds, these are the first round's: the others depend on it.

    Raises:
        RunFolderInvalid: `collect` is not complete.
        ConfigInvalid: The teacher is free, or its configuration is wrong.
    """
    if config.teacher is not TeacherKind.OPENAI:
        raise ConfigInvalid(f"the {config.teacher} teacher is free: nothing would be sent")
    folder.need("collect", "collect")
    solved = [path for path in collect.journal(folder) if path.stop_reason is StopReason.SOLVED]
    found = forecast(Selection(config.select, solved).next(), config.openai)
    more = config.select.core is not None and config.select.target_confidence > 0
    return found.model_copy(update={"more": more})


class _Retries(Record):
    again: dict[str, int] = {}
    """How often a path was taken up after replies that were no annotation, by its task's key."""


def _retries(folder: RunFolder) -> _Retries:
    place = folder / _RETRIES
    if not place.exists():
        return _Retries()
    remedy = "delete it, and failures that were taken up before may get the replies that they had"
    return read_record(place, _Retries, DataCorrupt, remedy)


def _take_up(folder: RunFolder) -> None:
    """Open the complete stage again; replies that were of no use will be asked for anew."""
    taken = [failure for failure in failures(folder) if failure.kind.retried]
    if not taken:
        return
    again = dict(_retries(folder).again)
    for failure in taken:
        # Where no reply came, what the ledger has of the conversation still holds.
        if failure.kind is FailureKind.REPLY:
            again[failure.key] = again.get(failure.key, 0) + 1
    write_text(folder / _RETRIES, _Retries(again=again).model_dump_json(indent=2) + "\n")
    folder.remove_stage("annotate")


def _own_teacher(config: AnnotateConfig) -> Teacher | None:
    return None if isinstance(config.teacher, TeacherKind) else own_teacher(config.teacher)


def _free_teacher(config: AnnotateConfig) -> Teacher:
    if config.teacher is TeacherKind.WORLD:
        return WorldTeacher(config.options)
    return _own_teacher(config) or TEACHERS[TeacherKind(config.teacher)]()


def _by_free_teacher(
    teacher: Teacher, paths: Sequence[Trajectory]
) -> tuple[list[AnnotatedTrajectory], list[AnnotationFailure]]:
    annotated: list[AnnotatedTrajectory] = []
    failed: list[AnnotationFailure] = []
    teacher.study(paths)
    with Progress("annotate", len(paths), "paths") as progress:
        for path in progress.over(paths):
            try:
                annotated.append(_of_path(teacher.annotate(path), path))
            except (TeacherFailed, AnnotationInvalid) as error:
                failed.append(_failure(path, str(error)))
            except (KeyboardInterrupt, ConfigInvalid):
                raise
            except BaseException as error:  # noqa: BLE001 - anybody's code
                failed.append(_failure(path, f"the teacher raised {raised(error)}"))
    return annotated, failed


def _of_path(found: object, path: Trajectory) -> AnnotatedTrajectory:
    """Check that a teacher, maybe somebody's own, annotated the path that it was asked about."""
    if not isinstance(found, AnnotatedTrajectory):
        raise AnnotationInvalid(
            f"the teacher returned {type(found).__name__}, not AnnotatedTrajectory"
        )
    if found.trajectory != path:
        raise AnnotationInvalid("the teacher annotated another path than it was asked about")
    try:  # a copy with changes was never checked
        return AnnotatedTrajectory.model_validate_json(found.model_dump_json())
    except ValueError as error:
        raise AnnotationInvalid(
            f"the teacher returned what is no annotation: {raised(error)}"
        ) from None


def _carry_over(
    direct: Sequence[AnnotatedTrajectory],
    rest: Sequence[Trajectory],
    reasons: Mapping[str, AnnotationFailure],
    cluster: Cluster | None,
) -> tuple[list[AnnotatedTrajectory], list[AnnotationFailure]]:
    """Carry annotations over to the rest; what the paid teacher failed on stays recorded."""
    carried: list[AnnotatedTrajectory] = []
    failed: list[AnnotationFailure] = []
    paths = {path.key: path for path in rest}
    with Progress("carry over", len(rest), "paths") as progress:
        for key, found in carried_over(direct, rest, cluster):
            path, before = paths[key], reasons.get(key)
            progress.advance()
            if isinstance(found, TeacherFailed):
                failed.append(_also(before, path, str(found)))
                continue
            carried.append(found)
            if before is not None and before.kind.retried:
                failed.append(before.model_copy(update={"carried": True}))
    return carried, failed


def _also(before: AnnotationFailure | None, path: Trajectory, reason: str) -> AnnotationFailure:
    """Return the failure of a path that transfer failed on too."""
    if before is None:
        return _failure(path, reason)
    why = reason.removeprefix(f"{path.key}: ")
    return before.model_copy(update={"reason": f"{before.reason}; {why}"})


def _failure(
    path: Trajectory, reason: str, kind: FailureKind = FailureKind.TRANSFER
) -> AnnotationFailure:
    key = path.key
    why = storable(reason.removeprefix(f"{key}: "))
    return AnnotationFailure(key=key, type=path.task.name, reason=why, kind=kind)
