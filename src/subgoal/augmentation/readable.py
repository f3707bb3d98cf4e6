"""Readable: what a path does rests on what whoever imitates it has read by then.

An oracle knows more than it was told. It measures what has just melted by its new name and is done,
where an imitator first has to read that it has melted; it focuses on one plant of three, which the
sub-goal calls a plant, and takes up that plant's pot, where nobody else can know which plant was
meant; and it opens just the container that holds a thing, or some others before, in any order. Who
imitates such paths learns to guess. Here

- the last readings of a watch are completed by those of the same thing under its new name;
- a sub-goal that ends with a focus names the thing that was chosen, where no later one does;
- a search opens what can be opened in the order in which the room lists it, until the thing is
  seen, and each sub-goal opens what it moves a thing into itself.

A path that is changed in the world is replayed, and kept only if it still solves its task.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.augmentation.shortening import Replay, carried_spans
from subgoal.augmentation.watches import watches
from subgoal.environments.base import StopReason
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step, Trajectory

_WORD = re.compile(r"[a-z0-9]+")


class _Line(NamedTuple):
    """A step of a path that is rewritten."""

    action: str
    """What is done."""
    origin: int
    """The step of the old path whose sub-goal it belongs to, from 0."""
    injected: bool = False
    """Whether it is a mistake that was put in on purpose."""


def openings(annotated: Iterable[AnnotatedTrajectory]) -> dict[str, frozenset[str]]:
    """Return by place what paths opened there; the place is how its description begins."""
    found: dict[str, set[str]] = {}
    for one in annotated:
        spoken = language(one.trajectory.task.environment)
        for step in one.trajectory.steps:
            phrase = take_apart(step.action, spoken)
            if spoken.open and phrase.verb == spoken.open and step.accepted and not step.injected:
                found.setdefault(_place(step.look), set()).update(phrase.arguments[:1])
    return {place: frozenset(names) for place, names in found.items()}


def readable(
    one: AnnotatedTrajectory,
    replay: Replay,
    opened: Mapping[str, frozenset[str]],
    exhaustive: bool = False,
) -> AnnotatedTrajectory:
    """Return a path whose choices can be read; the path itself where they can, or it would fail.

    Args:
        one: A solved path.
        replay: Replays actions in the path's world.
        opened: What can be opened in which place (`openings`).
        exhaustive: Whether a search goes on after its thing was seen, as where it will not be seen.
    """
    one = _named(one)
    if one.trajectory.stop_reason is not StopReason.SOLVED:
        return one
    one = _walked(one, _read_again(one), replay)
    return _walked(one, _searched(one, replay, opened, exhaustive), replay)


def _place(look: str) -> str:
    return look.split("\n", 1)[0]


def _walked(
    one: AnnotatedTrajectory, lines: Sequence[_Line], replay: Replay
) -> AnnotatedTrajectory:
    """Return a path as it is rewritten; itself where it would not be solved, or be refused more."""
    old = one.trajectory
    if list(lines) == _lines(old):
        return one
    new = replay([line.action for line in lines])
    steps = tuple(
        step.model_copy(update={"injected": line.injected})
        for step, line in zip(new.steps, lines, strict=False)
    )
    if new.stop_reason is not StopReason.SOLVED or _refused(steps) > _refused(old.steps):
        return one
    update = {"steps": steps, "stop_reason": new.stop_reason, "final_score": new.final_score}
    spans = carried_spans(one.spans, [line.origin for line in lines[: len(steps)]])
    return one.model_copy(update={"trajectory": old.model_copy(update=update), "spans": spans})


def _refused(steps: Iterable[Step]) -> int:
    return sum(not step.accepted and not step.injected for step in steps)


def _lines(path: Trajectory) -> list[_Line]:
    return [_Line(step.action, i, step.injected) for i, step in enumerate(path.steps)]


def _named(one: AnnotatedTrajectory) -> AnnotatedTrajectory:
    """Let sub-goals that end with a focus name what was chosen, where no later one does."""
    path, spans = one.trajectory, list(one.spans)
    spoken = language(path.task.environment)
    for number, span in enumerate(spans):
        step = path.steps[span.last - 1]
        phrase = take_apart(step.action, spoken)
        chosen = " ".join(phrase.arguments).strip()
        taken = chosen and step.accepted and not (span.injected or step.injected)
        if not taken or phrase.verb != spoken.focus:
            continue
        said = " ".join(span.subgoal.arguments)
        later = " ".join(a for after in spans[number + 1 :] for a in after.subgoal.arguments)
        if later and said and not (_words(said) | _words(later)) & _words(chosen):
            goal = span.subgoal.model_copy(update={"arguments": (chosen,)})
            spans[number] = span.model_copy(update={"subgoal": goal})
    return one.model_copy(update={"spans": tuple(spans)})


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _read_again(one: AnnotatedTrajectory) -> list[_Line]:
    """Complete watches whose last reading calls the thing by another name than those before."""
    path = one.trajectory
    spoken = language(path.task.environment)
    lines = _lines(path)
    added: dict[int, list[str]] = {}
    for watch in watches(path.steps, [span.last - 1 for span in one.spans], spoken):
        by_verb: dict[str, tuple[str, str]] = {}
        before: set[tuple[str, str]] = set()
        for number in watch:
            phrase = take_apart(path.steps[number].action, spoken)
            if phrase.arguments:
                by_verb.pop(phrase.verb, None)
                by_verb[phrase.verb] = (path.steps[number].action, phrase.arguments[-1])
                before.add((phrase.verb, phrase.arguments[-1]))
        names = [name for _, name in by_verb.values()]
        if (
            len(set(names)) == 2
            and names.count(names[-1]) == 1
            and ((next(reversed(by_verb)), names[0]) in before)
        ):
            missing = [action for action, _ in list(by_verb.values())[:-1]]
            added[watch[-1]] = [a.replace(names[0], names[-1]) for a in missing]
    return [
        new
        for line in lines
        for new in (line, *(_Line(action, line.origin) for action in added.get(line.origin, ())))
    ]


def _searched(
    one: AnnotatedTrajectory,
    replay: Replay,
    opened: Mapping[str, frozenset[str]],
    exhaustive: bool,
) -> list[_Line]:
    """Open in listed order what is opened to find a thing; and what a thing is moved into."""
    path = one.trajectory
    spoken = language(path.task.environment)
    lines = _lines(path)
    for span in reversed(one.spans):
        steps = path.steps[span.first - 1 : span.last]
        opens = all(take_apart(step.action, spoken).verb == spoken.open for step in steps)
        if not opens or span.injected or any(step.injected for step in steps):
            continue
        names = opened.get(_place(steps[0].look), frozenset())
        left = _listed(names - _opened(path.steps[: span.first - 1], spoken), steps[0].look)
        searched = left if exhaustive else _until_seen(one, span, left, replay)
        if searched:
            new = [_Line(f"{spoken.open} {name}", span.first - 1) for name in searched]
            lines[span.first - 1 : span.last] = new
    return _prepared(one, lines, opened, spoken)


def _opened(steps: Iterable[Step], spoken: WorldLanguage) -> frozenset[str]:
    phrases = (take_apart(step.action, spoken) for step in steps)
    return frozenset(p.arguments[0] for p in phrases if p.verb == spoken.open and p.arguments)


def _listed(names: Iterable[str], look: str) -> list[str]:
    """Return names in the order in which a room lists them; what is within one, after it."""
    found = {name: look.find(name.split()[-1]) for name in names}
    return sorted(
        (name for name, at in found.items() if at >= 0), key=lambda n: (found[n], len(n), n)
    )


def _until_seen(
    one: AnnotatedTrajectory, span: SubgoalSpan, names: Sequence[str], replay: Replay
) -> Sequence[str]:
    """Return which of what is opened in turn is needed until a search's thing is seen."""
    path = one.trajectory
    spoken = language(path.task.environment)
    before = path.actions[: span.first - 1]
    new = replay([*before, *(f"{spoken.open} {name}" for name in names), spoken.looking])
    looks = [step.look for step in new.steps[len(before) :]]
    if len(looks) <= len(names):
        return ()  # the episode ended within the search
    sought = [re.compile(rf"\b{re.escape(a)}\b", re.IGNORECASE) for a in span.subgoal.arguments]
    seen = (n for n, look in enumerate(looks) if any(a.search(look) for a in sought))
    return names[: next(seen, len(names))]


def _prepared(
    one: AnnotatedTrajectory,
    lines: Sequence[_Line],
    opened: Mapping[str, frozenset[str]],
    spoken: WorldLanguage,
) -> list[_Line]:
    """Let each sub-goal open what it moves a thing into, whatever was opened before."""
    steps = one.trajectory.steps
    spans = [(span.first - 1, span.last - 1) for span in one.spans]
    new: list[_Line] = []
    done: set[tuple[int, str]] = set()
    for line in lines:
        verb, arguments = take_apart(line.action, spoken)
        mine = next((first for first, last in spans if first <= line.origin <= last), -1)
        if verb == spoken.open and arguments:
            done.add((mine, arguments[0]))
        target = arguments[-1] if verb == spoken.carry and len(arguments) > 1 else ""
        into = target in opened.get(_place(steps[line.origin].look), ())
        if into and not line.injected and (mine, target) not in done:
            done.add((mine, target))
            new.append(_Line(f"{spoken.open} {target}", line.origin))
        new.append(line)
    return new
