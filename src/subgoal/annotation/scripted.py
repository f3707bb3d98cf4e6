"""The scripted teacher: a deterministic segmentation of any text world's paths, no model."""

from collections.abc import Sequence

from typing_extensions import override

from subgoal.annotation.action import WALK, ActionParts, take_apart
from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.annotation.teacher import Teacher
from subgoal.errors import AnnotationInvalid
from subgoal.trajectories.trajectory import Trajectory

_NAMES = {WALK: "navigate_to", "move": "place", "put": "place", "take": "pick_up"}
_LEADING = {"look around", "open", "look in"}
_WATCHING = {"wait", "wait1", "look at", "examine"}


class ScriptedTeacher(Teacher):
    """A walk is one sub-goal, named after where it ends; so is a run of one kind of action.

    What only prepares something (`look around`, opening a container) belongs to the sub-goal
    that follows.
    """

    name = "scripted"

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        if not trajectory.steps:
            raise AnnotationInvalid(f"{trajectory.task.key}: a path without steps has no sub-goals")
        parts = [take_apart(action) for action in trajectory.actions]
        spans: list[SubgoalSpan] = []
        first = 0
        for index, part in enumerate(parts):
            after = parts[index + 1] if index + 1 < len(parts) else None
            if after is None or (part.verb not in _LEADING and not _goes_on(part, after)):
                subgoal = _named(parts[first : index + 1])
                spans.append(SubgoalSpan(subgoal=subgoal, first=first + 1, last=index + 1))
                first = index + 1
        return AnnotatedTrajectory(trajectory=trajectory, spans=tuple(spans), teacher=self.name)


def _goes_on(part: ActionParts, after: ActionParts) -> bool:
    if part.verb == WALK:
        return after.verb == WALK
    if part.verb in _WATCHING:
        return after.verb in _WATCHING
    return part == after


def _named(parts: Sequence[ActionParts]) -> Subgoal:
    last = parts[-1]
    name = _NAMES.get(last.verb, last.verb.replace(" ", "_"))
    name = "".join(letter for letter in name if letter.isalnum() or letter == "_")
    if not name or name[0].isdigit():
        name = "answer"
    arguments = tuple(
        a.replace(",", " ").replace("(", " ").replace(")", " ") for a in last.arguments
    )
    return Subgoal(name=name, arguments=tuple(" ".join(a.split()) for a in arguments if a.strip()))
