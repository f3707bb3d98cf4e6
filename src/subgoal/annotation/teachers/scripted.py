"""The scripted teacher: a deterministic segmentation of any text world's paths, no model."""

import re
from collections.abc import Sequence

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.annotation.teachers.base import Teacher
from subgoal.annotation.teachers.words_from_paths import words_from_paths
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.errors import TeacherFailed
from subgoal.trajectories.action_grammar import SAY, WALK, Phrase, Unit, fold
from subgoal.trajectories.trajectory import Step, Trajectory

_WALKING = "navigate_to"
"""What a sub-goal that walks is called."""
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_NO_NAME = re.compile(r"[(),\s]+")


class ScriptedTeacher(Teacher):
    """A walk is one sub-goal, named after the place it reaches; any other action is one, too.

    What only prepares something (looking around, opening a container) belongs to the sub-goal
    that follows; watching and measuring is one sub-goal however often it is done. Which verbs do
    that, and how sub-goals are called after them, says the world's language; of a world that says
    nothing it is learned from its paths.
    """

    name = "scripted"

    def __init__(self) -> None:
        self._learned: dict[str, WorldLanguage] = {}

    @override
    def study(self, trajectories: Sequence[Trajectory]) -> None:
        for world in {path.task.environment for path in trajectories}:
            if not (language(world).actions or language(world).turns):
                mine = (path for path in trajectories if path.task.environment == world)
                self._learned[world] = words_from_paths(mine)

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        if not trajectory.steps:
            raise TeacherFailed(f"{trajectory.task.key}: a path without steps has no sub-goals")
        world = trajectory.task.environment
        spoken = self._learned.get(world) or language(world)
        units = [_arriving(unit, trajectory, spoken) for unit in fold(trajectory.actions, spoken)]
        spans: list[SubgoalSpan] = []
        first = 0
        for index, unit in enumerate(units):
            after = units[index + 1] if index + 1 < len(units) else None
            if after is None or not _goes_on(unit.phrase, after.phrase, spoken):
                spans.append(_span(units[first : index + 1], after, trajectory.steps, spoken))
                first = index + 1
        return AnnotatedTrajectory(trajectory=trajectory, spans=tuple(spans), teacher=self.name)


def _arriving(unit: Unit, trajectory: Trajectory, spoken: WorldLanguage) -> Unit:
    """Name a walk after the place that it reached, where the action tells a direction alone."""
    after = trajectory.steps[unit.last : unit.last + 1]
    if unit.phrase.verb != WALK or not spoken.room or not after:
        return unit
    found = re.search(spoken.room, after[0].look)
    if found is None or not trajectory.steps[unit.last - 1].entered:
        return unit
    return unit._replace(phrase=Phrase(WALK, (found[1].lower(),)))


def _goes_on(phrase: Phrase, after: Phrase, spoken: WorldLanguage) -> bool:
    if phrase.verb in spoken.leading:
        # A walk begins a sub-goal of its own; any other action was prepared.
        return after.verb != WALK
    return phrase.verb in spoken.watching and after.verb in spoken.watching


def _span(
    units: Sequence[Unit], after: Unit | None, steps: Sequence[Step], spoken: WorldLanguage
) -> SubgoalSpan:
    """Name a span after its last action."""
    phrase = units[-1].phrase
    named = spoken.subgoals.get(phrase.verb, _WALKING if phrase.verb == WALK else phrase.verb)
    name = _NO_LETTER.sub("_", named).strip("_")
    if not name or name[0].isdigit():
        name = "answer"
    said = spoken.turns and phrase.verb == SAY  # too long to be named after
    arguments = () if said else phrase.arguments or _at_hand(units[-1], steps, spoken)
    if not arguments and after and phrase.verb == WALK:  # it leads to what is done next
        arguments = after.phrase.arguments
    readable = (
        " ".join(_NO_NAME.split(argument.removesuffix(spoken.carried))).strip()
        for argument in arguments
    )
    return SubgoalSpan(
        subgoal=Subgoal(name=name, arguments=tuple(filter(None, readable))),
        first=units[0].first,
        last=units[-1].last,
    )


def _at_hand(unit: Unit, steps: Sequence[Step], spoken: WorldLanguage) -> tuple[str, ...]:
    """Return what an action without argument acts on: it is seen before it, or after it."""
    if not spoken.at_hand:
        return ()
    before = "" if unit.phrase.verb == WALK else steps[unit.last - 1].look
    after = steps[unit.last].look if unit.last < len(steps) else steps[-1].observation
    found = (re.search(spoken.at_hand, look) for look in (before, after))
    return next(((match[1],) for match in found if match), ())
