"""A path told event by event to students, who are asked where the planner or executor has its turn.

Whatever they write, the path's own sub-goal or action follows (teacher forcing), so that every
question has the true history. The seats are those of play, and so is the text. Steps and sub-goals
that were put in on purpose are read, and never asked about.
"""

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from subgoal.agents.base import Ask
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.engines.base import Generated
from subgoal.errors import TextTooLong
from subgoal.evaluation.rollout import answers
from subgoal.text.conditions import with_reasons
from subgoal.text.events import Event, EventKind, course, drive
from subgoal.text.format import Asked, Role, functional
from subgoal.text.tokenizers.marks import Mark

T = TypeVar("T")
Reading = Generator[Ask, Generated, T]
"""A path being read: yields asks, is sent answers, returns what was found."""

AT_ONCE = 32
"""Paths that are read side by side."""
_ACT = (Mark.ACT,)


@dataclass(frozen=True)
class WrittenEvent:
    """What a student wrote where the path has an event.

    Attributes:
        event: The event.
        mark: How it began; None where the text had no room for it.
        text: What it wrote; a sub-goal in functional form.
        certainty: The probability with which it wrote this; None where its server does not tell.
    """

    event: Event
    mark: Mark | None
    text: str
    certainty: float | None

    @property
    def exact(self) -> bool:
        """Whether it is the event."""
        if self.event.kind is EventKind.DONE:
            return self.mark is Mark.DONE
        wanted = Mark.GOAL if self.event.kind is EventKind.GOAL else Mark.ACT
        return self.mark is wanted and self.text == self.event.text


class StudentCrew:
    """The students of one agent on one path: who is asked what, as in play (`agents`).

    Args:
        seats: Their seats, by role.
    """

    def __init__(self, seats: Mapping[Role, StudentSeat]) -> None:
        both = seats.get(Role.BOTH)
        self._planner = both or seats.get(Role.PLANNER)
        self._executor = both or seats.get(Role.FLAT) or seats[Role.EXECUTOR]
        self._first = seats.get(Role.FIRST)
        self._all = list(seats.values())
        self._steps = 0

    @property
    def has_goals(self) -> bool:
        """Whether sub-goals are set."""
        return self._planner is not None

    @property
    def every_step(self) -> bool:
        """Whether they are set before every step."""
        return self._executor.form.planner_asked is Asked.EVERY_STEP

    @property
    def shortened(self) -> int:
        """How many texts were too long."""
        return sum(seat.shortened for seat in self._all)

    def write(self, event: Event) -> Reading[WrittenEvent]:
        """Ask for what comes next, where the path has an event."""
        if event.kind is EventKind.GOAL:
            asked = self._first or self._planner
            assert asked is not None
            marks = (Mark.GOAL, Mark.COMPLETE) if asked.free else (Mark.GOAL,)
        else:
            asked = self._executor
            may_end = self.has_goals and (self._steps > 0 or asked.free)
            marks = (Mark.ACT, Mark.DONE) if may_end else _ACT
        (mark, text), certainty = yield from with_certainty(asked.write(marks))
        return WrittenEvent(event, mark, functional(text) if mark is Mark.GOAL else text, certainty)

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


def teacher_forced(
    path: AnnotatedTrajectory, crew: StudentCrew, told: DatasetConfig
) -> Reading[list[WrittenEvent]]:
    """Read a path with its own sub-goals; return what was written at every event.

    Args:
        path: The path.
        crew: The students; they are closed at the end.
        told: How paths were told in training: `drop`, `move_limit` and `reasons` hold here too.
    """
    events = list(
        course(
            with_reasons(path) if told.reasons else path,
            goals=crew.has_goals,
            every_step=crew.every_step,
            move_limit=told.move_limit,
            drop=told.drop,
        )
    )
    # With the last step the world ends: nobody is asked after it.
    last = max((i for i, event in enumerate(events) if event.step is not None), default=-1)
    found: list[WrittenEvent] = []
    for event in events[: last + 1]:
        if event.kind is not EventKind.OPEN and event.right and not event.astray:
            try:
                found.append((yield from crew.write(event)))
            except TextTooLong:
                found.append(WrittenEvent(event, None, "", 0.0))
        crew.take(event)
    crew.close()
    return found


def with_certainty(turn: Reading[T]) -> Reading[tuple[T, float | None]]:
    """Return what a turn returns, and the probability of the last answer that it was sent."""
    answer: Generated | None = None
    try:
        ask = next(turn)
        while True:
            answer = yield ask
            ask = turn.send(answer)
    except StopIteration as end:
        logprob = None if answer is None else answer.logprob
        return end.value, None if logprob is None else math.exp(logprob)


def side_by_side(readings: Iterable[Reading[T]], at_once: int) -> Iterator[tuple[int, T]]:
    """Read paths side by side, their asks answered in batches.

    Args:
        readings: The paths; each is taken when its turn comes.
        at_once: How many, at most.

    Yields:
        The number of a path, and what its reading returned, as they end.
    """
    waiting, live = enumerate(readings), dict[int, tuple[Reading[T], Ask]]()
    ended = deque[tuple[int, T]]()

    def go_on(number: int, reading: Reading[T], answer: Generated | None = None) -> None:
        try:
            live[number] = reading, next(reading) if answer is None else reading.send(answer)
        except StopIteration as end:
            live.pop(number, None)
            ended.append((number, end.value))

    while True:
        while len(live) < at_once and (one := next(waiting, None)) is not None:
            go_on(*one)
        while ended:
            yield ended.popleft()
        if not live:
            return
        asks = [((number, reading), ask) for number, (reading, ask) in live.items()]
        for (number, reading), answer in answers(asks):
            go_on(number, reading, answer)
