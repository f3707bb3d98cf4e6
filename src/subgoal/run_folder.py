"""The run folder: one experiment on disk, resumable stage by stage.

    runs/demo/
      collect.stage.json   what a stage read, wrote and was configured with, and its state
      trajectories.jsonl.zst, annotations.jsonl.zst, students/, evaluation/, report.html, ...

A stage is one piece of the main job (`collect`, `annotate`, `train`, `evaluate`, `report`). It
writes a manifest when it begins and again when it completes. A stage that is complete with the
same configuration and inputs is not run again, unless a file that it wrote is gone; one of another
configuration is refused, with the difference shown; an interrupted one goes on.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from subgoal.errors import RunFolderInvalid, StageBusy
from subgoal.journal import file_digest, write_text
from subgoal.progress import console
from subgoal.record import Record

_SUFFIX = ".stage.json"


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
    """The stage's resolved configuration."""
    inputs: dict[str, str] = {}
    """Digest by name of each file that was read."""
    outputs: dict[str, str] = {}
    """Digest by name of each file that was written (a folder: empty)."""
    counts: dict[str, float] = {}
    """Figures of the stage, such as `paths` or `tokens`."""
    seconds: float = 0.0
    """Wall-clock seconds, over all attempts."""


def digest_of(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of a JSON-like value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """Name what differs between two JSON-like values: `train.tokens: 1000 -> 2000`."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        return [
            line
            for key in sorted({*before, *after})
            for line in differences(before.get(key), after.get(key), f"{at}.{key}" if at else key)
        ]
    return [] if old == new else [f"{at}: {old!r} -> {new!r}"]


class Stage:
    """A stage at work; made by `RunFolder.stage`."""

    def __init__(self, folder: "RunFolder", manifest: StageManifest, fresh: bool) -> None:
        self._folder = folder
        self.manifest = manifest
        self.fresh = fresh
        """True where the stage had not begun before: whatever it finds of its own is stale."""

    @property
    def complete(self) -> bool:
        """True where the stage was complete before: there is nothing to do."""
        return self.manifest.state is StageState.COMPLETE

    def finish(self, outputs: Mapping[str, Path], **counts: float) -> None:
        """Name what was written and the figures; the stage is complete when its block ends."""
        digests = {
            name: file_digest(path) if path.is_file() else "" for name, path in outputs.items()
        }
        self.manifest = self.manifest.model_copy(
            update={"outputs": digests, "counts": counts, "state": StageState.COMPLETE}
        )


class RunFolder:
    """A folder that holds one experiment.

    Args:
        path: The folder; made when a stage begins.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def manifests(self) -> list[StageManifest]:
        """Return the manifests of all stages that have begun, oldest first."""
        files = sorted(self.path.glob("*" + _SUFFIX), key=lambda file: file.stat().st_ctime)
        return [self._read(file) for file in files]

    def manifest(self, stage: str) -> StageManifest | None:
        """Return a stage's manifest, or None where it has not begun."""
        file = self._manifest_file(stage)
        return self._read(file) if file.exists() else None

    def need(self, stage: str, verb: str) -> StageManifest:
        """Return the manifest of a complete stage.

        Raises:
            RunFolderInvalid: It is not complete; the message names the verb that completes it.
        """
        manifest = self.manifest(stage)
        if manifest is None or manifest.state is not StageState.COMPLETE:
            state = "has not run"
            if manifest is not None:
                gone = ", ".join(self._missing(manifest))
                state = f"has lost {gone}" if gone else "was interrupted"
            raise RunFolderInvalid(
                f"{self.path}: the stage '{stage}' {state}; first run "
                f"`subgoal {verb} --run {self.path}`"
            )
        return manifest

    @contextmanager
    def stage(
        self, name: str, config: Record, inputs: Mapping[str, Path] | None = None
    ) -> Generator[Stage]:
        """Begin, or go on with, a stage; the block does the work and calls `finish`.

        Args:
            name: The stage, such as `collect` or `evaluate-dev`.
            config: All that decides the stage's result.
            inputs: Files that it reads, by name.

        Raises:
            RunFolderInvalid: It began with another configuration or other inputs, an input is
                missing, or another process is running it (`StageBusy`).
        """
        asked = StageManifest(
            stage=name,
            state=StageState.BEGUN,
            config=config.model_dump(mode="json"),
            inputs={key: self._input_digest(name, path) for key, path in (inputs or {}).items()},
        )
        with self._locked(name):
            before = self.manifest(name)
            if before is not None:
                self._check_same(before, asked)
                if before.state is StageState.LOST:
                    gone = ", ".join(self._missing(before))
                    console.print(f"{name}: {gone} is missing and is written again", markup=False)
                    before = before.model_copy(update={"state": StageState.BEGUN})
            stage = Stage(self, before or asked, fresh=before is None)
            if stage.complete:
                yield stage
                if stage.manifest is not before:  # it was done again in part
                    self._write(stage.manifest)
                return
            self._write(stage.manifest)
            start = time.monotonic()
            try:
                yield stage
            except BaseException:
                stage.manifest = before or asked
                raise
            finally:
                seconds = stage.manifest.seconds + time.monotonic() - start
                self._write(stage.manifest.model_copy(update={"seconds": round(seconds, 1)}))

    @contextmanager
    def amend(self, name: str) -> Generator[Stage]:
        """Change what a complete stage wrote; the block does it and calls `finish`.

        Stages that have read the former outputs are refused when they are run again, as their
        inputs have changed.

        Raises:
            RunFolderInvalid: The stage is not complete, or another process is running it.
        """
        with self._locked(name):
            stage = Stage(self, self.need(name, name), fresh=False)
            yield stage
            self._write(stage.manifest)

    def remove_stage(self, name: str) -> None:
        """Forget a stage and delete what it wrote, so that it can run again from scratch.

        What an interrupted stage wrote is not known here; whoever writes it deletes it.

        Raises:
            RunFolderInvalid: Another process is running it.
        """
        if not self._manifest_file(name).exists():
            return
        with self._locked(name):
            manifest = self.manifest(name)
            if manifest is None:
                return
            for output in manifest.outputs:
                self._delete(self.path / output)
            self._manifest_file(name).unlink()

    def remove(self) -> None:
        """Delete the run folder.

        Raises:
            RunFolderInvalid: It is not a run folder, or another process is running a stage.
        """
        # by name alone: a folder with a damaged manifest can be removed too
        stages = [file.name.removesuffix(_SUFFIX) for file in self.path.glob("*" + _SUFFIX)]
        if not stages:
            raise RunFolderInvalid(f"{self.path} is no run folder; nothing was deleted")
        with ExitStack() as locks:
            for stage in sorted(stages):
                locks.enter_context(self._locked(stage))
            shutil.rmtree(self.path)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    def _manifest_file(self, stage: str) -> Path:
        return self.path / f"{stage}{_SUFFIX}"

    def _input_digest(self, stage: str, path: Path) -> str:
        try:
            return file_digest(path)
        except FileNotFoundError as error:
            raise RunFolderInvalid(
                f"{self.path}: the stage '{stage}' reads {path}, which is missing; run the stage "
                "that writes it again"
            ) from error

    def _read(self, file: Path) -> StageManifest:
        try:
            manifest = StageManifest.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise RunFolderInvalid(
                f"{file} is damaged ({error.errors()[0]['msg']}); delete it and run the stage again"
            ) from error
        if manifest.state is StageState.COMPLETE and self._missing(manifest):
            return manifest.model_copy(update={"state": StageState.LOST})
        return manifest

    def _missing(self, manifest: StageManifest) -> list[str]:
        """Name the outputs of a stage that are gone."""
        return [name for name in manifest.outputs if not (self.path / name).exists()]

    def _write(self, manifest: StageManifest) -> None:
        write_text(self._manifest_file(manifest.stage), manifest.model_dump_json(indent=2) + "\n")

    def _check_same(self, before: StageManifest, asked: StageManifest) -> None:
        changed = differences(before.config, asked.config)
        changed += differences(before.inputs, asked.inputs, "input")
        if changed:
            verb = asked.stage.partition("-")[0]
            raise RunFolderInvalid(
                f"{self.path}: the stage '{asked.stage}' was run with another configuration "
                f"({'; '.join(changed)}). Choose another folder with --run, or give "
                f"`subgoal {verb}` the option --restart to delete what this stage wrote and run it "
                "again"
            )

    @contextmanager
    def _locked(self, stage: str) -> Generator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            opened = (self.path / f".{stage}.lock").open("a+")
        except OSError as error:
            raise RunFolderInvalid(
                f"{self.path} cannot be written ({error.strerror or error}); choose another "
                "folder with --run"
            ) from error
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise StageBusy(
                    f"{self.path}: another process ({lock.read() or 'unknown'}) is running the "
                    f"stage '{stage}'; wait for it or stop it"
                ) from error
            lock.truncate(0)
            with suppress(OSError):  # on a full disk the lock holds without a name
                os.write(lock.fileno(), f"pid {os.getpid()}".encode())
            yield

    @staticmethod
    def _delete(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
