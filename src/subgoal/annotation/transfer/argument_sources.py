"""Where a sub-goal's arguments can come from: everything that a path says around its steps.

What an action names, what the world's answer names, the room that is reached, the sub-goals
before and after. Each such place has a key that means the same in another path, so that an
argument traced to its source in an annotated path can be read off the same source in a new one.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from subgoal.annotation.subgoal import Subgoal
from subgoal.environments.registry import language
from subgoal.trajectories.action_grammar import answered, short, take_apart
from subgoal.trajectories.trajectory import Trajectory

_ROOM = r"(?:\bin the |-= )([a-z ]+?)(?:[.,]| =-)"
"""How rooms are named in a world that does not say how."""
_WORDS = re.compile(r"[\w()\-]+|[^\w\s]")
_FEW = 4
_NEAR = 3


class Source(NamedTuple):
    """A place of a span where a name can stand."""

    kind: str
    """`action`, `answer`, `room`, `before` or `after` (a sub-goal before or after this one)."""
    name: str
    """The verb, `start` or `end` of a walk, or which sub-goal."""
    argument: int = 0
    """Which of its arguments, from 0."""
    which: int = 0
    """Which of the different names that stand there, from 0; -1 is the last."""
    form: int = 0
    """0 the whole name, 1 without where the thing is, 2 also without what it holds."""


class Path:
    """What a whole path offers.

    Attributes:
        words: The task description's words and punctuation, in lower case.
        phrases: Each step's action, taken apart.
        answers: What each step's answer says, taken apart, or None.
        rooms: The room before each step, and after the last; empty where not known.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self.words: list[str] = _WORDS.findall(trajectory.task.description.lower())
        spoken = language(trajectory.task.environment)
        self.phrases = [take_apart(step.action, spoken) for step in trajectory.steps]
        self.answers = [answered(step.observation, spoken) for step in trajectory.steps]
        self.rooms = [""]
        for step, phrase in zip(trajectory.steps, self.phrases, strict=True):
            seen = re.search(spoken.room or _ROOM, step.look, re.IGNORECASE)
            if seen:
                self.rooms[-1] = seen[1].lower()
            went = (
                phrase.verb in spoken.movement
                and phrase.arguments
                and (step.entered or not step.look)
            )
            self.rooms.append(phrase.arguments[0] if went else self.rooms[-1])


class Span:
    """Steps of a path that pursue one sub-goal, and the names that stand around them.

    Args:
        path: The path.
        first: First step, counted from 1.
        last: Last step, included.
        subgoal: The sub-goal; its arguments are empty where they are yet to be found.
    """

    def __init__(self, path: Path, first: int, last: int, subgoal: Subgoal) -> None:
        self.path = path
        self.subgoal = subgoal
        self.verbs = tuple(phrase.verb for phrase in path.phrases[first - 1 : last])
        self.lists: dict[Source, tuple[str, ...]] = {}
        self.names: dict[Source, str] = {
            Source("room", "start"): path.rooms[first - 1],
            Source("room", "end"): path.rooms[last],
        }
        named = [
            phrase.arguments[-1] for phrase in path.phrases[first - 1 : last] if phrase.arguments
        ]
        self.reached = short(named[-1]) if named else path.rooms[last]
        """What the last action that names anything names: where no better source is known."""
        self._gather(first, last)

    def _gather(self, first: int, last: int) -> None:
        found: dict[Source, list[str]] = {}
        for step in range(first - 1, last):
            phrase, answer = self.path.phrases[step], self.path.answers[step]
            for kind, said in (("action", phrase), ("answer", answer)):
                if said is None:
                    continue
                verb = phrase.verb if said.verb == phrase.verb else f"{phrase.verb}: {said.verb}"
                for index, argument in enumerate(said.arguments):
                    for form, name in enumerate(_forms(argument)):
                        here = found.setdefault(Source(kind, verb, index, form=form), [])
                        if name not in here:
                            here.append(name)
        for source, names in found.items():
            self.lists[source] = tuple(names)
            for which, name in enumerate(names[:_FEW]):
                self.names[source._replace(which=which)] = name
            self.names[source._replace(which=-1)] = names[-1]

    def see(self, before: Sequence[Subgoal], after: Sequence[Subgoal]) -> None:
        """Take in the sub-goals before and after this one, in order."""
        for source in [key for key in self.names if key.kind in {"before", "after"}]:
            del self.names[source]
        for kind, others in (("before", tuple(reversed(before))), ("after", tuple(after))):
            for distance, other in enumerate(others):
                keys = [other.name] + [f"{distance + 1} away"] * (distance < _NEAR)
                for key in keys:
                    if Source(kind, key) in self.names:
                        continue
                    for index, argument in enumerate(other.arguments):
                        self.names.setdefault(Source(kind, key, index), argument)


def _forms(name: str) -> tuple[str, str, str]:
    """Return a thing's name: whole, without its place, without what it holds either."""
    return name, name.rpartition(" in ")[0] or name, short(name)
