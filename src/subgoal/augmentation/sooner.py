"""Sooner: a path that takes longer than an episode may is walked again by who hurries.

An oracle takes its time. It waters plants whose pots water themselves, waits three times where once
would have done, and picks seven seeds, by names that it draws at random, to sow four. Who imitates
it runs into the limit of moves before the decision, and never learns what the decision rests on.
Here the path's sub-goals are gone through once more, each as soon as the world allows it:

- where the world refuses a step that it took before, `TURN` moves are waited, with a look around at
  their end, and the step is tried again: whoever imitates the path sees what it waited for;
- sub-goals of one name are left out if the path gets through without them; of several in a row, and
  of their steps, all but the first are;
- a step that the world asks about names the thing as the world itself does;
- a task that asks for a property (`asked`) is decided by a look at one thing that has it: at what
  the path looked at itself, or else at one of the things that its last wait brought about.

A path counts if it solves its task, was shown what the old one was shown, and is refused nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.augmentation.asked import AskedProperty, asked_property
from subgoal.augmentation.part import Move, Part, spans_of
from subgoal.environments.base import StopReason
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.replay import Situation
from subgoal.trajectories.trajectory import Step, Trajectory

TURN = 5
"""Number of moves that are waited between two looks around."""
_OPTION = r"^{number}:\s*(?P<verb>\w+(?: \w+)*?) (?P<thing>[^()\n]+) \(in (?P<place>[^,()]+)[^)]*\)"
_OPTION += r" (?P<to>\w+) (?P<target>[^()\n]+) \("
_TWICE = 2
_TRIED = 4
"""Number of a sub-goal's steps of which each is tried alone."""
_ARTICLE = re.compile(r"^(?:an?|the) ")
_WORD = re.compile(r"\w+")

Walk = Callable[[Callable[[Situation], str | StopReason]], Trajectory]
"""Walks through a path's task, from its beginning, by what is decided on the way."""


def sooner(one: AnnotatedTrajectory, walk: Walk, limit: int) -> AnnotatedTrajectory:
    """Return a path that does only what its task needs; itself where it takes no longer than that.

    Args:
        one: A solved path.
        walk: Walks through the path's task.
        limit: Number of moves of the world up to which a path is left as it is.
    """
    old = one.trajectory
    made_up = any(part.injected for part in (*one.spans, *old.steps))
    spoken = language(old.task.environment)
    waits = [verb for verb in spoken.watching if verb.startswith("wait")]
    if (
        old.stop_reason is not StopReason.SOLVED
        or old.steps[-1].moves <= limit
        or made_up
        or not (waits and spoken.looking)
    ):
        return one
    plan = _plan(one, spoken, waits[-1])
    best = _boldest(plan, walk, limit) or _shortest(plan, walk, limit, _moves(old))
    if best is None:
        return one
    update = {"steps": best.path.steps, "final_score": best.path.final_score}
    trajectory = old.model_copy(update=update)
    return one.model_copy(update={"trajectory": trajectory, "spans": spans_of(best.parts)})


class _Unit(NamedTuple):
    """A step, with the answer where the world asked which of several things was meant."""

    action: str
    answer: str = ""


class _Goal(NamedTuple):
    """A sub-goal that is gone through."""

    like: Part
    """The sub-goal; its moves do not count."""
    units: tuple[_Unit, ...]
    """Its steps."""
    wait: Part
    """How is waited before it: what the old path waited for there."""
    between_waits: bool
    """Whether the old path waited just before it, or just after."""

    @property
    def name(self) -> str:
        return self.like.span.subgoal.name


class _Plan(NamedTuple):
    """What is done in a hurry, and what has to be shown before the end."""

    goals: tuple[_Goal, ...]
    """The sub-goals that are gone through."""
    view: str
    """What the old path was shown last. Of the things that the last sub-goal acted on before the
    decision, one has to be shown as it was there."""
    asked: AskedProperty | None
    """The property that the task asks for."""
    spoken: WorldLanguage
    """The words of the world."""


class _Draft(NamedTuple):
    """A path to be."""

    parts: tuple[Part, ...]
    """Its sub-goals."""
    path: Trajectory
    """What came of it in the world."""


def described(view: str, thing: str) -> str:
    """Return the line of a view that describes a thing as another view did; empty: there is none.

    Each word of the thing's own description, up to its first full stop, has to be there; of what is
    said on it further on, such as what grows on it, it is enough that something is.

    Args:
        view: The description of a room, a thing a line.
        thing: A line of the other view.
    """
    head, _, rest = thing.partition(".")
    words = set(_WORD.findall(head))
    for line in view.splitlines():
        other, _, more = line.partition(".")
        if words <= set(_WORD.findall(other)) and (more.strip() or not rest.strip()):
            return line.strip()
    return ""


def _moves(path: Trajectory) -> int:
    return path.steps[-1].moves


def _plan(one: AnnotatedTrajectory, spoken: WorldLanguage, wait: str) -> _Plan:
    """Return what a path does, without its waits and looks around."""
    turn = (Move(wait),) * TURN + (Move(spoken.looking),)
    asked = asked_property(one.trajectory.task.description)
    done = [_units(_steps(one, span), spoken) for span in one.spans]
    waiting = [any(unit.action == wait for unit in units) for units in done]
    goals: list[_Goal] = []
    waited = next((s for s, waits in zip(one.spans, waiting, strict=True) if waits), one.spans[0])
    for at, span in enumerate(one.spans):
        waited = span if waiting[at] else waited
        beside = any(waiting[max(0, at - 1) : at + 2])
        units = tuple(unit for unit in done[at] if unit.action not in (wait, *spoken.idle))
        if not units:
            continue
        goals.append(_Goal(Part(span, ()), units, Part(waited, turn), beside))
        if asked and _reads(_steps(one, span)[-1], asked, spoken):
            thing = units[-1].action.partition(" at ")[2] or units[-1].action.partition(" ")[2]
            looking = _looking_at(thing, asked, goals[-1], spoken)
            last = goals[-1]._replace(
                like=Part(one.spans[-1], ()), units=done[-1], between_waits=False
            )
            goals[-1:] = [goals[-1]._replace(units=units[:-1]), looking, last]
            break
    view = one.trajectory.steps[-1].look
    return _Plan(tuple(goal for goal in goals if goal.units), view, asked, spoken)


def _steps(one: AnnotatedTrajectory, span: SubgoalSpan) -> Sequence[Step]:
    return one.trajectory.steps[span.first - 1 : span.last]


def _units(steps: Sequence[Step], spoken: WorldLanguage) -> tuple[_Unit, ...]:
    """Return the steps that the world took, each with its answer, things by the world's names."""
    units: list[_Unit] = []
    asked = False
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        unanswered, asked = asked, step.observation.startswith(spoken.asks)
        if not step.accepted or step.action.isdigit() or unanswered:
            continue
        if asked:
            if after and after.accepted and after.action.isdigit():
                named = _named(step.observation, after.action)
                units.append(_Unit(named or step.action, after.action))
        else:
            units.append(_Unit(step.action))
    return tuple(units)


def _named(question: str, answer: str) -> str:
    """Return an action by the names that the world gives in a question; empty: it gives none."""
    option = re.search(_OPTION.format(number=answer), question, re.MULTILINE)
    return "{verb} {thing} in {place} {to} {target}".format(**option.groupdict()) if option else ""


def _reads(step: Step, asked: AskedProperty, spoken: WorldLanguage) -> bool:
    """Return whether a step looks at one thing and is told of what has the asked property."""
    looks = any(step.action.startswith(f"{verb} ") for verb in spoken.examining)
    return looks and step.accepted and asked.thing in _WORD.findall(step.observation)


def _looking_at(thing: str, asked: AskedProperty, after: _Goal, spoken: WorldLanguage) -> _Goal:
    """Return the sub-goal that looks at one thing for the property that the task asks for."""
    verb = spoken.examining[-1]
    goal = Subgoal(name=verb, arguments=(thing, asked.phrase))
    span = after.like.span.model_copy(update={"subgoal": goal})
    return _Goal(Part(span, ()), (_Unit(f"{verb} {thing}"),), after.wait, False)


def _boldest(plan: _Plan, walk: Walk, limit: int) -> _Draft | None:
    """Return what comes of leaving out at once all that may be left out; None where it fails."""
    left_out = _between_waits(plan)
    plan = plan._replace(goals=tuple(goal for goal in plan.goals if goal.name not in left_out))
    for number in range(_TRIED):
        bold = plan
        for first, end in reversed(_runs(plan)):
            units = plan.goals[first].units
            cut = plan.goals[first]._replace(units=units[number : number + 1] or units[:1])
            bold = bold._replace(goals=(*bold.goals[:first], cut, *bold.goals[end:]))
        if new := _hurried(bold, walk, limit):
            return new
    return None


def _shortest(plan: _Plan, walk: Walk, limit: int, moves: int) -> _Draft | None:
    """Return what comes of a plan of which one thing after the other is left out, where that does.

    Args:
        plan: All that the old path does.
        walk: Walks through the path's task.
        limit: Number of moves up to which less is better than sooner.
        moves: Number of moves of the old path.
    """
    best = _hurried(plan, walk, moves)
    most = max(limit, _moves(best.path)) if best else moves
    for first, end in reversed(_runs(plan)):
        for cut in _cuts(plan.goals[first]):
            shorter = plan._replace(goals=(*plan.goals[:first], cut, *plan.goals[end:]))
            if new := _hurried(shorter, walk, most):
                plan, best = shorter, new
                break
    for name in _between_waits(plan):
        shorter = plan._replace(goals=tuple(goal for goal in plan.goals if goal.name != name))
        if new := _hurried(shorter, walk, most):
            plan, best = shorter, new
    return best


def _between_waits(plan: _Plan) -> list[str]:
    """Return the names of sub-goals that the old path only did beside waits, and several times."""
    goals = plan.goals[:-1]
    count = Counter(goal.name for goal in goals)
    elsewhere = {goal.name for goal in goals if not goal.between_waits}
    return [name for name, n in count.most_common() if n > 1 and name not in elsewhere]


def _runs(plan: _Plan) -> list[tuple[int, int]]:
    """Return where something is done more than twice in a row, from where to where."""
    names = [goal.name for goal in plan.goals]
    begins = [at for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    return [
        (first, end)
        for first, end in pairwise([*begins, len(names)])
        if end - first > _TWICE or len(plan.goals[first].units) > _TWICE + 1
    ]


def _cuts(goal: _Goal) -> Iterator[_Goal]:
    """Yield what a sub-goal that is done several times may be cut to, the boldest first."""
    for unit in dict.fromkeys(goal.units[:_TRIED]):
        yield goal._replace(units=(unit,))
    yield goal


class _Line(NamedTuple):
    """A step to be."""

    of: Part
    """The sub-goal that it belongs to; each turn of a wait is one of its own."""
    action: str
    """What is done."""


def _hurried(plan: _Plan, walk: Walk, most: int) -> _Draft | None:
    """Return what comes of a plan in a hurry; None where it does not take fewer moves than `most`.

    The path is walked up to the first step that the world does not take as it is; before it is
    waited, or what has to be said is said, and the path is walked again.
    """
    lines = [line for goal in plan.goals for line in _lines(goal)]
    waits = {id(goal.like): goal.wait for goal in plan.goals}
    last = plan.goals[-1].wait
    while True:
        path = walk(_as_far_as_it_goes(lines, plan.spoken))
        at = len(path.steps) - 1
        if _moves(path) >= most:
            return None
        if path.stop_reason is not StopReason.SOLVED and path.steps[at].accepted:
            if not path.steps[at].observation.startswith(plan.spoken.asks):
                return None
            lines.insert(at + 1, _Line(lines[at].of, "0"))
        elif not path.steps[at].accepted and lines[at].action.isdigit():
            del lines[at]
        elif not path.steps[at].accepted:
            lines[at:at] = _turn(waits.get(id(lines[at].of), last))
        elif (look := _look(plan, path, lines)) is not None:
            lines[at:at] = look or _turn(last)
        else:
            return _Draft(_grouped(lines), path)


def _lines(goal: _Goal) -> Iterator[_Line]:
    for unit in goal.units:
        yield _Line(goal.like, unit.action)
        if unit.answer:
            yield _Line(goal.like, unit.answer)


def _turn(wait: Part) -> list[_Line]:
    """Return the steps of a turn that is waited."""
    own = Part(wait.span, ())  # told from other turns of the same wait by what it is
    return [_Line(own, move.action) for move in wait.moves]


def _grouped(lines: Sequence[_Line]) -> tuple[Part, ...]:
    """Return the sub-goals of steps."""
    groups = groupby(lines, key=lambda line: id(line.of))
    taken = [list(group) for _, group in groups]
    return tuple(
        group[0].of._replace(moves=tuple(Move(line.action) for line in group)) for group in taken
    )


def _as_far_as_it_goes(
    lines: Sequence[_Line], spoken: WorldLanguage
) -> Callable[[Situation], str | StopReason]:
    """Decide on steps in turn, up to one that is refused, or asked about and not answered."""
    given = iter(lines)

    def decide(situation: Situation) -> str | StopReason:
        line = next(given, None)
        asks = bool(situation.history) and situation.observation.startswith(spoken.asks)
        if line is None or not situation.accepted or (asks and not line.action.isdigit()):
            return StopReason.PATH_END
        return line.action

    return decide


def _look(plan: _Plan, path: Trajectory, lines: Sequence[_Line]) -> list[_Line] | None:
    """Return what a path lacks before its decision: the look at one thing, or else a wait.

    Returns:
        None: it lacks nothing. No step: it has to wait.
    """
    decided = lines[max(0, len(lines) - 2)].action
    if any(decided.startswith(f"{verb} ") for verb in plan.spoken.examining):
        return None
    described_then = {_thing(line): line for line in plan.view.splitlines()}
    acted = (
        g
        for g in reversed(plan.goals[:-1])
        if set(g.like.span.subgoal.arguments) & {*described_then}
    )
    before = next(acted, None)
    if before is None:
        return None
    wanted = [described_then[a] for a in before.like.span.subgoal.arguments if a in described_then]
    view = path.steps[-1].look
    for line in wanted:
        told = described(view, line)
        if told and not plan.asked:
            return None
        if plan.asked and plan.asked.thing in _WORD.findall(told):
            return list(_lines(_looking_at(_thing(line), plan.asked, before, plan.spoken)))
    return []


def _thing(line: str) -> str:
    """Return the name of the thing that a line of a view describes."""
    return _ARTICLE.sub("", line.strip().partition("(")[0].strip())
