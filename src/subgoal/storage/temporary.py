"""Temporary folders that are removed even where the process that made them was killed."""

import os
import shutil
import tempfile
from pathlib import Path

from subgoal.machine import is_alive

_PREFIX = "subgoal-"


def temporary_folder(purpose: str) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder that lies as long as its owner lives, and remove those of killed processes.

    Args:
        purpose: What it is for, one word; it stands in the folder's name.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{purpose}-{os.getpid()}-")


def _remove_abandoned(place: Path) -> None:
    """Remove the folders of processes that are gone; those of other users cannot be."""
    for folder in place.glob(f"{_PREFIX}*-*-*"):
        pid = folder.name.split("-")[2]
        if pid.isdecimal() and not is_alive(int(pid)) and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
