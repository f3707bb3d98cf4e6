"""Where agents left the oracle's path, and failures grouped by it.

Up to the first action that differs, an agent has done what the oracle does, and their worlds are in
the same state. What the oracle went on to do there names the group: the sub-goal of its next
action, carried over from the annotated paths of that task type where the run has some. Where the
oracle's path is not known, the last sub-goal of the agent does.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from subgoal.annotation import annotate
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.transfer.teacher import TransferTeacher
from subgoal.environments.base import StopReason, Task
from subgoal.errors import SubgoalError
from subgoal.evaluation.episode import Episode
from subgoal.serving.view.shelf import RECORDED, EpisodeQuery, EpisodeRow, Shelf, name_of, told
from subgoal.trajectories.trajectory import Step, Trajectory

ORACLE = "oracle"
"""The agent whose episodes are oracle paths."""
EXAMPLES = 12
"""Annotated paths of a type that sub-goals are carried over from."""
MOST_PATHS = 20_000
"""Oracle paths that are kept, and departures."""
SHOWN = 200
"""Most episodes of a group that are named."""


@dataclass(frozen=True)
class KnownPath:
    """What the oracle does in a task."""

    actions: tuple[str, ...]
    subgoals: tuple[str, ...]
    """Function name of the sub-goal of each action; empty: not known."""


@dataclass(frozen=True)
class Departure:
    """Where an agent left the oracle's path."""

    step: int
    """Number of its first action that differs, from 0."""
    taken: str
    """That action; empty where the agent had stopped."""
    expected: str
    """The oracle's; empty where the oracle had nothing left to do."""
    subgoal: str
    """Function name of the sub-goal that the oracle's action pursues; empty: not known."""


def departure(episode: Episode, path: KnownPath) -> Departure:
    """Return where an episode leaves the oracle's path.

    Args:
        episode: The episode.
        path: The oracle's path of its task.
    """
    taken = [step.action for step in episode.steps]
    both = zip(taken, path.actions, strict=False)
    same = min(len(taken), len(path.actions))
    at = next((n for n, (own, other) in enumerate(both) if own != other), same)
    return Departure(
        step=at,
        taken=taken[at] if at < len(taken) else "",
        expected=path.actions[at] if at < len(path.actions) else "",
        subgoal=path.subgoals[at] if at < len(path.subgoals) else "",
    )


class By(StrEnum):
    """What a group of failures is named after."""

    SUBGOAL = "subgoal"
    """The sub-goal of the oracle's next action."""
    ACTION = "action"
    """The verb of the oracle's next action, whose sub-goal is not known."""
    LAST = "last"
    """The agent's last sub-goal: the oracle's path is not known."""


@dataclass
class _Group:
    by: By
    where: str
    rows: list[EpisodeRow] = field(default_factory=list[EpisodeRow])
    ways: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def told(self) -> dict[str, Any]:
        """Return it as the page takes it."""
        return {
            "by": self.by,
            "where": self.where,
            "count": len(self.rows),
            "ways": [[*way, count] for way, count in self.ways.most_common(5)],
            "rows": [told(row) for row in self.rows[:SHOWN]],
        }


class Departures:
    """Departures of a shelf's episodes, each worked out once; safe to be asked from threads.

    Args:
        shelf: The episodes.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._asked: dict[str, KnownPath | None] = {}
        self._found: OrderedDict[tuple[str, int], Departure] = OrderedDict()
        self._teachers: dict[tuple[str, str], TransferTeacher] = {}
        self._lock = threading.Lock()

    def of(self, row: EpisodeRow) -> Departure | None:
        """Return where an episode left the oracle's path; None where that is not known."""
        with self._lock:
            place = row.key, row.steps
            if place not in self._found:
                path = self._path(row)
                episode = self._shelf.episode(row.key) if path else None
                if path is None or episode is None:
                    return None
                self._found[place] = departure(episode, path)
                while len(self._found) > MOST_PATHS:
                    self._found.popitem(last=False)
            return self._found[place]

    def groups(self, asked: EpisodeQuery) -> list[dict[str, Any]]:
        """Return the failures among the episodes that are asked for, in groups, largest first."""
        found: dict[tuple[By, str], _Group] = {}
        for row in self._shelf.rows(asked):
            left = self.of(row)
            if left is None:
                place = By.LAST, row.last
            elif left.subgoal:
                place = By.SUBGOAL, left.subgoal
            else:
                place = By.ACTION, left.expected.partition(" ")[0]
            group = found.setdefault(place, _Group(*place))
            group.rows.append(row)
            if left is not None:
                group.ways[left.expected, left.taken] += 1
        return [group.told() for group in sorted(found.values(), key=lambda one: -len(one.rows))]

    def unknown(self, asked: EpisodeQuery) -> list[EpisodeRow]:
        """Return one episode of each task whose oracle path is not known and was not asked for."""
        rows = {row.task: row for row in self._shelf.rows(asked) if self.of(row) is None}
        return [row for task, row in rows.items() if task not in self._asked]

    def learn(self, run: str, task: Task, actions: Sequence[str] | None) -> None:
        """Take note of an oracle path that a world was asked for.

        Args:
            run: Whose annotated paths tell the sub-goals.
            task: The task.
            actions: Its oracle path; None: there is none.
        """
        path = None if actions is None else self._named(run, task, actions)
        with self._lock:
            self._asked[task.key] = path

    def _path(self, row: EpisodeRow) -> KnownPath | None:
        if row.task in self._asked:
            return self._asked[row.task]
        known = [one for one in self._shelf.rows(EpisodeQuery(task=row.task)) if one.solved]
        for agent in (RECORDED, ORACLE):
            best = next((one for one in known if one.agent == agent), None)
            episode = None if best is None else self._shelf.episode(best.key)
            if best is None or episode is None:
                continue
            actions = [step.action for step in episode.steps]
            if agent == RECORDED:
                names = tuple(name_of(step.subgoal) for step in episode.steps)
                return KnownPath(tuple(actions), names)
            return self._named(row.run, episode.task, actions)
        return None

    def _named(self, run: str, task: Task, actions: Sequence[str]) -> KnownPath:
        """Give the actions of an oracle path their sub-goals, where the run has annotated paths."""
        steps = tuple(
            Step(action=action, observation="", score=0, moves=n, look="", inventory="")
            for n, action in enumerate(actions, start=1)
        )
        path = Trajectory(
            task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source=ORACLE
        )
        try:
            spans = self._teacher(run, task.name).annotate(path).spans
        except SubgoalError:  # no annotated path of the type
            return KnownPath(tuple(actions), ())
        names = [one.subgoal.name for one in spans for _ in range(one.first, one.last + 1)]
        return KnownPath(tuple(actions), tuple(names))

    def _teacher(self, run: str, kind: str) -> TransferTeacher:
        place = run, kind
        if place not in self._teachers:
            examples: list[AnnotatedTrajectory] = []
            for one in annotate.journal(self._shelf.folders[run]):
                if one.trajectory.task.name == kind and not one.variant:
                    examples.append(one)
                if len(examples) == EXAMPLES:
                    break
            self._teachers[place] = TransferTeacher(examples)
        return self._teachers[place]
