"""Corrections of a run folder's annotations: out as a text file, and back in."""

from pathlib import Path

from subgoal.annotation import annotate
from subgoal.annotation.edited_text import corrected, corrections, read_edited, write_editable
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.errors import ConfigInvalid
from subgoal.storage.run_folder import RunFolder


def edit_out(
    folder: RunFolder, path: Path, types: tuple[str, ...] = (), below: float | None = None
) -> int:
    """Write a run folder's annotated paths as a text file to edit.

    Args:
        folder: The run folder.
        path: The text file.
        types: Only paths of these task types; empty: all.
        below: Only paths of a lower confidence than this; None: all.

    Returns:
        How many paths were written.

    Raises:
        RunFolderInvalid: The stage `annotate` is not complete.
        ConfigInvalid: No path is so, or something lies at `path`, perhaps somebody's corrections.
    """
    folder.need("annotate", "annotate")
    if path.exists():
        raise ConfigInvalid(
            f"{path} is there already; take your corrections in with --in {path}, remove it, or "
            "choose another --out"
        )
    chosen = [
        one
        for one in annotate.journal(folder)
        if (not types or one.trajectory.task.name in types)
        and (below is None or one.confidence < below)
    ]
    if not chosen:
        raise ConfigInvalid(f"{folder.path}: no annotated path is of these types and confidence")
    write_editable(chosen, path)
    return len(chosen)


def edit_in(folder: RunFolder, path: Path) -> list[AnnotatedTrajectory]:
    """Take an edited file into a run folder.

    The corrections are kept in a file of their own too, so that annotating again keeps them; and
    a later stage that has read the former annotations says so when it is run again.

    Returns:
        The paths that were changed.

    Raises:
        RunFolderInvalid: The stage `annotate` is not complete, or is running.
        AnnotationInvalid: The file does not hold; nothing was changed.
    """
    with folder.amend("annotate") as stage:
        before = list(annotate.journal(folder))
        changed = read_edited(path, before)
        kept = corrections(folder)
        for one in changed:
            kept.append(one)
        if changed:
            kept.seal()
            _replace(folder, corrected(before, folder))
        outputs = {name: folder / name for name in stage.manifest.outputs}
        stage.finish(outputs, **stage.manifest.counts)
    return changed


def _replace(folder: RunFolder, annotated: list[AnnotatedTrajectory]) -> None:
    """Write the sealed annotations anew, under another name first."""
    draft = annotate.journal(RunFolder(folder / ".corrected"))
    draft.clear()
    for one in annotated:
        draft.append(one)
    draft.seal().replace(annotate.journal(folder).sealed_path)
    draft.path.parent.rmdir()
