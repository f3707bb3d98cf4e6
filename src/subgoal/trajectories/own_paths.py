"""A file of paths that somebody brings: every line is taken, or it is said why not.

Several paths of one task are all taken: the first as the task's path, the others as variants of it
(`path 2`, ...).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from subgoal.environments.base import Environment, StopReason, Task
from subgoal.environments.task_table import SPLITS
from subgoal.errors import ConfigInvalid, TaskUnknown, nearest, said_by
from subgoal.plain_text import storable
from subgoal.record import Record
from subgoal.trajectories.storage import OraclePath, path_lines
from subgoal.trajectories.trajectory import Trajectory, path_key

_NAMED = 3


class Wanted(Record):
    """What a file's paths must be of."""

    environment: str
    """The world."""
    split: str
    """The split."""
    simplifications: str
    """The world's simplification setting."""
    types: tuple[str, ...]
    """Task types; empty: all."""


class Taken(NamedTuple):
    """A line that is collected."""

    line: int
    task: Task
    variant: str
    actions: tuple[str, ...]


class OwnPaths(NamedTuple):
    """What a file of paths holds."""

    taken: tuple[Taken, ...]
    left_out: Mapping[int, str]
    """Why a line is not taken, by its number."""

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self.taken) + len(self.left_out)


class Account(Record):
    """What came of every line of a file of paths."""

    lines: int
    """Lines that are not blank."""
    taken: int
    """Those that were replayed."""
    solved: int
    """Those that solve their task."""
    stopped: dict[int, int]
    """How many paths ended at which score without solving their task."""
    failed: int
    """Those that the world could not replay."""
    remarks: dict[int, str]
    """What is to be said of a line that does not solve its task, by its number."""

    def __str__(self) -> str:
        parts = [f"{self.solved} solve{_s(self.solved)}"] if self.solved else []
        parts += [f"{count} stop{_s(count)} at {score}" for score, count in self.stopped.items()]
        parts += [f"{self.failed} fail{_s(self.failed)}"] if self.failed else []
        return f"{self.taken} of {self.lines}{': ' if parts else ''}{', '.join(parts)}"


def _s(count: int) -> str:
    return "s" if count == 1 else ""


def own_paths(file: Path, world: Environment, wanted: Wanted) -> OwnPaths:
    """Read a file of paths, and find the task of each line.

    Args:
        file: JSONL, or JSONL.gz; see `OraclePath`.
        world: The world that is collected from.
        wanted: What the paths must be of.

    Raises:
        ConfigInvalid: It cannot be read, or none of its lines can be taken.
    """
    reader = _Reader(world, wanted)
    taken: list[Taken] = []
    left_out: dict[int, str] = {}
    for number, line in path_lines(file):
        try:
            taken.append(reader.take(number, line))
        except _LeftOut as why:
            left_out[number] = storable(str(why))
    if not taken:
        shown = [f"line {number}: {why}" for number, why in list(left_out.items())[:_NAMED]]
        shown += [f"and {len(left_out) - _NAMED} more"] if len(left_out) > _NAMED else []
        what = f"none of its lines can be used; {'; '.join(shown)}" if shown else "it is empty"
        raise ConfigInvalid(f"the list of paths {file} holds no path: {what}")
    return OwnPaths(tuple(taken), left_out)


def account(own: OwnPaths, held: Mapping[str, Trajectory], failed: Mapping[str, str]) -> Account:
    """Say what came of every line.

    Args:
        own: What the file holds.
        held: The trajectories that were collected, by key.
        failed: Why a path could not be replayed, by the key that its trajectory would have.
    """
    remarks = dict(own.left_out)
    stopped: Counter[int] = Counter()
    solved = 0
    for one in own.taken:
        key = path_key(one.task, one.variant)
        path = held.get(key)
        if path is None:
            remarks[one.line] = f"fails: {failed.get(key, 'it was not replayed')}"
        elif path.stop_reason is StopReason.SOLVED:
            solved += 1
        else:
            stopped[path.final_score] += 1
            remarks[one.line] = f"stops at {path.final_score} after {len(path.steps)} actions"
    return Account(
        lines=own.lines,
        taken=len(own.taken),
        solved=solved,
        stopped=dict(sorted(stopped.items(), reverse=True)),
        failed=len(own.taken) - solved - stopped.total(),
        remarks=dict(sorted(remarks.items())),
    )


class _LeftOut(Exception):
    """A line is not taken."""


class _Reader:
    def __init__(self, world: Environment, wanted: Wanted) -> None:
        self._wanted = wanted
        self._tasks = {(one.name, one.variation): one for one in _tasks(world, wanted)}
        names = dict.fromkeys(name for name, _ in self._tasks)
        self._names = tuple(names)
        self._seen: dict[tuple[str, int], list[tuple[int, tuple[str, ...]]]] = {}

    def take(self, number: int, line: bytes) -> Taken:
        try:
            path = OraclePath.model_validate_json(line.strip())
        except ValidationError as error:
            said = said_by(error)
            raise _LeftOut(f"no path with task, variation and actions ({said})") from None
        task = self._task(path)
        before = self._seen.setdefault((path.task, path.variation), [])
        for other, actions in before:
            if actions == path.actions:
                raise _LeftOut(f"the same path as line {other}")
        before.append((number, path.actions))
        variant = f"path {len(before)}" if len(before) > 1 else ""
        return Taken(number, task, variant, path.actions)

    def _task(self, path: OraclePath) -> Task:
        wanted = self._wanted
        if path.environment not in {"", wanted.environment}:
            raise _LeftOut(
                f"of the world '{path.environment}'; collected is from '{wanted.environment}'"
            )
        if path.task not in self._names:
            raise _LeftOut(f"no type '{path.task}'{nearest(path.task, self._names)}")
        if wanted.types and path.task not in wanted.types:
            raise _LeftOut(f"type '{path.task}' is not in world.types")
        task = self._tasks.get((path.task, path.variation))
        if task is None:
            known = [variation for name, variation in self._tasks if name == path.task]
            raise _LeftOut(
                f"'{path.task}' has no variation {path.variation}; it has {min(known)} to "
                f"{max(known)}"
            )
        if task.split != wanted.split or path.split not in {"", wanted.split}:
            said = task.split if task.split != wanted.split else path.split
            raise _LeftOut(
                f"'{path.task}' {path.variation} is of the split '{said}'; collected is "
                f"'{wanted.split}' (collect.split)"
            )
        if path.simplifications not in {"", wanted.simplifications}:
            raise _LeftOut(
                f"made under '{path.simplifications}'; collected is under "
                f"'{wanted.simplifications}' (world.simplifications)"
            )
        if not path.actions:
            raise _LeftOut("it has no actions")
        return task


def _tasks(world: Environment, wanted: Wanted) -> Iterator[Task]:
    """Yield the world's tasks of every split, so that a task of another one can be named so."""
    for split in SPLITS:
        try:
            yield from world.tasks(split, wanted.simplifications)
        except TaskUnknown:
            if split == wanted.split:
                raise
