"""Reading a prompt, and answering it: what the rehearsal teacher knows of paths.

It annotates a path that it is shown; and it plays one that it knows, action for action or sub-goal
for sub-goal, where an agent asks it for its next turn.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.annotation.teachers.llm.prompt import Messages
from subgoal.annotation.teachers.scripted import ScriptedTeacher
from subgoal.environments.base import StopReason, Task
from subgoal.environments.registry import language
from subgoal.trajectories.trajectory import Step, Trajectory

_TASK = re.compile(r"^Task: (.*)$", re.MULTILINE)
_STEP = re.compile(r"^(\d+)(?:-(\d+))? (.+?)(?: \(x\d+\))?(?: => .*)? \[-?\d+\]$", re.MULTILINE)
_PART = re.compile(r"^Steps? (\d+)(?: to (\d+))? have no sub-goal yet", re.MULTILINE)
_TURN = re.compile(r"^(Action|Sub-goal): *(.*)$", re.MULTILINE)


class KnownTurn(NamedTuple):
    """What an agent's prompt asks for."""

    description: str
    """The task's description."""
    opening: str
    """The message that it stands in, with the room at the beginning."""
    label: str
    """`Action` or `Sub-goal`."""
    before: tuple[str, ...]
    """What was written in earlier turns."""

    @classmethod
    def read(cls, messages: Messages) -> "KnownTurn | None":
        """Read a prompt of ours; None where it is no agent's."""
        label = _TURN.search(messages[0]["content"])
        opening = messages[min(1, len(messages) - 1)]["content"]
        task = _TASK.search(opening)
        if label is None or task is None:
            return None
        turns = [one["content"] for one in messages if one["role"] == "assistant"]
        written = [_TURN.findall(turn) for turn in turns]
        return cls(task[1], opening, label[1], tuple(lines[-1][1] for lines in written if lines))


class KnownQuestion(NamedTuple):
    """What a prompt asks about."""

    description: str
    """The task's description."""
    first: int
    """Number of the first step that is shown."""
    actions: tuple[str, ...]
    """The actions that are shown."""
    part: tuple[int, int]
    """First and last step that sub-goals are asked for."""

    @classmethod
    def read(cls, messages: Messages) -> "KnownQuestion | None":
        """Read a prompt of ours; None where it shows no path."""
        shown = [one["content"] for one in messages if _STEP.search(one["content"])]
        if not shown:
            return None
        text = shown[-1]
        actions: list[str] = []
        for first, last, action in _STEP.findall(text):
            actions += [action] * (int(last or first) - int(first) + 1)
        start = int(_STEP.findall(text)[0][0])
        part, task = _PART.search(text), _TASK.search(text)
        asked = (int(part[1]), int(part[2] or part[1])) if part else (1, len(actions))
        return cls(task[1] if task else "", start, tuple(actions), asked)


class KnownAnswers:
    """Answers prompts from annotations where it has the path, else by the scripted teacher.

    Args:
        annotations: Annotated paths.
        environment: The world whose paths are asked about, for the scripted teacher.
    """

    def __init__(self, annotations: Iterable[AnnotatedTrajectory], environment: str) -> None:
        self._environment = environment
        self._known: dict[str, list[AnnotatedTrajectory]] = {}
        for one in annotations:
            description = " ".join(one.trajectory.task.description.split())
            self._known.setdefault(description, []).append(one)

    def spans(self, asked: KnownQuestion) -> list[SubgoalSpan]:
        """Return the spans of the part that is asked about."""
        first, last = asked.part
        return [
            span.model_copy(update={"first": max(span.first, first), "last": min(span.last, last)})
            for span in self._whole(asked)
            if span.first <= last and span.last >= first
        ]

    def turn(self, asked: KnownTurn) -> str:
        """Return the next turn along the first known path of a task."""
        known = self._known.get(" ".join(asked.description.split()), [])
        here = (one for one in known if one.trajectory.steps[0].look.strip() in asked.opening)
        found = next(here, None)
        path: tuple[str, ...] = ()
        if found is not None:
            goals = tuple(str(span.subgoal) for span in found.spans)
            path = found.trajectory.actions if asked.label == "Action" else goals
        done = 0
        for text in asked.before:  # what was no step of the path did not lead away from it
            done += done < len(path) and text == path[done]
        text = path[done] if done < len(path) else language(self._environment).looking
        return f"Thought: I know {done} of {len(path)} steps.\n{asked.label}: {text}"

    def _whole(self, asked: KnownQuestion) -> list[SubgoalSpan]:
        start = asked.first - 1
        for one in self._known.get(" ".join(asked.description.split()), ()):
            if one.trajectory.actions[start : start + len(asked.actions)] == asked.actions:
                return list(one.spans)
        annotated = ScriptedTeacher().annotate(_path(asked, self._environment))
        return [
            span.model_copy(update={"first": span.first + start, "last": span.last + start})
            for span in annotated.spans
        ]


def _path(asked: KnownQuestion, environment: str) -> Trajectory:
    task = Task(
        environment=environment,
        name="",
        variation=0,
        split="train",
        description=asked.description,
    )
    steps = tuple(
        Step(action=action, observation="", score=0, moves=0, look="", inventory="")
        for action in asked.actions
    )
    return Trajectory(
        task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source="file"
    )
