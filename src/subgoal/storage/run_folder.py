"""The run folder: one experiment on disk, resumable stage by stage.

    runs/demo/
      config.toml          the configuration of the last stage that began
      collect.stage.json   what a stage read, wrote and was configured with, and its state
      .collect.progress.json   how far a stage has come that runs now, see `progress.kept_in`
      trajectories.jsonl.zst, annotations.jsonl.zst, students/, evaluation/, report.html, ...

A stage is one piece of the main job (`collect`, `annotate`, `train`, `evaluate`, `report`). It
writes a manifest when it begins and again when it completes. A stage that is complete with the
same configuration and inputs is not run again, unless a file that it wrote is gone; one of another
configuration is refused, with the difference shown; an interrupted one goes on.

A run folder may come from somebody else: whatever its files say, nothing outside of it is written
or deleted.
"""

import os
import shutil
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from subgoal.connections.secret import masked
from subgoal.errors import (
    ClusterFailed,
    DiskFull,
    EngineFailed,
    EnvironmentFailed,
    RunFolderInvalid,
    StageBusy,
)
from subgoal.machine import made_with
from subgoal.progress import console, kept_in
from subgoal.record import Record
from subgoal.storage.journal import file_digest, remove_leftovers, write_text
from subgoal.storage.manifest import (
    SUFFIX,
    StageManifest,
    StageState,
    check_storable,
    differences,
    read_manifest,
    reads,
    timed,
)

_LOCK_SECONDS = 0.3
"""How long a stage waits for its lock: who asks whether the stage runs holds it for a moment."""


CONFIG = "config.toml"
"""The file of the configuration that stages were run with."""
BROKE_OFF = (EnvironmentFailed, ClusterFailed, EngineFailed, DiskFull)
"""Errors after which a stage goes on where it stopped; any other refuses it."""


def delete(place: Path, within: Path) -> None:
    """Delete a file, a link or a folder, where it is there.

    Args:
        place: What to delete; of a link, what it leads to stays.
        within: The folder that it must lie in.

    Raises:
        RunFolderInvalid: It does not lie there, by whatever links and `..` its path takes.
    """
    if within.resolve() not in (place.parent.resolve() / place.name).parents:
        raise RunFolderInvalid(f"{place} lies outside of {within}; nothing was deleted")
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


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

    def note(self, *notes: str) -> None:
        """Keep what a reader of the results must know; each once."""
        kept = tuple(dict.fromkeys((*self.manifest.notes, *notes)))
        self.manifest = self.manifest.model_copy(update={"notes": kept})

    def finish(self, outputs: Mapping[str, Path], **counts: float) -> None:
        """Name what was written and the figures; the stage is complete when its block ends."""
        digests = {
            name: file_digest(path) if path.is_file() else "" for name, path in outputs.items()
        }
        self.manifest = self.manifest.model_copy(
            update={
                "outputs": digests,
                "counts": counts,
                "state": StageState.COMPLETE,
                "made_with": made_with(),
            }
        )


class RunFolder:
    """A folder that holds one experiment.

    Args:
        path: The folder; made when a stage begins.
        restart: Stages that are begun through this object begin anew: what they wrote is set aside
            when they begin, so after everything that is checked before, is deleted when they are
            complete, and comes back where they are refused.
        config: The configuration that its stages are run with, which it keeps as `config.toml`
            when one of them begins; empty: it keeps what it has.
    """

    def __init__(self, path: Path, restart: bool = False, config: str = "") -> None:
        self.path, self.config = path, config
        self._restart, self._restarted = restart, set[str]()

    def __truediv__(self, name: str) -> Path:
        """Return the place of a name in the folder.

        Raises:
            RunFolderInvalid: It lies outside of the folder (`..`, an absolute path, or a link), or
                no file can have that name.
        """
        place = self.path / name
        try:
            root, found = self.path.resolve(), place.resolve()
            with suppress(FileNotFoundError, NotADirectoryError):
                place.lstat()  # a name that is too long is resolved all the same
        except (OSError, ValueError, RuntimeError) as error:  # the last of a link to itself
            reason = getattr(error, "strerror", None) or error
            raise RunFolderInvalid(
                f"{self.path}: no file can be called {name[:80]!r} ({reason}); move the run folder "
                "away, or mend what names it"
            ) from error
        if found == root or not found.is_relative_to(root):
            raise RunFolderInvalid(
                f"{self.path}: '{name}' leads to {found}, outside of the run folder, where nothing "
                "is read, written or deleted; move the run folder away, or mend what leads there"
            )
        return place

    def manifests(self) -> list[StageManifest]:
        """Return the manifests of all stages that have begun, oldest first."""
        return [self._read(file) for file in self._manifest_files()]

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

    def stale(self) -> dict[str, str]:
        """Return why the result of a stage is of something else than what is there now, by stage.

        What it read was written anew since, or is gone, or is itself the result of such a stage.
        """
        manifests: list[StageManifest] = []
        for file in self._manifest_files():
            with suppress(RunFolderInvalid):  # whoever needs a damaged one says so
                manifests.append(self._read(file))
        manifests = [one for one in manifests if one.state is not StageState.BEGUN]
        digests: dict[Path, str] = {}
        found: dict[str, str] = {}
        for one in manifests:
            changed = [name for name in one.inputs if self._changed(one, name, digests)]
            if changed:
                found[one.stage] = f"it read {', '.join(changed)}, which has changed since"
        for _ in manifests:  # the results of one are read by the next
            found |= {
                one.stage: f"it read what the stage '{before.stage}' wrote, which is stale itself"
                for before in manifests
                for one in manifests
                if before.stage in found and one.stage not in found and reads(one, before)
            }
        return found

    def _changed(self, manifest: StageManifest, name: str, digests: dict[Path, str]) -> bool:
        path = self.path / manifest.sources.get(name, name)
        if not path.is_file():
            # of a run folder that was moved to another machine, what lies outside may stay behind
            return name in manifest.sources and path.is_relative_to(self.path)
        if path not in digests:
            digests[path] = file_digest(path)
        return digests[path] != manifest.inputs[name]

    @contextmanager
    def stage(
        self,
        name: str,
        config: Record,
        inputs: Mapping[str, Path] | None = None,
        work: Iterable[Path] = (),
    ) -> Generator[Stage]:
        """Begin, or go on with, a stage; the block does the work and calls `finish`.

        Args:
            name: The stage, such as `collect` or `evaluate-dev`.
            config: All that decides the stage's result.
            inputs: Files that it reads, by name.
            work: Files and folders that it writes while it is under way, to go on from; where it
                begins anew they are set aside with its outputs.

        Raises:
            ConfigInvalid: A setting or the name of an input holds text that no file can hold.
            RunFolderInvalid: It began with another configuration or other inputs, an input is
                missing, or another process is running it (`StageBusy`). Or it is to begin anew and
                reads what it wrote itself.
        """
        asked = StageManifest(
            stage=name,
            state=StageState.BEGUN,
            config=masked(config.model_dump(mode="json")),
            inputs={key: self._input_digest(name, path) for key, path in (inputs or {}).items()},
            sources={key: self._source(path) for key, path in (inputs or {}).items()},
            work=tuple(map(self._source, work)),
        )
        check_storable(asked)
        with self._locked(name):
            remove_leftovers(self.path)
            before = self.manifest(name)
            anew = before is not None and self.begins_anew(name)
            self._restarted.add(name)
            if before is not None and anew:
                self._set_aside(before, (inputs or {}).values())
                before = None
            if before is not None:
                self._check_same(before, asked, type(config))
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
            former = self._keep(self.config)
            start = time.monotonic()
            try:
                with kept_in(self / f".{name}.progress.json"):
                    yield stage
            except BaseException as error:
                if anew and isinstance(error, Exception) and not isinstance(error, BROKE_OFF):
                    self._put_back(name)
                    self._keep(former)
                    raise
                with suppress(DiskFull):  # what stopped the stage is told, not this
                    self._write(timed(before or asked, start))
                raise
            self._write(timed(stage.manifest, start))
            if stage.complete:
                self.delete(self._aside(name))

    def _keep(self, config: str) -> str:
        """Write the configuration, where there is one, and return what stood there."""
        file = self / CONFIG
        former = file.read_text("utf-8", "replace") if file.is_file() else ""
        if config:
            write_text(file, config)
        return former

    def begins_anew(self, stage: str) -> bool:
        """Return whether a stage that is begun now forgets what it wrote before."""
        return self._restart and stage not in self._restarted

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

        Raises:
            RunFolderInvalid: Another process is running it.
        """
        if not self._manifest_file(name).exists():
            return
        with self._locked(name):
            manifest = self.manifest(name)
            if manifest is None:
                return
            for place in self._written(manifest):
                self.delete(place)

    def _aside(self, stage: str) -> Path:
        return self / f".{stage}.aside"

    def _set_aside(self, manifest: StageManifest, inputs: Iterable[Path]) -> None:
        """Move what a stage wrote out of the way; what an interrupted restart left there stays."""
        aside, places = self._aside(manifest.stage), self._written(manifest)
        for read in inputs:
            if any(read.resolve().is_relative_to(place.resolve()) for place in places):
                raise RunFolderInvalid(
                    f"{self.path}: the stage '{manifest.stage}' is to begin anew and reads {read}, "
                    "which it wrote itself; copy that elsewhere and name the copy"
                )
        if aside.exists():
            for place in places:
                self.delete(place)
            return
        for place in places:
            if place.exists():
                kept = aside / place.relative_to(self.path)
                kept.parent.mkdir(parents=True, exist_ok=True)
                place.rename(kept)

    def _put_back(self, stage: str) -> None:
        """Bring back what was set aside, in place of what was begun since."""
        aside = self._aside(stage)
        manifest = aside / f"{stage}{SUFFIX}"
        if not manifest.exists():
            return
        for place in self._written(self._read(manifest)):
            kept = aside / place.relative_to(self.path)
            if kept.exists():
                self.delete(place)
                place.parent.mkdir(parents=True, exist_ok=True)
                kept.rename(place)
        self.delete(aside)

    def _written(self, manifest: StageManifest) -> list[Path]:
        """Return the places of all that a stage writes, and of its manifest, which comes last."""
        names = (*manifest.work, *manifest.outputs)
        return [*(self / name for name in names), self._manifest_file(manifest.stage)]

    def delete(self, place: Path) -> None:
        """Delete a file, a link or a folder of the run folder, where it is there.

        Raises:
            RunFolderInvalid: It lies outside of the run folder.
        """
        delete(place, self.path)

    def remove(self) -> None:
        """Delete the run folder.

        Raises:
            RunFolderInvalid: It is not a run folder, it is a link to one, or another process is
                running a stage.
        """
        if self.path.is_symlink():
            raise RunFolderInvalid(
                f"{self.path} is a link to {self.path.resolve()}; name that folder to delete it"
            )
        # by name alone: a folder with a damaged manifest can be removed too
        stages = [file.name.removesuffix(SUFFIX) for file in self.path.glob("*" + SUFFIX)]
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

    def running(self, stage: str) -> bool:
        """Return whether a process is at work on a stage now: its lock is held."""
        lock = self.path / f".{stage}.lock"
        if not lock.exists():
            return False
        try:
            with FileLock(lock, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that may only be read: nobody here can run it either
            return False

    def _manifest_files(self) -> list[Path]:
        return sorted(self.path.glob("*" + SUFFIX), key=lambda file: file.stat().st_ctime)

    def _manifest_file(self, stage: str) -> Path:
        return self / f"{stage}{SUFFIX}"

    def _source(self, path: Path) -> str:
        whole, root = path.absolute(), self.path.absolute()
        return str(whole.relative_to(root) if whole.is_relative_to(root) else whole)

    def _input_digest(self, stage: str, path: Path) -> str:
        try:
            return file_digest(path)
        except FileNotFoundError as error:
            raise RunFolderInvalid(
                f"{self.path}: the stage '{stage}' reads {path}, which is missing; run the stage "
                "that writes it again"
            ) from error

    def _read(self, file: Path) -> StageManifest:
        manifest = read_manifest(file)
        if manifest.state is StageState.COMPLETE and self._missing(manifest):
            return manifest.model_copy(update={"state": StageState.LOST})
        return manifest

    def _missing(self, manifest: StageManifest) -> list[str]:
        """Name the outputs of a stage that are gone."""
        return [name for name in manifest.outputs if not (self / name).exists()]

    def _write(self, manifest: StageManifest) -> None:
        write_text(self._manifest_file(manifest.stage), manifest.model_dump_json(indent=2) + "\n")

    def _check_same(self, before: StageManifest, asked: StageManifest, kind: type[Record]) -> None:
        changed = differences(before.config, asked.config)
        if changed:  # of an older version perhaps, with settings that are no more
            changed = differences(_without_removed(before.config, kind), asked.config)
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
        lock, holder = FileLock(self / f".{stage}.lock"), self / f".{stage}.pid"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(_LOCK_SECONDS)
        except Timeout as error:
            pid = holder.read_text(errors="replace")[:20] if holder.is_file() else "unknown"
            raise StageBusy(
                f"{self.path}: another process (pid {pid}) is running the stage '{stage}'; wait "
                "for it or stop it"
            ) from error
        except OSError as error:
            raise RunFolderInvalid(
                f"{self.path} cannot be written ({error.strerror or error}); choose another "
                "folder with --run"
            ) from error
        try:
            with suppress(DiskFull):  # the lock holds without a name
                write_text(holder, str(os.getpid()))
            yield
        finally:
            lock.release()


def _without_removed(config: dict[str, Any], kind: type[Record]) -> dict[str, Any]:
    """Return a configuration of before without removed settings that changed nothing in it."""
    try:
        return masked(kind.model_validate(config).model_dump(mode="json", exclude_unset=True))
    except ValidationError:
        return config
