"""Folders that are there whole or not at all, and never in place of what a user has."""

import shutil
from collections.abc import Callable
from pathlib import Path

from subgoal.errors import ExportFailed
from subgoal.storage.journal import writing


def check_free(out: Path) -> None:
    """Check that nothing lies where something is to be written.

    Raises:
        ExportFailed: Something does.
    """
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise ExportFailed(f"{out} is there already; remove it, or choose another --out")


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then put it in place of the old one.

    Raises:
        DiskFull: It cannot be written; the old one stays.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    old = folder.with_name(f".{folder.name}.old")
    for remains in (temporary, old):
        shutil.rmtree(remains, ignore_errors=True)
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
            fill(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
