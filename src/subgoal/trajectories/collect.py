"""Collecting: expert paths are replayed, or walked, in the world and stored as trajectories.

Replaying is cheap; making an oracle path can take the engine a minute. So known paths come
first: those that recorded annotations are of, then those that ship with the package, then the
world's own oracle. Which variations are collected is nested: the first 10 are among the first 20.
A file of somebody's own paths is collected alone, and every line of it is accounted for. A policy
of somebody's own acts in every task that is asked for; a path that does not solve its task is kept,
and is marked by how it ended.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from typing_extensions import override

from subgoal.cluster import Cluster, grouped
from subgoal.environments.base import Ability, Environment, StopReason, Task, need
from subgoal.environments.pool import NO_LIMITS_GIVEN, Pool, WorldLimits, affordable
from subgoal.environments.registry import make
from subgoal.environments.task_table import SPLITS
from subgoal.errors import ConfigInvalid, EnvironmentFailed, TaskUnknown, nearest
from subgoal.progress import Progress, console
from subgoal.record import DEFAULT, of_type
from subgoal.storage.journal import Journal
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone, files
from subgoal.trajectories.config import PER_TYPE, CollectConfig, PathSource
from subgoal.trajectories.own_paths import (
    Account,
    OwnPaths,
    Wanted,
    account,
    own_paths,
)
from subgoal.trajectories.policy import OwnPolicy
from subgoal.trajectories.replay import (
    CollectFailure,
    Delivery,
    Expert,
    Order,
    ReplayWorker,
    deliver,
)
from subgoal.trajectories.storage import (
    Paths,
    journal,
    recorded_paths,
    shipped_paths,
)
from subgoal.trajectories.trajectory import path_key

_NAMED = 5
_WITHOUT_EXPERT = {PathSource.SHIPPED, PathSource.ENGINE}
_GROUP = 4
"""So many paths are sent to a process of a cluster at once."""


class CollectSummary(Summary):
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
    unsolved: tuple[str, ...] = ()
    """The keys of those that do not."""
    failed: dict[str, str] = {}
    """Why a path could not be had, by task key."""
    own: Account | None = None
    """What came of every line of `paths`; None where there is no such file."""
    seconds: float = 0.0
    """Wall-clock seconds, over all attempts."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return how many paths there are of each type, and why others could not be had."""
        told = f"collected {self.paths} paths, {self.solved} of them solve their task"
        told += f"; {len(self.failed)} could not be had" if self.failed else ""
        rows = tuple(
            (name, str(count), str(self.solved_by_type.get(name, 0)))
            for name, count in sorted(self.by_type.items())
        )
        return [
            TextLine(text=told, tone=Tone.STRONG),
            Table(head=("type", "paths", "solved"), rows=rows),
            *self._remarks(),
            *files(self.read, self.written),
        ]

    def _remarks(self) -> Iterator[TextLine]:
        said = set[str]()
        if self.own is not None:
            said = set(self.own.remarks.values())
            yield TextLine(text=f"  {self.read}: {self.own}", tone=Tone.STRONG)
            for line, remark in self.own.remarks.items():
                yield TextLine(text=f"  line {line}: {remark}", tone=Tone.CAUTION)
        if self.unsolved:
            first, more = ", ".join(self.unsolved[:_NAMED]), len(self.unsolved) - _NAMED
            told = f"  nothing is learned from paths that do not solve their task: {first}"
            yield TextLine(text=told + (f", {more} more" if more > 0 else ""), tone=Tone.CAUTION)
        for key, reason in self.failed.items():
            if f"fails: {reason}" not in said:
                yield TextLine(text=f"  no path for {key}: {reason}", tone=Tone.CAUTION)


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
    variant: str = ""

    @property
    def key(self) -> str:
        """The key of the trajectory that comes of it."""
        return path_key(self.task, self.variant)

    def order(self, config: CollectConfig) -> Order:
        """Return what is to be replayed."""
        return Order(
            task=self.task,
            variant=self.variant,
            source=self.known.source if self.known else _maker(config),
            actions=self.known.actions if self.known else None,
            max_moves=config.max_moves,
        )


class _Collected(CollectConfig):
    """All that decides what is collected."""

    expert: str = ""
    """What decides the paths of who acts."""


def _maker(config: CollectConfig) -> str:
    """Return who makes the paths that are not known."""
    return "oracle" if config.source in _WITHOUT_EXPERT else str(config.source)


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
    expert: Expert | None = None,
) -> CollectSummary:
    """Run the stage `collect`: replay, store, seal. A second call does only what is missing.

    Args:
        config: What to collect.
        folder: The run folder.
        worlds: How many worlds side by side; does not change the result.
        limits: When a world is given up and replaced.
        cluster: Whose processes replay, with one world each; None: this one's worlds.
        expert: Who acts where no path is known; None: as the configuration says.

    Raises:
        TaskUnknown: A task type, the split or the simplification is not the world's.
        ConfigInvalid: The file of own paths cannot be read, or none of its lines be used; or the
            policy cannot be imported, or shall act in a cluster.
        RunFolderInvalid: The stage was run with another configuration, or runs now.
    """
    plans, own = planned(config, aloud=True)
    if expert is None and _maker(config) != "oracle":
        if config.source == PathSource.REACT:
            raise ConfigInvalid("collect.source = 'react' is collected by subgoal.Run")
        expert = OwnPolicy.at(config.source)
    if expert is not None and cluster is not None:
        raise ConfigInvalid(
            f"collect.source = '{config.source}' acts in this process; leave out the cluster"
        )
    store, bad = journal(folder), failures(folder)
    inputs = {"paths": config.paths} if config.paths is not None else {}
    said = "" if expert is None else expert.identity
    asked = _Collected(**dict(config), expert=said) if said else config
    with folder.stage("collect", asked, inputs, (store.path, bad.path)) as stage:
        if not stage.complete:
            bad.clear()
            if stage.fresh:
                store.clear()
            held = store.by_key()
            missing = [plan.order(config) for plan in plans if plan.key not in held]
            with (
                closing(store),
                closing(bad),
                Progress("collect", len(plans), "paths", len(plans) - len(missing)) as progress,
            ):
                for one in _delivered(config, missing, worlds, limits, cluster, expert):
                    if one.trajectory is not None:
                        store.append(one.trajectory)
                    if one.failure is not None:
                        bad.append(one.failure)
                    progress.advance()
            outputs = {one.sealed_path.name: one.seal() for one in (store, bad)}
            told = _account(own, folder)
            counts = {} if told is None else {"lines": told.lines, "lines_taken": told.taken}
            paths, failed = store.by_key(), len(bad.by_key())
            if failed and not paths:
                key, one = next(iter(bad.by_key().items()))
                raise EnvironmentFailed(f"no path could be had; the first, {key}: {one.reason}")
            solved = sum(one.stop_reason is StopReason.SOLVED for one in paths.values())
            stage.finish(outputs, paths=len(paths), solved=solved, failed=failed, **counts)
    return _summary(config, folder, _account(own, folder))


def _delivered(
    config: CollectConfig,
    orders: Sequence[Order],
    worlds: int | Literal["auto"],
    limits: WorldLimits,
    cluster: Cluster | None,
    expert: Expert | None,
) -> Iterator[Delivery]:
    """Yield what comes of orders, in the order in which it is done."""
    if not orders:
        return
    if cluster is None:
        size = min(affordable(worlds, limits), len(orders))
        with Pool(config.environment, size, limits, options=config.options) as pool:
            pool.start()
            yield from pool.map(lambda world, order: deliver(world, order, expert), orders)
        return
    shared = {
        "environment": config.environment.encode(),
        "options": json.dumps(config.options).encode(),
        "limits": limits.model_dump_json().encode(),
    }
    groups = grouped([order.model_dump_json() for order in orders], _GROUP)
    for group, outcomes in cluster.spread(ReplayWorker, shared, groups, limits.bytes):
        if isinstance(outcomes, list):
            yield from map(Delivery.model_validate_json, outcomes)
            continue
        for item in group:
            key = Order.model_validate_json(item).key
            yield Delivery(failure=CollectFailure(key=key, reason=str(outcomes)))


def planned(config: CollectConfig, aloud: bool = False) -> tuple[list[_Plan], OwnPaths | None]:
    """Choose what is collected, and so check all that the configuration names.

    Args:
        config: What to collect.
        aloud: Say of which task types there is nothing to collect.

    Returns:
        What is done for each task, and what the file of own paths holds.

    Raises:
        TaskUnknown: A task type, the split or the simplification is not the world's.
        ConfigInvalid: The file of own paths cannot be read, or none of its lines be used; or there
            is nothing to collect.
    """
    with make(config.environment, **config.options) as world:
        tasks = world.tasks(config.split, config.simplifications)
        absent = _check_types(config, world, tasks)
        if absent and aloud:
            few = f"world '{world.name}' has no {config.split} variation of {', '.join(absent)}"
            console.print(f"{few}: nothing is collected of that", soft_wrap=True)
        if config.paths is None:
            plans = _plans(config, tasks, {})
            _check_oracle(config, world, plans)
            if not plans:
                raise ConfigInvalid(
                    "there is nothing to collect: collect.per_type leaves no variation, or none "
                    "has a known path (collect.known_only)"
                )
            return plans, None
        wanted = Wanted(
            environment=config.environment,
            split=config.split,
            simplifications=config.simplifications,
            types=config.types,
        )
        own = own_paths(config.paths, world, wanted)
    plans = [
        _Plan(one.task, _Known(0, "file", one.actions), one.variant)
        for one in sorted(own.taken, key=lambda one: bool(one.variant))
    ]
    if config.fill:
        held = Counter(plan.task.name for plan in plans if not plan.variant)
        mine = {plan.task.key for plan in plans}
        plans += _plans(config, [task for task in tasks if task.key not in mine], held)
        _check_oracle(config, world, plans)
    return plans, own


def _check_oracle(config: CollectConfig, world: Environment, plans: Sequence[_Plan]) -> None:
    if _maker(config) == "oracle" and not all(plan.known for plan in plans):
        instead = (
            "collect paths of your own with collect.paths = 'FILE', without collect.fill, or by a "
            "policy with collect.source = 'module:name'"
        )
        need(world, Ability.ORACLE_PATH, instead)


def _check_types(config: CollectConfig, world: Environment, tasks: Sequence[Task]) -> list[str]:
    """Make sure that the types exist; return those of all that have nothing in the split."""
    names = list(dict.fromkeys(task.name for task in tasks))
    others = [one for split in SPLITS for one in world.tasks(split, config.simplifications)]
    absent = list(dict.fromkeys(one.name for one in others if one.name not in names))
    for name in (*config.types, *_named(config)):
        if name in absent:
            raise TaskUnknown(
                f"task type '{name}' of world '{config.environment}' has no variation in the split "
                f"'{config.split}'; take it out, or collect another split"
            )
        if name not in names:
            raise TaskUnknown(
                f"world '{config.environment}' has no task type '{name}'{nearest(name, names)}"
            )
    return [] if config.types else absent


def _named(config: CollectConfig) -> Iterable[str]:
    """Return the task types that have a number of their own."""
    return config.per_type.keys() - {DEFAULT} if isinstance(config.per_type, dict) else ()


def _plans(config: CollectConfig, tasks: Sequence[Task], held: Mapping[str, int]) -> list[_Plan]:
    """Choose tasks: those with a known path first, then spread over the type by chance.

    Args:
        config: How many of which types.
        tasks: Those to choose from.
        held: How many of a type there are already.
    """
    known = _known(config)
    plans: list[_Plan] = []
    for name in dict.fromkeys(config.types or (task.name for task in tasks)):
        mine = [
            _Plan(task, known.get((name, task.variation))) for task in tasks if task.name == name
        ]
        # One fixed order whatever is asked for, so that few are among many.
        random.Random(name).shuffle(mine)
        mine.sort(key=_rank)
        left = max(0, of_type(config.per_type, name, PER_TYPE) - held.get(name, 0))
        plans += [plan for plan in mine if plan.known or not config.known_only][:left]
    return plans


def _rank(plan: _Plan) -> int:
    return plan.known.rank if plan.known else 99


def _known(config: CollectConfig) -> dict[tuple[str, int], _Known]:
    """Return the path to replay for each type and variation that has a known one."""
    lists: list[tuple[str, Paths]] = []
    if config.source is PathSource.SHIPPED:
        lists.append(("recorded", recorded_paths(config.environment)))
        lists.append(("shipped", shipped_paths(config.environment)))
    known: dict[tuple[str, int], _Known] = {}
    for rank, (source, paths) in enumerate(lists):
        for key, path in paths.items():
            if path.simplifications in {"", config.simplifications}:
                known.setdefault(key, _Known(rank, source, path.actions))
    return known


def _account(own: OwnPaths | None, folder: RunFolder) -> Account | None:
    if own is None:
        return None
    failed = {one.key: one.reason for one in failures(folder)}
    return account(own, journal(folder).by_key(), failed)


def _summary(config: CollectConfig, folder: RunFolder, own: Account | None) -> CollectSummary:
    store = journal(folder)
    paths: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    unsolved: list[str] = []
    for trajectory in store:
        paths[trajectory.task.name] += 1
        if trajectory.stop_reason is StopReason.SOLVED:
            solved[trajectory.task.name] += 1
        else:
            unsolved.append(trajectory.key)
    ours = f"paths of the world {config.environment}"
    made = ours if config.source in _WITHOUT_EXPERT else f"{config.source}: {ours}"
    return CollectSummary(
        read=str(config.paths or made),
        written=store.sealed_path,
        paths=paths.total(),
        solved=solved.total(),
        by_type=dict(paths),
        solved_by_type=dict(solved),
        unsolved=tuple(unsolved),
        failed={one.key: one.reason for one in failures(folder)},
        own=own,
        seconds=folder.need("collect", "collect").seconds,
    )
