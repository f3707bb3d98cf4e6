"""The manifest of a stage: what it read, wrote and was configured with, and how far it came."""

import json
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from subgoal.errors import ConfigInvalid, RunFolderInvalid, said_by
from subgoal.plain_text import REPLACEMENT, storable
from subgoal.record import Record

SUFFIX = ".stage.json"
"""How the name of a manifest's file ends."""
_MOST_BYTES = 2**26
"""Of a manifest; a larger one was not written here."""


class StageState(StrEnum):
    """How far a stage has come."""

    BEGUN = "begun"
    """It runs, or was interrupted; the same command goes on."""
    COMPLETE = "complete"
    """All its outputs are there."""
    LOST = "lost"
    """It was complete, but an output is gone; the same command writes it again."""


class StageManifest(Record):
    """What a stage of a run folder read, wrote and was configured with."""

    stage: str
    """Name of the stage, such as `collect` or `train`."""
    state: StageState
    """How far it has come."""
    config: dict[str, Any]
    """The stage's resolved configuration, secrets masked."""
    inputs: dict[str, str] = {}
    """Digest by name of each file that was read."""
    sources: dict[str, str] = {}
    """Where each of these files lies: relative to the run folder, or absolute outside of it."""
    outputs: dict[str, str] = {}
    """Digest by name of each file that was written (a folder: empty)."""
    work: tuple[str, ...] = ()
    """Files and folders that are written while it is under way."""
    notes: tuple[str, ...] = ()
    """What a reader of its results must know."""
    counts: dict[str, float] = {}
    """Figures of the stage, such as `paths` or `tokens`."""
    seconds: float = 0.0
    """Wall-clock seconds, over all attempts."""
    made_with: dict[str, str] = {}
    """Versions of what computed it, and the processor, where it was completed; empty: before that
    was kept."""


def changes(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place of each value that differs between two JSON-like values, and both values.

    A table or a list that the old one has not was empty.
    """
    if isinstance(new, dict | list) and old is None:
        old = cast("Any", type(new)())
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for key in sorted({*before, *after}):
            yield from changes(before.get(key), after.get(key), f"{at}.{key}" if at else key)
    elif old != new:
        yield at, old, new


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """Name what differs between two JSON-like values: `train.tokens: 1000 -> 2000`."""
    return [f"{place}: {before!r} -> {after!r}" for place, before, after in changes(old, new, at)]


def read_manifest(file: Path) -> StageManifest:
    """Read a manifest.

    Raises:
        RunFolderInvalid: It is damaged, or of another stage than its name says.
    """
    name = file.name.removesuffix(SUFFIX)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        manifest = StageManifest.model_validate_json(file.read_bytes())
        if manifest.stage != name:
            raise ValueError(f"it is of the stage '{manifest.stage}'")
    except (ValueError, OSError) as error:
        raise RunFolderInvalid(
            f"{file} is damaged ({said_by(error)}); delete it and run the stage again"
        ) from error
    return manifest


def reads(one: StageManifest, before: StageManifest) -> bool:
    """Return whether a stage reads what another wrote."""
    written = {Path(output) for output in before.outputs}
    read = [Path(source) for source in one.sources.values()]
    return any(written & {source, *source.parents} for source in read)


def timed(manifest: StageManifest, start: float) -> StageManifest:
    """Add the seconds since `start`."""
    seconds = round(manifest.seconds + time.monotonic() - start, 1)
    return manifest.model_copy(update={"seconds": seconds})


def check_storable(manifest: StageManifest) -> None:
    """Refuse settings and names that are no UTF-8, which the manifest could not hold."""
    pieces = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False).split('"')
    for odd in (piece for piece in pieces if storable(piece) is not piece):
        raise ConfigInvalid(
            f"{manifest.stage}: '{storable(odd)}' is no UTF-8 where it has {REPLACEMENT}; rename "
            "the file, or write the setting anew"
        )
