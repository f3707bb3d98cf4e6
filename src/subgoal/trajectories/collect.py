"""Collecting: oracle paths are replayed in the world and stored as trajectories.

Replaying is cheap; making an oracle path can take the engine a minute. So known paths come
first: actions that a teacher annotated, then the paths that ship with the package, then the
world's own oracle. Which variations are collected is nested: the first 10 are among the first 20.
"""

import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from subgoal.environments.environment import Environment, StopReason, Task
from subgoal.environments.pool import Pool, affordable
from subgoal.environments.registry import make
from subgoal.errors import DataCorrupt, EnvironmentFailed, TaskUnknown, nearest
from subgoal.journal import Journal
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.trajectories.trajectory import Step, Trajectory

FILE = "trajectories.jsonl"
"""The journal's name in a run folder; sealed it ends in `.zst`."""

KnownPath = tuple[str, tuple[str, ...]]
"""Where the actions come from (`recorded`, `shipped`, `file`) and the actions."""


class PathSource(StrEnum):
    """Where oracle paths may come from."""

    SHIPPED = "shipped"
    """Recorded and shipped paths first, the world's own oracle for the rest."""
    ENGINE = "engine"
    """The world's own oracle only."""


class CollectConfig(Record):
    """Which oracle paths are collected."""

    environment: str = "scienceworld"
    """The world."""
    types: tuple[str, ...] = ()
    """Task types; empty: all."""
    split: str = "train"
    """Which split's variations."""
    per_type: int = 20
    """Variations a type (fewer where there are fewer)."""
    simplifications: str = ""
    """The world's simplification setting, such as `easy`; empty: the plain world."""
    source: PathSource = PathSource.SHIPPED
    """Known paths first, or the world's own oracle only."""
    paths: Path | None = None
    """A JSONL file of your own expert paths (fields task, variation, actions); they come first."""
    known_only: bool = False
    """Leave out variations without a known path instead of asking the world's oracle (slow)."""


class CollectSummary(Record):
    """What `collect` did."""

    read: str
    """What was read."""
    written: Path
    """The sealed file."""
    paths: int
    """Trajectories in it."""
    solved: int
    """Those that solve their task; the others are kept and marked."""
    by_type: dict[str, int]
    """Trajectories by task type."""
    failed: dict[str, str] = {}
    """Why a path could not be had, by task key."""


def journal(folder: RunFolder) -> Journal[Trajectory]:
    """Return the run folder's journal of trajectories."""
    return Journal(folder / FILE, Trajectory, "trajectories", lambda path: path.task.key)


def replay(world: Environment, task: Task, actions: Sequence[str], source: str) -> Trajectory:
    """Replay actions from the task's beginning, up to the one that ends the episode.

    Raises:
        EnvironmentFailed: The world died.
    """
    opening = world.reset(task)
    look, inventory = opening.look, opening.inventory
    steps: list[Step] = []
    stop = StopReason.PATH_END
    for action in actions:
        result = world.step(action)
        steps.append(
            Step(
                action=action,
                observation=result.observation,
                score=result.score,
                moves=result.moves,
                look=look,
                inventory=inventory,
                accepted=result.accepted,
                entered=result.entered,
            )
        )
        if result.stop_reason is not None:
            stop = result.stop_reason
            break
        look, inventory = world.look(), world.inventory()
    return Trajectory(
        task=opening.task,
        steps=tuple(steps),
        stop_reason=stop,
        final_score=steps[-1].score if steps else 0,
        source=source,
    )


def read_paths(path: Path, source: str = "file") -> dict[tuple[str, int], KnownPath]:
    """Read a JSONL file (or .gz) of paths: `task`, `variation`, `actions` a line.

    Raises:
        DataCorrupt: A line is damaged.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    found: dict[tuple[str, int], KnownPath] = {}
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                found[row["task"], int(row["variation"])] = (source, tuple(row["actions"]))
            except (ValueError, KeyError, TypeError) as error:
                raise DataCorrupt(
                    f"{path} line {number} is no path with task, variation and actions: {error}"
                ) from error
    return found


@cache
def shipped_paths(environment: str) -> Mapping[tuple[str, int], KnownPath]:
    """Return the oracle paths that ship with the package, by type and variation."""
    place = resources.files("subgoal.trajectories") / "oracle_paths" / f"{environment}.jsonl.gz"
    with resources.as_file(place) as path:
        return read_paths(path, "shipped") if path.exists() else {}


def choose(tasks: Sequence[Task], config: CollectConfig, known: Mapping[str, int]) -> list[Task]:
    """Choose the variations to collect: best-known first, then spread over the type by chance.

    Args:
        tasks: All tasks of the split.
        config: How many, of which types.
        known: Rank by task key (0 first); tasks that are not in it come last.

    Raises:
        TaskUnknown: A type is not the world's.
    """
    names = list(dict.fromkeys(task.name for task in tasks))
    for name in config.types:
        if name not in names:
            raise TaskUnknown(f"there is no task type '{name}'{nearest(name, names)}")
    chosen: list[Task] = []
    for name in config.types or names:
        mine = [task for task in tasks if task.name == name]
        random.Random(name).shuffle(mine)
        mine.sort(key=lambda task: known.get(task.key, 99))
        if config.known_only:
            mine = [task for task in mine if task.key in known]
        chosen += mine[: config.per_type]
    return chosen


def collect(
    config: CollectConfig,
    folder: RunFolder,
    recorded: Mapping[tuple[str, int], KnownPath] | None = None,
    worlds: int | Literal["auto"] = "auto",
) -> CollectSummary:
    """Run the stage `collect`: replay, store, seal. A second call does only what is missing.

    Args:
        config: What to collect.
        folder: The run folder.
        recorded: Actions that a teacher annotated, by type and variation: the first choice.
        worlds: How many worlds side by side; does not change the result.
    """
    paths: dict[tuple[str, int], KnownPath] = {}
    if config.source is PathSource.SHIPPED:
        paths |= {**shipped_paths(config.environment), **(recorded or {})}
    if config.paths is not None:
        paths |= read_paths(config.paths)
    ranks = {"file": 0, "recorded": 1}
    with make(config.environment) as world:
        tasks = world.tasks(config.split, config.simplifications)
    known = {
        task.key: ranks.get(paths[task.name, task.variation][0], 2)
        for task in tasks
        if (task.name, task.variation) in paths
    }
    chosen = choose(tasks, config, known)
    store = journal(folder)
    failed: dict[str, str] = {}
    with folder.stage("collect", config) as stage:
        if not stage.complete:
            held = store.by_key()
            missing = [task for task in chosen if task.key not in held]
            with (
                Progress("collect", len(chosen), "paths", len(chosen) - len(missing)) as progress,
                Pool(config.environment, min(affordable(worlds), max(1, len(missing)))) as pool,
            ):
                for key, found in pool.map(_collector(paths), missing):
                    if isinstance(found, Trajectory):
                        store.append(found)
                    else:
                        failed[key] = found
                    progress.advance(note=key)
            stage.finish({store.sealed_path.name: store.seal()}, paths=len(store.by_key()))
    return _summary(store, config, failed)


def _collector(
    paths: Mapping[tuple[str, int], KnownPath],
) -> Callable[[Environment, Task], tuple[str, Trajectory | str]]:
    def one(world: Environment, task: Task) -> tuple[str, Trajectory | str]:
        try:
            known = paths.get((task.name, task.variation))
            source, actions = known or ("oracle", tuple(world.oracle_path(task)))
            return task.key, replay(world, task, actions, source)
        except EnvironmentFailed as error:
            return task.key, str(error)

    return one


def _summary(
    store: Journal[Trajectory], config: CollectConfig, failed: Mapping[str, str]
) -> CollectSummary:
    by_type: dict[str, int] = {}
    solved = 0
    for trajectory in store:
        by_type[trajectory.task.name] = by_type.get(trajectory.task.name, 0) + 1
        solved += trajectory.stop_reason is StopReason.SOLVED
    return CollectSummary(
        read=str(config.paths or f"{config.source} paths of {config.environment}"),
        written=store.sealed_path,
        paths=sum(by_type.values()),
        solved=solved,
        by_type=by_type,
        failed=dict(failed),
    )
