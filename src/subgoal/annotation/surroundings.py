"""What the paths of a world tell about it: its places, and how one goes there."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import take_apart


class WorldFacts(NamedTuple):
    """What the paths of a world tell about it."""

    places: tuple[str, ...]
    """Places that one can teleport to."""
    going: str
    """Name of the sub-goal that goes to a place; empty: there is none."""
    words: tuple[str, ...]
    """Words of actions."""
    language: WorldLanguage
    """The world's own words."""


def surroundings(annotated: Iterable[AnnotatedTrajectory]) -> WorldFacts:
    """Learn from paths which places there are and how a sub-goal that goes to one is called."""
    places: set[str] = set()
    words: set[str] = set()
    going: Counter[str] = Counter()
    spoken = NO_WORDS
    for one in annotated:
        spoken = language(one.trajectory.task.environment)
        for span in one.spans:
            steps = one.trajectory.steps[span.first - 1 : span.last]
            for step in steps:
                phrase = take_apart(step.action, spoken)
                words.update(word for word in step.action.split() if word.isalpha())
                if step.entered and phrase.verb in spoken.movement and phrase.arguments:
                    places.add(phrase.arguments[0])
            last = take_apart(steps[-1].action, spoken)
            if last.verb in spoken.movement and span.subgoal.arguments == last.arguments:
                going[span.subgoal.name] += 1
    name = going.most_common(1)[0][0] if going else ""
    return WorldFacts(tuple(sorted(places)), name, tuple(sorted(words)), spoken)
