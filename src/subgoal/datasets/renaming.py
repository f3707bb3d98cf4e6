"""Renamed copies of trajectories, so that a student learns to copy names instead of knowing them.

The variations that an agent is tested on name things that training never saw. In a renamed copy,
names of the task have changed, everywhere in the trajectory: in what was seen, done and planned.
The path stays right, only its words are others (`the orange box` becomes `the sofa box`), so the
only way to act is to read them. A name changes places with another name of the corpus, or becomes
an invented word, which is spelled as no known one is; a number or a letter that is part of a name
(`flower pot 7`, `inclined plane C`) becomes another.
"""

import random
import re
import string
from collections.abc import Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.trajectories.trajectory import Step

_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_SHORTEST = 3
_SHARE = 0.7
"""Share of a task's names that a copy renames; the others keep what they mean."""
_INVENTED = 0.5
"""Share of those that become invented words."""
_LETTERS = sorted(set(string.ascii_lowercase) - set("aist"))
"""Without those that are words, or ends of words (`it's`)."""
_DIGITS = sorted(string.digits[1:])


def names(annotated: Sequence[AnnotatedTrajectory]) -> frozenset[str]:
    """Return the words that may change places.

    They are words of sub-goals' arguments. Words that every task of some type says are left out
    (they say what kind of task it is), and so are names of places: the way to them is knowledge.
    """
    spoken: dict[str, list[frozenset[str]]] = {}
    places: set[str] = set()
    found: set[str] = set()
    for one in annotated:
        task, steps = one.trajectory.task, one.trajectory.steps
        spoken.setdefault(task.name, []).append(_words(task.description))
        places.update(word for step in steps if step.entered for word in _words(step.action))
        for span in one.spans:
            found.update(word for text in span.subgoal.arguments for word in _words(text))
    fixed = {word for said in spoken.values() for word in said[0].intersection(*said)}
    free = found - places - fixed
    return frozenset(word for word in free if word.isalpha() and len(word) >= _SHORTEST)


def renamed(annotated: Sequence[AnnotatedTrajectory], copy: int) -> list[AnnotatedTrajectory]:
    """Return a renamed copy of trajectories.

    Args:
        annotated: Annotated trajectories.
        copy: Which copy, from 1; another number gives other names. Copy 0 is the original.
    """
    if copy == 0:
        return list(annotated)
    pool = names(annotated)
    copies: list[AnnotatedTrajectory] = []
    for one in annotated:
        chance = random.Random(f"{copy}/{one.trajectory.task.key}")
        copies.append(_swapped(one, _exchange(one, pool, chance)))
    return copies


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def _exchange(
    one: AnnotatedTrajectory, pool: frozenset[str], chance: random.Random
) -> dict[str, str]:
    """Choose what each renamed word becomes; no two become the same."""
    said = sorted(_words(one.trajectory.task.description) & pool)
    mine = [word for word in said if chance.random() < _SHARE]
    others = chance.sample(sorted(pool - set(said)), min(len(mine), len(pool) - len(said)))
    exchange: dict[str, str] = {}
    for word, other in zip(mine, others, strict=False):
        if chance.random() < _INVENTED:
            exchange[word] = _invented(word, other, pool, chance)
        else:
            exchange |= {word: other, other: word}
    planned = {w for span in one.spans for text in span.subgoal.arguments for w in _words(text)}
    for marks in (_LETTERS, _DIGITS):
        if planned & set(marks) and chance.random() < _SHARE:
            exchange |= dict(zip(marks, chance.sample(marks, len(marks)), strict=True))
    capitals = {old.upper(): new.upper() for old, new in exchange.items() if len(old) == 1}
    return {**exchange, **capitals}


def _invented(word: str, other: str, pool: frozenset[str], chance: random.Random) -> str:
    """Invent a word: pieces of known ones, which sound like the language, in another order."""
    pieces = [
        text[at : at + 3] for text in (*chance.sample(sorted(pool), 3), other) for at in (0, 3)
    ]
    made = "".join(chance.sample([piece for piece in pieces if piece], chance.randint(2, 3)))
    return made if made not in pool else f"{made}{word[:2]}"


def _swapped(one: AnnotatedTrajectory, exchange: dict[str, str]) -> AnnotatedTrajectory:
    if not exchange:
        return one

    def other(text: str) -> str:
        return _WORD.sub(lambda match: exchange.get(match[0], match[0]), text)

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
