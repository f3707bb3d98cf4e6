"""Hindsight: a path is walked with other ingredients, and named for what came of it.

What comes of mixing red and blue is knowledge that a student without pretraining can only have
seen. Where paths make something by mixing, they are replayed with the ingredients exchanged (all
the ingredients that paths of the type use), the world says what came out, and the path becomes one
of a task that asked for that (hindsight relabelling: Andrychowicz et al., 2017). What is seen comes
from the world; only the steps that end such a task with a focus are written, since this world waits
for another thing. Such paths teach, and are never played or counted as solved.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.augmentation.shortening import Replay
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import take_apart
from subgoal.trajectories.trajectory import Step

_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_PAIR = re.compile(r"([a-z]+) and ([a-z]+)")
_THREE = 3
"""So many ingredients are exchanged in all ways."""


def ingredients(annotated: Iterable[AnnotatedTrajectory]) -> dict[str, tuple[str, ...]]:
    """Return by task type the words that tell its ingredients apart (`blue`, `red`, `yellow`).

    They are what the world names (`Blue and yellow paint mix`) when the first two things of a path
    are mixed; types that mix many different things have none, since not each goes with each.
    """
    found: dict[str, set[str]] = {}
    for one in annotated:
        poured: set[str] = set()
        spoken = language(one.trajectory.task.environment)
        for step in one.trajectory.steps:
            verb = take_apart(step.action, spoken).verb
            if verb == spoken.pour:
                poured.update(_WORD.findall(step.action))
            elif verb == spoken.mix:
                named = _PAIR.search(step.observation.lower())
                if named is not None and poured.issuperset(named.groups()):
                    found.setdefault(one.trajectory.task.name, set()).update(named.groups())
                break
    return {name: tuple(sorted(words)) for name, words in found.items() if len(words) == _THREE}


def in_hindsight(
    one: AnnotatedTrajectory, words: Sequence[str], replay: Replay
) -> list[AnnotatedTrajectory]:
    """Return what a path becomes with other ingredients, one for each way to exchange them.

    Args:
        one: A solved path.
        words: The words that tell the ingredients apart.
        replay: Replays actions in the path's world.
    """
    made: list[AnnotatedTrajectory] = []
    seen: set[str] = {one.trajectory.task.description}
    for order in itertools.permutations(words):
        exchange = {old: new for old, new in zip(words, order, strict=True) if old != new}
        if exchange:
            other = _relabelled(one, exchange, replay)
            if other is not None and other.trajectory.task.description not in seen:
                seen.add(other.trajectory.task.description)
                made.append(other.model_copy(update={"variant": f"hindsight {len(made) + 1}"}))
    return made


def _relabelled(
    one: AnnotatedTrajectory, exchange: dict[str, str], replay: Replay
) -> AnnotatedTrajectory | None:
    """Walk a path with ingredients exchanged; None where it cannot be walked."""
    path, exchange = one.trajectory, dict(exchange)
    spoken = language(path.task.environment)
    verbs = [take_apart(step.action, spoken).verb for step in path.steps]
    walked = [i for i, verb in enumerate(verbs) if verb != spoken.focus]
    mixes = [i for i in walked if verbs[i] == spoken.mix]
    if not mixes or mixes[-1] + 1 >= len(path.steps):
        return None

    def walk(last: int) -> tuple[Step, ...]:
        actions = [_exchanged(path.steps[i].action, exchange) for i in walked if i <= last]
        return replay([*actions, spoken.looking]).steps

    for mix in mixes:
        steps = walk(mix)
        if not _learn(path.steps[mix + 1].look, steps[-1].observation, exchange):
            return None
    steps = walk(len(path.steps))[: len(walked)]
    if len(steps) < len(walked) or _refused(steps) > _refused(path.steps):
        return None
    texts = {"steps": _joined(path.steps, dict(zip(walked, steps, strict=True)), exchange)}
    task = path.task.model_copy(update={"description": _exchanged(path.task.description, exchange)})
    relabelled = path.model_copy(update={**texts, "task": task, "source": "hindsight"})
    spans = tuple(_span(span, exchange) for span in one.spans)
    return one.model_copy(update={"trajectory": relabelled, "spans": spans})


def _learn(old: str, new: str, exchange: dict[str, str]) -> bool:
    """Read off the room, as it was and as it is, what the product is called now."""
    before = Counter(_WORD.findall(_exchanged(old, exchange)))
    after = Counter(_WORD.findall(new))
    gone, come = before - after, after - before
    if len(gone) > 1 or gone.total() != come.total() or len(come) != len(gone):
        return False
    exchange.update(zip(gone, come, strict=True))
    return True


def _joined(
    old: Sequence[Step], walked: Mapping[int, Step], exchange: Mapping[str, str]
) -> tuple[Step, ...]:
    """Return the walked steps and, between them, those that were left out, as they would read."""
    steps: list[Step] = []
    for number, step in enumerate(old):
        if number in walked:
            steps.append(walked[number].model_copy(update={"score": step.score}))
            continue
        near = walked[min(walked, key=lambda other: (abs(other - number), -other))]
        texts = {name: _exchanged(getattr(step, name), exchange) for name in _TEXTS}
        steps.append(step.model_copy(update={**texts, "inventory": near.inventory}))
    return tuple(steps)


_TEXTS = ("action", "observation", "look")


def _refused(steps: Iterable[Step]) -> int:
    return sum(not step.accepted for step in steps)


def _span(span: SubgoalSpan, exchange: Mapping[str, str]) -> SubgoalSpan:
    arguments = tuple(_exchanged(text, exchange) for text in span.subgoal.arguments)
    goal = Subgoal(name=span.subgoal.name, arguments=arguments)
    return span.model_copy(update={"subgoal": goal})


def _exchanged(text: str, exchange: Mapping[str, str]) -> str:
    return _WORD.sub(lambda match: exchange.get(match[0], match[0]), text)
