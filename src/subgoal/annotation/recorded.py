"""The recorded teacher: real LLM annotations that ship with the package."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.annotation.teacher import Teacher
from subgoal.errors import AnnotationInvalid, TeacherFailed
from subgoal.trajectories.trajectory import Trajectory


@cache
def _rows(environment: str) -> Mapping[tuple[str, int], dict[str, Any]]:
    place = resources.files("subgoal.annotation") / "recorded" / f"{environment}.jsonl"
    if not place.is_file():
        return {}
    rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    return {(row["task"], row["variation"]): row for row in rows}


def recorded_actions(environment: str) -> dict[tuple[str, int], tuple[str, tuple[str, ...]]]:
    """Return (`recorded`, actions) of every annotated path, by task type and variation."""
    return {key: ("recorded", tuple(row["actions"])) for key, row in _rows(environment).items()}


class RecordedTeacher(Teacher):
    """Looks a path up among the recorded annotations of its world."""

    name = "recorded"

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        task = trajectory.task
        row = _rows(task.environment).get((task.name, task.variation))
        if row is None:
            raise TeacherFailed(f"no recorded annotation of {task.key}")
        self._check(trajectory, row["actions"])
        spans = tuple(
            SubgoalSpan(subgoal=Subgoal.parse(one["subgoal"]), first=one["first"], last=one["last"])
            for one in row["subgoals"]
        )
        return AnnotatedTrajectory(
            trajectory=trajectory, spans=spans, teacher=self.name, prompt_digest=prompt_digest()
        )

    @staticmethod
    def _check(trajectory: Trajectory, actions: list[str]) -> None:
        """The annotation is of these very actions, or it is not used."""
        pairs = enumerate(zip(trajectory.actions, actions, strict=False), start=1)
        for number, (here, there) in pairs:
            if here != there:
                raise AnnotationInvalid(
                    f"{trajectory.task.key}: step {number} is '{here}' but the recorded "
                    f"annotation has '{there}'"
                )
        if len(trajectory.actions) != len(actions):
            raise AnnotationInvalid(
                f"{trajectory.task.key}: the path has {len(trajectory.actions)} steps, the "
                f"recorded annotation {len(actions)}"
            )


@cache
def prompt_digest() -> str:
    """Return the digest of the prompt under which the recorded annotations were made."""
    prompt = resources.files("subgoal.annotation") / "prompts" / "subgoals.md"
    return hashlib.sha256(prompt.read_bytes()).hexdigest()[:16]
