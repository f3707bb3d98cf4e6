"""Renamed copies of trajectories, so that a student learns to copy names instead of knowing them.

The variations that an agent is tested on name things that training never saw. In a renamed copy,
names of the task have changed, everywhere in the trajectory: in what was seen, done and planned.
The path stays right, only its words are others (`the orange box` becomes `the sofa box`), so the
only way to act is to read them. A name, of one word or several, changes places with another name of
the corpus, or becomes an invented one (`invented_names`); a number or a letter that is part of a
name (`flower pot 7`, `inclined plane C`) becomes another. What an answer names before it is planned
for (the ingredients of a recipe) is renamed as what the task names. All temperatures rise or fall
by the same number of degrees, and all shares of a way (`52% down the plane`) by the same number of
percent: what is above or below another stays so, and must be compared to be known. The number that
a task asks about moves nearer to what is read (`thresholds`). Of a property that a task asks about
(`round seed shape`) the value alone changes, everywhere: it is what is seen (`a round pea seed`).
In conversations of a log only codes change (`codes`).
"""

import random
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from heapq import merge
from itertools import count, islice
from math import sqrt

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.augmentation.asked import asked_property
from subgoal.datasets.codes import other_codes
from subgoal.datasets.invented_names import invented_name
from subgoal.datasets.thresholds import nearer
from subgoal.environments.registry import LOG, language
from subgoal.record import of_type
from subgoal.trajectories.trajectory import Step

_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_SHORTEST = 3
_LONGEST = 3
"""Most words of a name."""
_THING = re.compile(rf"\b[a-z]{{{_SHORTEST},}}(?=[,.;:)\]\n])")
"""The last word of a phrase, which mostly is what it names."""
_SHARE = 0.7
"""Share of a task's names that a copy renames; the others keep what they mean."""
INVENTED = 0.5
"""Share of those that become invented names, unless told otherwise."""
_LETTERS = sorted(set(string.ascii_lowercase) - set("aist"))
"""Without those that are words, or ends of words (`it's`)."""
_DIGITS = sorted(string.digits[1:])
_DEGREES = re.compile(r"(?<![0-9.])-?[0-9]+(?=(?:\.[0-9]+)? degrees)")
_WARMER = 150
"""Degrees that temperatures of a copy rise or fall, at most."""
_PERCENT = re.compile(r"(?<![0-9.])[0-9]{1,2}(?=%)")
_FARTHER = 30
"""Percent that shares of a copy rise or fall, at most; they stay between 1 and 99."""

Name = tuple[str, ...]
"""The words of a name."""


def names(annotated: Sequence[AnnotatedTrajectory], kept: Set[str] = frozenset()) -> Set[Name]:
    """Return the names that may change.

    They are sub-goals' arguments and their words. Names of places are left out (the way to them is
    knowledge), and so are single words that every task of some type says (they say what kind of
    task it is), names of kept words alone, and all of a property that a task asks about but its
    value.

    Args:
        annotated: The paths.
        kept: Words that mean something beyond what they name, such as colours that are mixed.
    """
    spoken: dict[str, list[frozenset[str]]] = {}
    places: set[str] = set()
    found: set[Name] = set()
    asked: set[Name] = set()
    for one in annotated:
        task, steps = one.trajectory.task, one.trajectory.steps
        asked.update(_rest(_asked(task.description)))
        spoken.setdefault(task.name, []).append(frozenset(_words(task.description)))
        places.update(word for step in steps if step.entered for word in _words(step.action))
        for span in one.spans:
            for text in span.subgoal.arguments:
                found.update({_words(text), *((word,) for word in _words(text))})
    fixed: set[str] = set()
    for said in spoken.values():
        fixed |= frozenset[str].intersection(*said)
    return frozenset(
        name
        for name in found - asked
        if 0 < len(name) <= _LONGEST
        and all(word.isalpha() and len(word) >= _SHORTEST for word in name)
        and places.isdisjoint(name)
        and not set(name) <= kept
        and (len(name) > 1 or fixed.isdisjoint(name))
    )


def copies_of(
    annotated: Sequence[AnnotatedTrajectory],
    copies: int,
    per_type: int | Mapping[str, int],
    only_renamed: Sequence[str] = (),
    *,
    rare_plans: bool = False,
) -> list[tuple[AnnotatedTrajectory, int]]:
    """Return which path is taken how: copy 0 is the path itself, others are renamed.

    Args:
        annotated: The paths.
        copies: Renamed copies of each path.
        per_type: Paths that each type has, copies counted, so that types weigh alike: those of
            types with fewer get more copies, those of types with more fewer; 0: `copies` of each.
            A table says it for single types, and `default` for the others.
        only_renamed: Types of which no path is taken as it is.
        rare_plans: Give paths more of their type's copies, the fewer paths of the type have the
            same plan.
    """
    first = dict.fromkeys(only_renamed, 1)  # the number of a type's first copy
    if not (per_type or rare_plans):
        every = ((one, copy) for copy in range(max(copies, bool(first)) + 1) for one in annotated)
        begin = {name: (number, max(copies, number)) for name, number in first.items()}
        wanted = {_type(one): begin.get(_type(one), (0, copies)) for one in annotated}
        return [(o, c) for o, c in every if wanted[_type(o)][0] <= c <= wanted[_type(o)][1]]
    by_type: dict[str, list[AnnotatedTrajectory]] = {}
    for one in annotated:
        by_type.setdefault(_type(one), []).append(one)
    taken: list[tuple[AnnotatedTrajectory, int]] = []
    for name, mine in by_type.items():
        order = random.Random(name).sample(mine, len(mine))
        begin = first.get(name, 0)
        each = copies + 1 if per_type else max(copies, begin) + 1 - begin
        number = of_type(per_type, name, 0) or each * len(mine)
        weights = _rarity(order) if rare_plans else [1.0] * len(order)
        taken += [(order[at], begin + copy) for at, copy in _shared_out(weights, number)]
    return taken


def _rarity(paths: Sequence[AnnotatedTrajectory]) -> list[float]:
    plans = [_plan(one) for one in paths]
    alike = Counter(plans)
    return [1 / sqrt(alike[plan]) for plan in plans]


def _plan(one: AnnotatedTrajectory) -> tuple[str, ...]:
    """Return the names of a path's sub-goals, each once: a detour makes no other plan."""
    return tuple(dict.fromkeys(span.subgoal.name for span in one.spans if not span.injected))


def _shared_out(weights: Sequence[float], number: int) -> Iterator[tuple[int, int]]:
    """Share out copies by weight, after each path has had its first; yield path and copy."""

    def due(at: int, weight: float) -> Iterator[tuple[bool, float, int, int]]:
        return ((copy > 0, (copy + at / len(weights)) / weight, at, copy) for copy in count())

    for *_, at, copy in islice(merge(*(due(*one) for one in enumerate(weights))), number):
        yield at, copy


def _type(one: AnnotatedTrajectory) -> str:
    return one.trajectory.task.name


def renamed_all(
    taken: Iterable[tuple[AnnotatedTrajectory, int]], pool: Set[Name], invented: float = INVENTED
) -> Iterable[AnnotatedTrajectory]:
    """Yield each path as the copy that it is taken as.

    Args:
        taken: Paths and the number of their copy; 0: the path itself.
        pool: The names that may change.
        invented: Share of the renamed names that become invented ones.
    """
    ordered = tuple(sorted(pool))
    for one, copy in taken:
        yield renamed(one, copy, ordered, invented) if copy else one


def renamed(
    one: AnnotatedTrajectory, copy: int, pool: tuple[Name, ...], invented: float = INVENTED
) -> AnnotatedTrajectory:
    """Return a renamed copy of a trajectory.

    Args:
        one: An annotated trajectory.
        copy: Which copy, from 1; another number gives other names.
        pool: The names that may change, sorted.
        invented: Share of the renamed names that become invented ones.
    """
    chance = random.Random(f"{copy}/{one.key}")
    if one.trajectory.task.environment.startswith(LOG):
        return _swapped(one, other_codes(one, chance), {})
    exchange = _exchange(one, pool, invented, chance)
    before, one = one, nearer(one, random.Random(f"{copy}/{one.key}/number"))
    watched = one is not before and _readings(before) > 1  # a watch varies by its number alone
    warmer = chance.randint(-_WARMER, _WARMER) if chance.random() < _SHARE else 0
    farther = _farther(one, chance) if chance.random() < _SHARE else 0
    return _swapped(one, exchange, {_DEGREES: 0 if watched else warmer, _PERCENT: farther})


def _readings(one: AnnotatedTrajectory) -> int:
    """Return how many answers of a path tell degrees."""
    return sum(_DEGREES.search(step.observation) is not None for step in one.trajectory.steps)


def _farther(one: AnnotatedTrajectory, chance: random.Random) -> int:
    """Choose by how many percent the shares of a path rise or fall."""
    said = [int(n) for s in one.trajectory.steps for n in _PERCENT.findall(s.observation)]
    if not said:
        return 0
    return chance.randint(max(-_FARTHER, 1 - min(said)), min(_FARTHER, 99 - max(said)))


def _words(text: str) -> Name:
    return tuple(_WORD.findall(text))


@lru_cache(4)
def _by_first(pool: tuple[Name, ...]) -> dict[str, list[Name]]:
    """Return the names by their first word, the longest first."""
    found: dict[str, list[Name]] = {}
    for name in sorted(pool, key=lambda name: -len(name)):
        found.setdefault(name[0], []).append(name)
    return found


def _known(pool: tuple[Name, ...], text: str) -> tuple[str, ...]:
    """Return the words of names, and those of a path that may be names of things."""
    return tuple(dict.fromkeys([*(word for name in pool for word in name), *_THING.findall(text)]))


def _asked(description: str) -> Name:
    """Return the words of the property that a task asks about; none where it asks about none."""
    asked = asked_property(description)
    return _words(asked.phrase) if asked else ()


def _rest(asked: Name) -> Iterator[Name]:
    """Yield all names in a property but its value: they say where it is looked for."""
    ends = range(1, len(asked) + 1)
    yield from (asked[first:end] for end in ends for first in range(end) if (first, end) != (0, 1))


def _texts(one: AnnotatedTrajectory) -> Iterator[str]:
    """Yield what may be renamed."""
    yield one.trajectory.task.description
    for step in one.trajectory.steps:
        yield from (step.action, step.observation, step.look, step.inventory)
    for span in one.spans:
        yield from span.subgoal.arguments


def _said(text: str, pool: tuple[Name, ...]) -> list[Name]:
    """Return the names that a text says, the longest where one holds another."""
    words, at, said = _words(text), 0, dict[Name, None]()
    first = _by_first(pool)
    while at < len(words):
        name = next(
            (n for n in first.get(words[at], ()) if n == words[at : at + len(n)]), (words[at],)
        )
        if len(name) > 1 or name in first.get(words[at], ()):
            said[name] = None
        at += len(name)
    return list(said)


def _told(one: AnnotatedTrajectory, pool: tuple[Name, ...]) -> list[Name]:
    """Return the names that an answer says before a sub-goal plans for them.

    What only a room shows is left out: that it is wanted must be known (a long-lived animal).
    """
    free, planned, told = frozenset(pool), set[Name](), dict[Name, None]()
    heard: set[Name] = set()
    looking = language(one.trajectory.task.environment).looking
    for span in one.spans:
        wanted = [_words(text) for text in span.subgoal.arguments]
        told.update(dict.fromkeys(n for n in wanted if n in free & heard - planned))
        planned.update(wanted)
        for step in one.trajectory.steps[span.first - 1 : span.last]:
            if not (step.entered or step.action == looking):
                heard.update(_said(step.observation, pool))
    return list(told)


def _exchange(
    one: AnnotatedTrajectory, pool: tuple[Name, ...], invented: float, chance: random.Random
) -> dict[str, str]:
    """Choose what each renamed name becomes; no two become the same."""
    description = one.trajectory.task.description
    value = _asked(description)[:1]  # it may be a kept word: only the question gives it a meaning
    named = [*_said(description, pool), *([value] if value else []), *_told(one, pool)]
    said = list(dict.fromkeys(named))
    exchange: dict[str, str] = {}
    text = "\n".join(_texts(one)) if said else ""
    known = _known(pool, text)
    for name in said:
        if chance.random() >= _SHARE:
            continue
        old = " ".join(name)
        if chance.random() < invented:
            exchange[old] = invented_name(name, known, text, chance)
            text = f"{text} {exchange[old]}"
            continue
        other = " ".join(chance.choice(pool))
        if other not in {*map(" ".join, said), *exchange, *exchange.values()}:
            exchange |= {old: other, other: old}
    planned = {w for span in one.spans for text in span.subgoal.arguments for w in _words(text)}
    for marks in (_LETTERS, _DIGITS):
        if planned & set(marks) and chance.random() < _SHARE:
            exchange |= dict(zip(marks, chance.sample(marks, len(marks)), strict=True))
    capitals = {old.upper(): new.upper() for old, new in exchange.items() if len(old) == 1}
    return {**exchange, **capitals}


def _swapped(
    one: AnnotatedTrajectory, exchange: Mapping[str, str], moved: Mapping[re.Pattern[str], int]
) -> AnnotatedTrajectory:
    if not (exchange or any(moved.values())):
        return one
    longest_first = sorted(exchange, key=lambda name: -len(name))
    known = re.compile(
        rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])"
    )

    def other(text: str) -> str:
        said = known.sub(lambda match: exchange[match[0]], text) if exchange else text
        for number, by in moved.items():
            if by:
                said = number.sub(lambda match, by=by: str(int(match[0]) + by), said)
        return said

    def step(old: Step) -> Step:
        texts = {"action", "observation", "look", "inventory"}
        return old.model_copy(update={name: other(getattr(old, name)) for name in texts})

    def span(old: SubgoalSpan) -> SubgoalSpan:
        arguments = tuple(other(text) for text in old.subgoal.arguments)
        goal = Subgoal(name=old.subgoal.name, arguments=arguments)
        return old.model_copy(update={"subgoal": goal})

    path = one.trajectory
    task = path.task.model_copy(update={"description": other(path.task.description)})
    new = path.model_copy(update={"task": task, "steps": tuple(step(old) for old in path.steps)})
    return one.model_copy(update={"trajectory": new, "spans": tuple(span(o) for o in one.spans)})
