"""The recorded teacher: real LLM annotations that ship with the package."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from pydantic_core import from_json
from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.annotation.teachers.base import Teacher
from subgoal.environments.base import StopReason, Task
from subgoal.errors import AnnotationInvalid, ConfigInvalid, TeacherFailed
from subgoal.plain_text import numbered_lines
from subgoal.trajectories.trajectory import Step, Trajectory

_Row = Mapping[str, Any]


@cache
def _all_rows(environment: str) -> tuple[_Row, ...]:
    name = f"{environment.replace(':', '-')}.jsonl"
    place = resources.files("subgoal.annotation.teachers") / "recorded" / name
    if not place.is_file():
        return ()
    with place.open("rb") as file:
        return tuple(from_json(line) for _, line in numbered_lines(file))


@cache
def _rows(environment: str) -> Mapping[tuple[str, int], _Row]:
    rows = _all_rows(environment)
    return {(row["task"], row["variation"]): row for row in rows if "task" in row}


@cache
def _conversations(environment: str) -> Mapping[str, _Row]:
    """Return the rows of a log by the conversation's id."""
    return {row["id"]: row for row in _all_rows(environment) if "id" in row}


def actions_digest(actions: Iterable[str]) -> str:
    """Return what tells whether a conversation is the one that was annotated.

    Args:
        actions: The agent's turns as text.
    """
    return hashlib.sha256("\0".join(actions).encode()).hexdigest()[:16]


def recorded_actions(environment: str) -> dict[tuple[str, int], tuple[str, tuple[str, ...]]]:
    """Return (`recorded`, actions) of every annotated path, by task type and variation."""
    return {key: ("recorded", tuple(row["actions"])) for key, row in _rows(environment).items()}


def recorded_annotations(environment: str) -> list[AnnotatedTrajectory]:
    """Return the recorded annotations of a world, their paths without observations."""
    return [_annotated(environment, row) for row in _rows(environment).values()]


def _annotated(environment: str, row: _Row) -> AnnotatedTrajectory:
    task = Task(
        environment=environment,
        name=row["task"],
        variation=row["variation"],
        split=row["split"],
        simplifications=row["simplifications"],
        description=row["description"],
    )
    steps = tuple(
        Step(action=action, observation="", score=score, moves=number, look="", inventory="")
        for number, (action, score) in enumerate(
            zip(row["actions"], row["scores"], strict=True), start=1
        )
    )
    path = Trajectory(
        task=task,
        steps=steps,
        stop_reason=StopReason.SOLVED,
        final_score=row["scores"][-1],
        source="recorded",
    )
    return AnnotatedTrajectory(
        trajectory=path,
        spans=_spans(row, len(steps)),
        teacher="recorded",
        prompt_digest=prompt_digest(),
    )


def _spans(row: _Row, steps: int) -> tuple[SubgoalSpan, ...]:
    """Return the sub-goals of a path's first steps."""
    return tuple(
        SubgoalSpan(
            subgoal=Subgoal.parse(one["subgoal"]),
            first=one["first"],
            last=min(one["last"], steps),
        )
        for one in row["subgoals"]
        if one["first"] <= steps
    )


def check_recorded(environments: Iterable[str]) -> None:
    """Refuse worlds and logs of which nothing is recorded, so that no path could be annotated.

    Args:
        environments: Their names.

    Raises:
        ConfigInvalid: There is such a one.
    """
    for one in environments:
        if not _all_rows(one):
            raise ConfigInvalid(
                f"annotate.teacher is 'recorded', and no annotations of '{one}' come with the "
                "package; choose --annotate.teacher scripted (rules, without an LLM), openai (an "
                "LLM), or world (its own planner, where it has one)"
            )


class RecordedTeacher(Teacher):
    """Looks a path up among the recorded annotations of its world; a conversation by its id."""

    name = "recorded"

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        task = trajectory.task
        said = _conversations(task.environment).get(trajectory.variant)
        row = said or _rows(task.environment).get((task.name, task.variation))
        if row is None:
            raise TeacherFailed(f"no recorded annotation of {trajectory.key}")
        if said is None:
            self._check(trajectory, row["actions"])
        elif said["digest"] != actions_digest(trajectory.actions):
            raise AnnotationInvalid(
                f"{trajectory.key}: its turns differ from those that were annotated"
            )
        return AnnotatedTrajectory(
            trajectory=trajectory,
            spans=_spans(row, len(trajectory.steps)),
            teacher=self.name,
            prompt_digest=prompt_digest(),
        )

    @staticmethod
    def _check(trajectory: Trajectory, actions: list[str]) -> None:
        """The annotation is of these very actions, or it is not used.

        A path that solves its task may stop short: a simplified world can be solved in fewer steps.
        """
        pairs = enumerate(zip(trajectory.actions, actions, strict=False), start=1)
        for number, (here, there) in pairs:
            if here != there:
                raise AnnotationInvalid(
                    f"{trajectory.task.key}: step {number} is '{here}' but the recorded "
                    f"annotation has '{there}'"
                )
        whole = len(trajectory.actions) == len(actions)
        solved = trajectory.stop_reason is StopReason.SOLVED
        if not whole and not (solved and len(trajectory.actions) < len(actions)):
            raise AnnotationInvalid(
                f"{trajectory.task.key}: the path has {len(trajectory.actions)} steps, the "
                f"recorded annotation {len(actions)}"
            )


@cache
def prompt_digest() -> str:
    """Return the digest of the prompt under which the recorded annotations were made."""
    prompt = resources.files("subgoal.annotation.teachers.llm") / "prompts" / "subgoals.md"
    return hashlib.sha256(prompt.read_bytes()).hexdigest()[:16]
