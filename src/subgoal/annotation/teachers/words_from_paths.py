"""The words of a world that names none, learned from its paths.

Which verbs walk, which only prepare what follows, and whether a walk's argument is a place or a
direction: what the scripted teacher needs.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from subgoal.environments.language import NO_WORDS, WorldLanguage
from subgoal.trajectories.action_grammar import Phrase, take_apart
from subgoal.trajectories.trajectory import Trajectory

_SENTENCE = re.compile(r"[.;\n]")
_MOST_BEGINNINGS = 1.5
"""Of what is seen after a walk, for each of its arguments, where those are places."""


def words_from_paths(paths: Iterable[Trajectory]) -> WorldLanguage:
    """Learn the words of a world from what its actions did.

    A verb that is used more than others and mostly changes what is seen, but neither what is
    carried nor the score, walks; its arguments are places if each always leads to the same view,
    else directions. A verb that mostly changes nothing prepares what follows.

    Args:
        paths: Paths of one world.
    """
    uses, saw, did = Counter[str](), Counter[str](), Counter[str]()
    phrases: Counter[tuple[str, Phrase]] = Counter()
    views: dict[str, set[tuple[tuple[str, ...], str]]] = defaultdict(set)
    for path in paths:
        taken = [(step.action, take_apart(step.action, NO_WORDS)) for step in path.steps]
        phrases.update(taken)
        score = 0
        for (_, (verb, arguments)), (step, after) in zip(taken, pairwise(path.steps), strict=False):
            uses[verb] += 1
            if (step.score, after.inventory) != (score, step.inventory):
                did[verb] += 1
            elif step.entered or step.look != after.look:
                saw[verb] += 1
            views[verb].add((arguments, _SENTENCE.split(after.look, maxsplit=1)[0]))
            score = step.score
    often = uses.total() / max(1, len(uses))
    walking = {verb for verb in uses if uses[verb] > often and saw[verb] > uses[verb] / 2}
    aimless = {
        verb
        for verb in walking
        if len(views[verb]) > _MOST_BEGINNINGS * len({arguments for arguments, _ in views[verb]})
    }
    built = Counter[str]()
    for (action, phrase), count in phrases.items():
        built[" ".join(action.split()) if phrase.verb in aimless else _built(action, phrase)] += (
            count
        )
    movement = [
        one.partition(" {")[0] for one in built if take_apart(one, NO_WORDS).verb in walking
    ]
    leading = [verb for verb in uses if did[verb] + saw[verb] < uses[verb] / 2]
    return WorldLanguage(
        actions=tuple(one for one, _ in built.most_common()),
        movement=tuple(dict.fromkeys(movement)),
        leading=tuple(leading) if did or saw else (),
    )


def _built(action: str, phrase: Phrase) -> str:
    """Return how an action is built, such as `pour {} into {}`."""
    text = " ".join(action.lower().split())
    for argument in phrase.arguments:
        head, _, tail = text.rpartition(argument)
        text = f"{head}{{}}{tail}"
    return text
