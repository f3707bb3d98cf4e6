"""Exporting trajectories, sub-goals included, in formats that other tools read."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.release.summary import ExportSummary, size_of
from subgoal.storage.journal import written_atomically
from subgoal.storage.run_folder import RunFolder
from subgoal.storage.whole_folder import check_free, write_folder
from subgoal.trajectories.logs.conversation import Author, LoggedConversation
from subgoal.trajectories.logs.formats.own import conversation_of
from subgoal.trajectories.logs.importing import archive
from subgoal.trajectories.logs.writing import LogForm, Subgoals, written
from subgoal.trajectories.storage import journal
from subgoal.trajectories.trajectory import Trajectory


def export_trajectories(folder: RunFolder, out: Path, form: LogForm) -> ExportSummary:
    """Write the trajectories of a run folder, whatever their reward.

    Args:
        folder: The run folder. Imported logs are written as they were read.
        out: With `messages` the file to write, a conversation a line; with `atif` the folder, a
            document a conversation. Nothing may lie there yet.
        form: The format.

    Raises:
        ExportFailed: Something lies at `out`.
        RunFolderInvalid: There are no trajectories.
    """
    check_free(out)
    folder.need("collect", "collect")
    found = (json.dumps(one, ensure_ascii=False).encode() for one in documents(folder, form))
    if form is LogForm.MESSAGES:
        with written_atomically(out) as file:
            count = sum(file.write(one + b"\n") > 0 for one in found)
        return _summary(count, out)
    sizes = list[int]()

    def fill(place: Path) -> None:
        for number, one in enumerate(found, start=1):
            sizes.append((place / f"{number:06}.json").write_bytes(one))

    write_folder(out, fill)
    return _summary(len(sizes), out)


def _summary(count: int, out: Path) -> ExportSummary:
    return ExportSummary(
        what=f"a copy of {count:,} trajectories", where=str(out), size=size_of(out)
    )


def annotated_documents(
    annotated: Iterable[AnnotatedTrajectory], form: LogForm
) -> Iterator[dict[str, Any]]:
    """Yield annotated trajectories, wherever they lie, as JSON objects of a format.

    Args:
        annotated: The trajectories.
        form: The format.
    """
    for one in annotated:
        yield written(conversation_of(one.trajectory), _subgoals(one), form)


def documents(folder: RunFolder, form: LogForm) -> Iterator[dict[str, Any]]:
    """Yield the trajectories of a run folder as JSON objects of a format.

    Args:
        folder: The run folder.
        form: The format.
    """
    subgoals = {
        one.trajectory.key: _subgoals(one) for one in annotate.journal(folder) if not one.variant
    }
    none: Subgoals = ()
    for key, one in _conversations(folder):
        yield written(one, subgoals.get(key, none), form)


def _subgoals(one: AnnotatedTrajectory) -> list[tuple[str, int]]:
    return [(str(span.subgoal), span.last) for span in one.spans]


def _conversations(folder: RunFolder) -> Iterator[tuple[str, LoggedConversation]]:
    """Yield each trajectory's key and conversation: as it was read, else made of its steps."""
    kept = archive(folder)
    if not kept.exists:
        yield from ((path.key, conversation_of(path)) for path in journal(folder))
        return
    marks = {path.variant: _marks(path) for path in journal(folder)}
    for one in kept:
        if one.id in marks:
            key, injected = marks[one.id]
            yield key, _marked(one, injected)


def _marks(path: Trajectory) -> tuple[str, bytes]:
    return path.key, bytes(step.injected for step in path.steps)


def _marked(one: LoggedConversation, injected: bytes) -> LoggedConversation:
    """Mark the turns that were learned with another conversation of the log as read only."""
    flags = iter(injected)
    messages = (
        said.model_copy(update={"learned": not next(flags)})
        if said.author is Author.ASSISTANT
        else said
        for said in one.messages
    )
    return one.model_copy(update={"messages": tuple(messages)})
