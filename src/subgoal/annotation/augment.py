"""The stage `augment`: annotated paths are rewritten in the world, before they are learned from."""

from contextlib import closing
from pathlib import Path
from typing import Literal

from subgoal.annotation import annotate
from subgoal.annotation.shortening import shortened
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.environment import Environment
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits, affordable
from subgoal.journal import Journal
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.trajectories.replay import replay

FILE = "augmented.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""


class AugmentConfig(Record):
    """How annotated paths are rewritten."""

    shorten: bool = False
    """Rewrite paths to be shorter where the world allows it; each is replayed, and kept only if it
    solves its task."""


class AugmentSummary(Record):
    """What `augment` did."""

    read: Path
    """The annotations."""
    written: Path
    """The rewritten ones; paths that could not be made shorter are as they were."""
    paths: int
    """Annotated paths."""
    shortened: int
    """Those that are shorter than before."""
    moves: tuple[float, float]
    """Mean moves of the world a path, before and after."""
    by_type: dict[str, tuple[float, float]]
    """The same by task type."""


def journal(folder: RunFolder) -> Journal[AnnotatedTrajectory]:
    """Return the run folder's journal of rewritten annotated trajectories."""
    return Journal(
        folder / FILE, AnnotatedTrajectory, "annotations", lambda one: one.trajectory.task.key
    )


def augment(
    config: AugmentConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
) -> AugmentSummary:
    """Run the stage: rewrite, replay, store, seal. A second call does only what is missing.

    Args:
        config: How paths are rewritten.
        folder: The run folder.
        worlds: How many worlds side by side; does not change the result.
        limits: When a world is given up and replaced.

    Raises:
        RunFolderInvalid: `annotate` is not complete, or the stage has another configuration.
    """
    folder.need("annotate", "annotate")
    source, store = annotate.journal(folder), journal(folder)
    old = source.by_key()
    inputs = {source.sealed_path.name: source.sealed_path}
    with folder.stage("augment", config, inputs) as stage:
        if not stage.complete:
            if stage.fresh:
                store.clear()
            held = store.by_key()
            missing = [one for key, one in old.items() if key not in held]
            environment = next(iter(old.values())).trajectory.task.environment if old else ""
            with (
                closing(store),
                Progress("shorten", len(old), "paths", len(old) - len(missing)) as progress,
                Pool(
                    environment, min(affordable(worlds, limits), max(1, len(missing))), limits
                ) as pool,
            ):
                for one in pool.map(_shortened if config.shorten else _same, missing):
                    store.append(one)
                    progress.advance()
            stage.finish({store.sealed_path.name: store.seal()}, paths=len(old))
    return _summary(source.sealed_path, old, store)


def _same(world: Environment, one: AnnotatedTrajectory) -> AnnotatedTrajectory:
    del world
    return one


def _shortened(world: Environment, one: AnnotatedTrajectory) -> AnnotatedTrajectory:
    path = one.trajectory
    return shortened(one, lambda actions: replay(world, path.task, actions, path.source))


def _summary(
    read: Path, old: dict[str, AnnotatedTrajectory], store: Journal[AnnotatedTrajectory]
) -> AugmentSummary:
    new = store.by_key()
    pairs = [(old[key], new[key]) for key in new]
    by_type: dict[str, list[tuple[int, int]]] = {}
    for before, after in pairs:
        moves = (before.trajectory.steps[-1].moves, after.trajectory.steps[-1].moves)
        by_type.setdefault(before.trajectory.task.name, []).append(moves)
    return AugmentSummary(
        read=read,
        written=store.sealed_path,
        paths=len(pairs),
        shortened=sum(len(a.trajectory.steps) < len(b.trajectory.steps) for b, a in pairs),
        moves=_means([moves for group in by_type.values() for moves in group]),
        by_type={name: _means(group) for name, group in by_type.items()},
    )


def _means(moves: list[tuple[int, int]]) -> tuple[float, float]:
    count = max(1, len(moves))
    before, after = sum(b for b, _ in moves) / count, sum(a for _, a in moves) / count
    return before, after
