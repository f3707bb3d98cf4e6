"""Collecting: oracle paths are replayed in the world and stored as trajectories.

Replaying is cheap; making an oracle path can take the engine a minute. So known paths come
first: a user's own, then those that recorded annotations are of, then those that ship with the
package, then the world's own oracle. Which variations are collected is nested: the first 10 are
among the first 20.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from subgoal.cluster import Cluster, grouped
from subgoal.environments.environment import StopReason, Task
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits, affordable
from subgoal.environments.registry import make
from subgoal.errors import ConfigInvalid, TaskUnknown, nearest
from subgoal.journal import Journal
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.trajectories.replay import CollectFailure, Delivery, Order, ReplayWorker, deliver
from subgoal.trajectories.storage import (
    Paths,
    journal,
    read_paths,
    recorded_paths,
    shipped_paths,
)

_GROUP = 4
"""So many paths are sent to a process of a cluster at once."""


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
    caps: dict[str, int] = {}
    """Most variations of some types, by name, where `per_type` is more."""
    simplifications: str = ""
    """The world's simplification setting, such as `easy`; empty: the plain world."""
    source: PathSource = PathSource.SHIPPED
    """Known paths first, or the world's own oracle only."""
    paths: Path | None = None
    """A JSONL file of your own expert paths (fields task, variation, actions); they come first."""
    known_only: bool = False
    """Leave out variations without a known path instead of asking the world's oracle (slow)."""
    max_moves: int = 2000
    """A replay stops after this many moves of the world."""


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
    solved_by_type: dict[str, int] = {}
    """Those that solve their task, by task type."""
    failed: dict[str, str] = {}
    """Why a path could not be had, by task key."""
    seconds: float = 0.0
    """Wall-clock seconds, over all attempts."""


class _Known(NamedTuple):
    """A path that need not be made."""

    rank: int
    """Which are chosen first."""
    source: str
    actions: tuple[str, ...]


class _Plan(NamedTuple):
    """What is done for one task."""

    task: Task
    known: _Known | None

    def order(self, config: CollectConfig) -> Order:
        """Return what is to be replayed."""
        return Order(
            task=self.task,
            source=self.known.source if self.known else "oracle",
            actions=self.known.actions if self.known else None,
            max_moves=config.max_moves,
        )


def failures(folder: RunFolder) -> Journal[CollectFailure]:
    """Return the run folder's journal of tasks without a trajectory."""
    return Journal(
        folder / "collect_failures.jsonl", CollectFailure, "collect-failures", lambda one: one.key
    )


def collect(
    config: CollectConfig,
    folder: RunFolder,
    worlds: int | Literal["auto"] = "auto",
    limits: WorldLimits = NO_LIMITS_GIVEN,
    cluster: Cluster | None = None,
) -> CollectSummary:
    """Run the stage `collect`: replay, store, seal. A second call does only what is missing.

    Args:
        config: What to collect.
        folder: The run folder.
        worlds: How many worlds side by side; does not change the result.
        limits: When a world is given up and replaced.
        cluster: Whose processes replay, with one world each; None: this one's worlds.

    Raises:
        TaskUnknown: A task type, the split or the simplification is not the world's.
        ConfigInvalid: The file of own paths cannot be used.
        RunFolderInvalid: The stage was run with another configuration, or runs now.
    """
    plans = _plans(config)
    store, bad = journal(folder), failures(folder)
    inputs = {"paths": config.paths} if config.paths is not None else {}
    with folder.stage("collect", config, inputs) as stage:
        if not stage.complete:
            bad.clear()
            if stage.fresh:
                store.clear()
            held = store.by_key()
            missing = [plan.order(config) for plan in plans if plan.task.key not in held]
            with (
                closing(store),
                closing(bad),
                Progress("collect", len(plans), "paths", len(plans) - len(missing)) as progress,
            ):
                for one in _delivered(config, missing, worlds, limits, cluster):
                    if one.trajectory is not None:
                        store.append(one.trajectory)
                    if one.failure is not None:
                        bad.append(one.failure)
                    progress.advance()
            outputs = {one.sealed_path.name: one.seal() for one in (store, bad)}
            stage.finish(outputs, paths=len(store.by_key()), failed=len(bad.by_key()))
    return _summary(config, folder)


def _delivered(
    config: CollectConfig,
    orders: Sequence[Order],
    worlds: int | Literal["auto"],
    limits: WorldLimits,
    cluster: Cluster | None,
) -> Iterator[Delivery]:
    """Yield what comes of orders, in the order in which it is done."""
    if not orders:
        return
    if cluster is None:
        size = min(affordable(worlds, limits), len(orders))
        with Pool(config.environment, size, limits) as pool:
            pool.start()
            yield from pool.map(deliver, orders)
        return
    shared = {
        "environment": config.environment.encode(),
        "limits": limits.model_dump_json().encode(),
    }
    groups = grouped([order.model_dump_json() for order in orders], _GROUP)
    for group, outcomes in cluster.spread(ReplayWorker, shared, groups, limits.bytes):
        if isinstance(outcomes, list):
            yield from map(Delivery.model_validate_json, outcomes)
            continue
        for item in group:
            key = Order.model_validate_json(item).task.key
            yield Delivery(failure=CollectFailure(key=key, reason=str(outcomes)))


def _plans(config: CollectConfig) -> list[_Plan]:
    """Choose the tasks: those with a known path first, then spread over the type by chance.

    Raises:
        TaskUnknown: A type is not the world's.
    """
    with make(config.environment) as world:
        tasks = world.tasks(config.split, config.simplifications)
    names = list(dict.fromkeys(task.name for task in tasks))
    for name in (*config.types, *config.caps):
        if name not in names:
            raise TaskUnknown(
                f"world '{config.environment}' has no task type '{name}'{nearest(name, names)}"
            )
    known = _known(config)
    plans: list[_Plan] = []
    for name in dict.fromkeys(config.types or names):
        mine = [
            _Plan(task, known.get((name, task.variation))) for task in tasks if task.name == name
        ]
        # One fixed order whatever is asked for, so that few are among many.
        random.Random(name).shuffle(mine)
        mine.sort(key=_rank)
        most = min(config.per_type, config.caps.get(name, config.per_type))
        plans += [plan for plan in mine if plan.known or not config.known_only][:most]
    return plans


def _rank(plan: _Plan) -> int:
    return plan.known.rank if plan.known else 99


def _known(config: CollectConfig) -> dict[tuple[str, int], _Known]:
    """Return the path to replay for each type and variation that has a known one."""
    lists: list[tuple[str, Paths]] = []
    if config.paths is not None:
        lists.append(("file", read_paths(config.paths)))
        for path in lists[0][1].values():
            if path.environment not in {"", config.environment}:
                raise ConfigInvalid(
                    f"{config.paths} has a path of the world '{path.environment}', but "
                    f"'{config.environment}' is collected from"
                )
    if config.source is PathSource.SHIPPED:
        lists.append(("recorded", recorded_paths(config.environment)))
        lists.append(("shipped", shipped_paths(config.environment)))
    known: dict[tuple[str, int], _Known] = {}
    for rank, (source, paths) in enumerate(lists):
        for key, path in paths.items():
            if path.simplifications in {"", config.simplifications}:
                known.setdefault(key, _Known(rank, source, path.actions))
    return known


def _summary(config: CollectConfig, folder: RunFolder) -> CollectSummary:
    store = journal(folder)
    paths: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    for trajectory in store:
        paths[trajectory.task.name] += 1
        solved[trajectory.task.name] += trajectory.stop_reason is StopReason.SOLVED
    return CollectSummary(
        read=str(config.paths or f"{config.source} paths of {config.environment}"),
        written=store.sealed_path,
        paths=paths.total(),
        solved=solved.total(),
        by_type=dict(paths),
        solved_by_type=dict(solved),
        failed={one.key: one.reason for one in failures(folder)},
        seconds=folder.need("collect", "collect").seconds,
    )
