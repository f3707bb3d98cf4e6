"""What run folders there are, and what is left to do in each."""

from pathlib import Path

from typing_extensions import override

from subgoal.errors import RunFolderInvalid
from subgoal.record import Record
from subgoal.report.freshness import outdated
from subgoal.storage.manifest import StageState
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone


class RunState(Record):
    """A run folder."""

    path: Path
    """Where it is."""
    complete: tuple[str, ...] = ()
    """Stages that are complete."""
    running: tuple[str, ...] = ()
    """Stages that a process is running now."""
    to_do: tuple[str, ...] = ()
    """Stages that have to run again, each with the reason."""
    size: int
    """Bytes on disk."""
    seconds: float = 0.0
    """Wall-clock seconds of all stages."""
    damage: str = ""
    """Why it cannot be read; empty: it can."""


class RunFolders(Summary):
    """The run folders within a folder."""

    place: Path
    """The folder."""
    found: tuple[RunState, ...]
    """Its run folders, by name."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return the run folders as a table."""
        if not self.found:
            hint = f"`subgoal run --run {self.place}/mine` makes one"
            return [TextLine(text=f"there are no run folders in {self.place}; {hint}")]
        head = ("run folder", "complete", "running", "to do", "size", "seconds")
        damages = [TextLine(text=one.damage, tone=Tone.CAUTION) for one in self.found if one.damage]
        return [*damages, Table(head=head, rows=tuple(map(_row, self.found)))]


def _row(one: RunState) -> tuple[str, ...]:
    stages = [", ".join(stages) or "-" for stages in (one.complete, one.running, one.to_do)]
    return (str(one.path), *stages, f"{one.size / 1e6:.1f} MB", f"{one.seconds:.0f}")


def run_folders(place: Path) -> RunFolders:
    """Return the run folders within a folder.

    Args:
        place: The folder; it need not exist.
    """
    folders = sorted(path for path in place.glob("*") if path.is_dir()) if place.is_dir() else []
    states = [_state(RunFolder(path)) for path in folders]
    return RunFolders(place=place, found=tuple(state for state in states if state is not None))


def _state(folder: RunFolder) -> RunState | None:
    """Return the state of a run folder; None where it is none."""
    try:
        stages = folder.manifests()
    except RunFolderInvalid as error:
        damage = str(error)
        return RunState(path=folder.path, to_do=("damaged",), size=folder.size, damage=damage)
    if not stages:
        return None
    begun = [one.stage for one in stages if one.state is StageState.BEGUN]
    running = [stage for stage in begun if folder.running(stage)]
    to_do = [f"{stage} (interrupted)" for stage in begun if stage not in running]
    to_do += [f"{one.stage} (lost a file)" for one in stages if one.state is StageState.LOST]
    to_do += [f"{stage} (stale)" for stage in folder.stale()]
    to_do += ["report (stale)"] if outdated(folder) else []
    return RunState(
        path=folder.path,
        complete=tuple(one.stage for one in stages if one.state is StageState.COMPLETE),
        running=tuple(running),
        to_do=tuple(to_do),
        size=folder.size,
        seconds=sum(one.seconds for one in stages),
    )
