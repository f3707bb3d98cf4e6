"""The course of an annotated path, event by event: what drives the contexts of students.

Whoever tells a path that was walked before, to train a student or to ask one about it, tells it the
same way, so that what is read is the text of play.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.text.format import Context, Seen
from subgoal.trajectories.trajectory import Step


class EventKind(StrEnum):
    """What happens."""

    OPEN = "open"
    """The episode begins."""
    GOAL = "goal"
    """The planner sets a sub-goal."""
    ACT = "act"
    """The executor acts, and the world answers."""
    DONE = "done"
    """The executor ends the sub-goal, and another follows."""
    COMPLETE = "complete"
    """The last sub-goal has ended."""
    CLOSE = "close"
    """The telling ends before the last sub-goal does, or knows no sub-goals."""


@dataclass(frozen=True)
class Event:
    """Something that happens on a path.

    Attributes:
        kind: What.
        text: The task's description, the sub-goal or the action.
        now: What can be seen after it.
        step: The step, for its answer; None where nothing was sent to the world.
        right: False for what was put in on purpose: read, not learned. A student without sub-goals
            does not learn what a wrong one leads to.
        astray: True where a wrong sub-goal is pursued.
        tools: Of the beginning: the task's tools.
    """

    kind: EventKind
    text: str
    now: Seen
    step: Step | None = None
    right: bool = True
    astray: bool = False
    tools: str = ""


def drive(context: Context, event: Event) -> None:
    """Let a context take an event in."""
    match event.kind:
        case EventKind.OPEN:
            context.open(event.text, event.now, event.tools)
        case EventKind.GOAL:
            context.goal(event.text, event.right)
        case EventKind.ACT:
            context.act(event.text, event.right)
            if event.step is not None:
                context.observe(event.step, event.now)
        case EventKind.DONE:
            context.done(event.now)
        case EventKind.COMPLETE:
            context.complete()
        case EventKind.CLOSE:
            context.close()


def course(
    one: AnnotatedTrajectory,
    *,
    goals: bool = True,
    every_step: bool = False,
    move_limit: int = 0,
    drop: tuple[str, ...] = (),
) -> Iterator[Event]:
    """Tell an annotated path.

    Args:
        one: The path.
        goals: Whether its sub-goals are told.
        every_step: Whether the planner names the sub-goal before every turn of the executor.
        move_limit: Leave out what is done after so many moves of the world; 0: nothing.
        drop: Leave steps out whose action begins with one of these.
    """
    steps = one.trajectory.steps
    # After the last step nothing was seen; what was seen before it stands in.
    views = [Seen(step.look, step.inventory) for step in (*steps, steps[-1])]
    within = _within(steps, move_limit)
    kept = [i for i in range(within) if not steps[i].action.startswith(drop)]
    astray = {i - 1 for s in one.spans if s.injected for i in range(s.first, s.last + 1)}

    def acted(i: int) -> Event:
        step, wrong = steps[i], i in astray
        right = not step.injected and (goals or not wrong)
        return Event(EventKind.ACT, step.action, views[i + 1], step, right, wrong)

    task = one.trajectory.task
    yield Event(EventKind.OPEN, task.description, views[0], tools=task.tools)
    if not goals:
        yield from map(acted, kept)
        yield Event(EventKind.CLOSE, "", views[-1])
        return
    for span in one.spans:
        mine = [i for i in kept if span.first <= i + 1 <= span.last]
        if not mine:
            continue
        wrong = span.injected
        goal = Event(EventKind.GOAL, str(span.subgoal), views[mine[0]], None, not wrong, wrong)
        if not every_step:
            yield goal
        for i in mine:
            if every_step:
                yield replace(goal, now=views[i])
            yield acted(i)
        if every_step:  # the executor's end is a turn like any other
            yield replace(goal, now=views[span.last])
        if mine[-1] != kept[-1]:
            yield Event(EventKind.DONE, "", views[span.last], astray=wrong)
    ended = EventKind.CLOSE if within < len(steps) else EventKind.COMPLETE
    yield Event(ended, "", views[-1])


def _within(steps: Sequence[Step], move_limit: int) -> int:
    """Return how many steps of a path are taken before the limit of moves."""
    late = (i for i, step in enumerate(steps[:-1], 1) if move_limit and step.moves >= move_limit)
    return next(late, len(steps))
