"""Exact match: the share of a path's actions that a student writes exactly (paper, ablations).

A path that the student was not trained on is told event by event. Where the planner or the executor
had its turn, the student is asked what it would write; whatever that is, the path's own sub-goal or
action follows (teacher forcing), so that every question has the true history and the executor the
true sub-goal. The seats are those of play, and so is the text. No world is needed.

Steps and sub-goals that were put in on purpose are read, and never asked about.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from subgoal.agents.base import Ask
from subgoal.agents.config import AgentName, Decoding
from subgoal.agents.factory import AgentShop
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.splits import unseen
from subgoal.engines.base import Generated
from subgoal.engines.config import EngineConfig
from subgoal.environments.registry import language
from subgoal.errors import ConfigInvalid, DataLeak
from subgoal.evaluation.bootstrap import Interval, bootstrap
from subgoal.evaluation.protocol import Mean, grouped
from subgoal.evaluation.rollout import answers
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.text.conditions import with_reasons
from subgoal.text.events import Event, EventKind, course, drive
from subgoal.text.format import Asked, Role, functional
from subgoal.text.tokenizers.marks import Mark

AT_ONCE = 32
"""Paths that are read side by side."""


class Share(Record):
    """How much of what was asked was written exactly."""

    asked: int
    """How often a student was asked."""
    exact: Interval | None
    """Share written exactly, in percent: of a path, mean over a type's paths, then over types; None
    where nothing was asked."""


class GroupMatch(Record):
    """The figures of one group of paths: a task type, a length class, or all."""

    name: str
    """The task type, the length class, or `all`."""
    types: int
    """Task types in the group."""
    paths: int
    """Paths in the group."""
    actions: Share
    """Actions, the true sub-goal given."""
    subgoals: Share
    """Sub-goals, as the planner sets them; nothing is asked of the flat agent."""
    ends: Share
    """Ends of sub-goals that another follows: whether the executor ends them there."""


class PathMatch(Record):
    """How exactly the actions of one path were written; what two agents are compared on."""

    key: str
    """Identity of the path."""
    type: str
    """Its task type."""
    asked: int
    """How many of its actions were asked for."""
    exact: float
    """Share written exactly, in percent."""


class ExactMatch(Record):
    """How exactly the students of one agent write held-out paths."""

    agent: AgentName
    """Whose students."""
    overall: GroupMatch
    """Over all paths."""
    classes: tuple[GroupMatch, ...]
    """By length class, short first; empty in a world without them."""
    types: tuple[GroupMatch, ...]
    """By task type, in the order in which each comes first."""
    paths: tuple[PathMatch, ...] = ()
    """Path by path, those of which an action was asked; empty in files from before it was kept."""
    trained_on: int
    """Paths that were given and left out, since a student was trained on their task."""
    shortened: int
    """Texts that were too long for a student and were shortened by the rule of its rendering."""


def exact_match(
    students: Path,
    name: AgentName,
    paths: Sequence[AnnotatedTrajectory],
    engine: EngineConfig | None = None,
    dataset: DatasetConfig | None = None,
    decoding: Decoding | None = None,
    at_once: int = AT_ONCE,
    seed: int = 0,
) -> ExactMatch:
    """Measure how exactly students write paths that they were not trained on.

    Args:
        students: The folder that holds a folder for each role.
        name: `hierarchical` or `flat`: whose students are asked.
        paths: Annotated paths with the world's answers; those of tasks that a student was trained
            on (its card names them) are left out.
        engine: What the students are asked on; None: as play decides.
        dataset: How the paths were told in training: its `drop` and `move_limit` hold here too;
            None: whole paths.
        decoding: How students write; None: greedily.
        at_once: Paths that are read side by side, at most.
        seed: Seed of the intervals.

    Raises:
        ConfigInvalid: The agent has no students of its own.
        DataLeak: The students were trained on all the paths, or there are none.
        StudentInvalid: A student is missing or damaged.
        EngineFailed: The engine cannot be had.
    """
    if name not in {AgentName.HIERARCHICAL, AgentName.FLAT}:
        raise ConfigInvalid(
            f"exact match is measured of '{AgentName.HIERARCHICAL}' or '{AgentName.FLAT}', whose "
            f"students write; not of '{name}'"
        )
    shop = AgentShop(students, (), decoding, engine)
    shop.load(name)
    held_out = unseen((key for card in shop.cards.values() for key in card.trained_on), paths)
    if not held_out:
        raise DataLeak(
            f"{students}: all {len(paths)} paths are of tasks that the students were trained on; "
            "give paths of other variations, such as those held out by train.dataset.dev_share"
        )
    told = dataset or DatasetConfig()
    with shop.threads(name):

        def seated(path: AnnotatedTrajectory) -> _Crew:
            return _Crew(shop.seats(name, language(path.trajectory.task.environment)))

        readings = list(_read(held_out, seated, told, at_once))
    return ExactMatch(
        agent=name,
        overall=_group("all", readings, seed),
        classes=tuple(_group(kind, members, seed) for kind, members in _by_class(readings).items()),
        types=tuple(_group(kind, members, seed) for kind, members in _by_type(readings).items()),
        paths=tuple(_path(reading) for reading in readings if EventKind.ACT in reading.asked),
        trained_on=len(paths) - len(held_out),
        shortened=sum(reading.crew.shortened for reading in readings),
    )


class _Crew:
    """The students of one agent on one path: who is asked what, as in play (`agents`)."""

    def __init__(self, seats: Mapping[Role, StudentSeat]) -> None:
        both = seats.get(Role.BOTH)
        self._planner = both or seats.get(Role.PLANNER)
        self.executor = both or seats.get(Role.FLAT) or seats[Role.EXECUTOR]
        self._first = seats.get(Role.FIRST)
        self._all = list(seats.values())
        self._steps = 0

    @property
    def has_goals(self) -> bool:
        """Whether sub-goals are set."""
        return self._planner is not None

    @property
    def shortened(self) -> int:
        """How many texts were too long."""
        return sum(seat.shortened for seat in self._all)

    def write(self, event: Event) -> Generator[Ask, Generated, bool]:
        """Ask for what comes next; return whether it is the event."""
        if event.kind is EventKind.GOAL:
            asked = self._first or self._planner
            assert asked is not None
            marks = (Mark.GOAL, Mark.COMPLETE) if asked.free else (Mark.GOAL,)
            mark, text = yield from asked.write(marks)
            return mark is Mark.GOAL and functional(text) == event.text
        may_end = self.has_goals and (self._steps > 0 or self.executor.free)
        mark, text = yield from self.executor.write((Mark.ACT, Mark.DONE) if may_end else _ACT)
        if event.kind is EventKind.DONE:
            return mark is Mark.DONE
        return mark is Mark.ACT and text == event.text

    def take(self, event: Event) -> None:
        """Let all students know what truly came."""
        for seat in self._all:
            if seat is not self._first or event.kind is EventKind.OPEN:
                drive(seat.context, event)
        self._steps = 0 if event.kind is EventKind.DONE else self._steps + (event.step is not None)
        if event.kind is EventKind.GOAL and self._first is not None:
            self._first.close()
            self._first = None

    def close(self) -> None:
        """Free what the students hold."""
        for seat in self._all:
            seat.close()


_ACT = (Mark.ACT,)


@dataclass
class _Reading:
    """A path being read; what was asked, and was it exact.

    Attributes:
        path: The path.
        crew: The students.
        asked: Whether each answer was exact, by what was asked.
        turns: Yields asks, is sent answers.
        ask: What is asked now; None at the end.
    """

    path: AnnotatedTrajectory
    crew: _Crew
    turns: Generator[Ask, Generated, None] = field(init=False)
    asked: dict[EventKind, list[bool]] = field(default_factory=dict[EventKind, list[bool]])
    ask: Ask | None = None

    def begin(self, told: DatasetConfig) -> None:
        """Read up to the first ask."""
        self.turns = self._read(told)
        self._go(partial(next, self.turns))

    def answer(self, answer: Generated) -> None:
        """Read on, up to the next ask."""
        self._go(partial(self.turns.send, answer))

    def percent(self, kind: EventKind) -> float | None:
        """Return how much was exact; None where nothing was asked."""
        found = self.asked.get(kind, [])
        return 100.0 * sum(found) / len(found) if found else None

    def _go(self, on: Callable[[], Ask]) -> None:
        try:
            self.ask = on()
        except StopIteration:
            self.ask = None
            self.crew.close()

    def _read(self, told: DatasetConfig) -> Generator[Ask, Generated, None]:
        every = self.crew.executor.form.planner_asked is Asked.EVERY_STEP
        events = list(
            course(
                with_reasons(self.path) if told.reasons else self.path,
                goals=self.crew.has_goals,
                every_step=every,
                move_limit=told.move_limit,
                drop=told.drop,
            )
        )
        # With the last step the world ends: nobody is asked after it.
        last = max((i for i, event in enumerate(events) if event.step is not None), default=-1)
        for event in events[: last + 1]:
            if event.kind is not EventKind.OPEN and event.right and not event.astray:
                exact = yield from self.crew.write(event)
                self.asked.setdefault(event.kind, []).append(exact)
            self.crew.take(event)


def _read(
    paths: Sequence[AnnotatedTrajectory],
    seated: Callable[[AnnotatedTrajectory], _Crew],
    told: DatasetConfig,
    at_once: int,
) -> Iterator[_Reading]:
    """Read paths side by side, their asks answered in batches; yield them in their order."""
    readings = [_Reading(path, seated(path)) for path in paths]
    waiting = iter(readings)
    live: list[_Reading] = []
    with Progress("exact match", len(paths), "paths") as progress:
        while True:
            while len(live) < at_once and (reading := next(waiting, None)) is not None:
                reading.begin(told)
                live.append(reading)
            asks = [(reading, reading.ask) for reading in live if reading.ask is not None]
            for reading, answer in answers(asks):
                reading.answer(answer)
            going = [reading for reading in live if reading.ask is not None]
            progress.advance(len(live) - len(going))
            if not live:
                break
            live = going
    yield from readings


def _by_type(readings: Sequence[_Reading]) -> dict[str, list[_Reading]]:
    groups: dict[str, list[_Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.path.trajectory.task.name, []).append(reading)
    return groups


def _by_class(readings: Sequence[_Reading]) -> dict[str, list[_Reading]]:
    by_type = _by_type(readings)
    environment = readings[0].path.trajectory.task.environment
    return {
        kind: [r for r in readings if r.path.trajectory.task.name in types]
        for kind, types in grouped(by_type, environment).items()
    }


def _path(reading: _Reading) -> PathMatch:
    asked = reading.asked[EventKind.ACT]
    return PathMatch(
        key=reading.path.key,
        type=reading.path.trajectory.task.name,
        asked=len(asked),
        exact=round(100.0 * sum(asked) / len(asked), 6),
    )


def _group(name: str, readings: Sequence[_Reading], seed: int) -> GroupMatch:
    return GroupMatch(
        name=name,
        types=len(_by_type(readings)),
        paths=len(readings),
        actions=_share(readings, EventKind.ACT, seed),
        subgoals=_share(readings, EventKind.GOAL, seed),
        ends=_share(readings, EventKind.DONE, seed),
    )


def _share(readings: Sequence[_Reading], kind: EventKind, seed: int) -> Share:
    by_type = [
        [percent for one in members if (percent := one.percent(kind)) is not None]
        for members in _by_type(readings).values()
    ]
    groups = [np.array(values, float) for values in by_type if values]
    return Share(
        asked=sum(len(reading.asked.get(kind, [])) for reading in readings),
        exact=bootstrap(groups, Mean.TYPES, seed) if groups else None,
    )
