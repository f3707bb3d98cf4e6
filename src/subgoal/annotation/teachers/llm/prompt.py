"""What a language model reads when it annotates a path: prompt file, path, examples.

A prompt file has a `System message:` part, which is sent as it stands, and a `User message` part,
which shows its writer what follows. Steps are numbered and repeated actions folded, so that a watch
of hundred steps is one line; the reply is a list of pairs, so that it does not grow with the path.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path

from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.errors import ConfigInvalid
from subgoal.plain_text import read_text
from subgoal.trajectories.trajectory import Step, Trajectory

Messages = list[dict[str, str]]
"""Chat messages, each with `role` and `content`."""

PROMPTS = resources.files("subgoal.annotation.teachers.llm") / "prompts"
"""The package's prompt files."""
_SYSTEM, _USER = "System message:", "User message"
_AROUND = 8
_SHOWN_REPLY = 2000


def render_steps(
    steps: Sequence[Step], first: int = 1, last: int | None = None, answer: int = 120
) -> str:
    """Write steps as `11-24 look at inclined plane h (x14) => the answer [score]`, one a line.

    Args:
        steps: All steps of a path.
        first: First step to show, counted from 1.
        last: Last step to show; None is the path's end.
        answer: Characters of an answer that are shown; 0 leaves answers out.
    """
    lines: list[str] = []
    numbered = list(enumerate(steps, start=1))[first - 1 : last]
    for action, run in groupby(numbered, key=lambda one: one[1].action):
        shown = list(run)
        (start, _), (stop, step) = shown[0], shown[-1]
        many = f"{start}-{stop} {action} (x{len(shown)})" if stop > start else f"{start} {action}"
        said = shortened(step.observation, answer)
        lines.append(f"{many}{f' => {said}' if said else ''} [{step.score}]")
    return "\n".join(lines)


def render_task(
    trajectory: Trajectory, first: int = 1, last: int | None = None, *, answer: int
) -> str:
    """Write the user message about a path, or a part of it."""
    path = render_steps(trajectory.steps, first, last, answer)
    header = "Path (step: action => answer [score]):"
    task = " ".join(trajectory.task.description.split())
    return f"Task: {task}\n{header}\n{path}"


def render_pairs(spans: Sequence[SubgoalSpan]) -> str:
    """Write spans in the form in which the teacher should: pairs of a sub-goal and a last step."""
    return json.dumps([[str(span.subgoal), span.last] for span in spans], ensure_ascii=False)


class Prompt:
    """A prompt file with examples.

    Args:
        file: The prompt file; None is the package's own.
        examples: Annotated paths to choose from; the shortest of the path's type are shown.
        shown: How many of them.
        answer: Characters shown of each of the world's answers.

    Raises:
        ConfigInvalid: The file is missing or has no system message.
    """

    def __init__(
        self,
        file: Path | None = None,
        examples: Sequence[AnnotatedTrajectory] = (),
        shown: int = 0,
        answer: int = 120,
    ) -> None:
        self._examples = _by_type(examples) if shown else {}
        self._count = shown
        self._answer = answer
        text = read_text(file, ConfigInvalid) if file else read_text(PROMPTS / "subgoals.md")
        self._file_digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.system = system_message(text)
        if not self.system:
            raise ConfigInvalid(f"{file}: a prompt file needs a part '{_SYSTEM}'")

    def digest(self, trajectory: Trajectory) -> str:
        """Return the digest of all that the teacher reads beside the path itself."""
        shown = self._turns(trajectory)
        if not shown:
            return self._file_digest
        return hashlib.sha256((self._file_digest + json.dumps(shown)).encode()).hexdigest()[:16]

    def ask(self, trajectory: Trajectory) -> Messages:
        """Ask for the sub-goals of a whole path."""
        return [
            {"role": "system", "content": self.system},
            *self._turns(trajectory),
            {"role": "user", "content": render_task(trajectory, answer=self._answer)},
        ]

    @staticmethod
    def complain(asked: Messages, answer: str, reason: str) -> Messages:
        """Ask the same once more, after a reply that could not be used.

        Args:
            asked: What was sent.
            answer: The reply without thought; where it is empty, no turn of it is sent back, as
                endpoints refuse empty turns.
            reason: What is wrong with it.
        """
        if not answer.strip():
            *before, last = asked
            empty = "The last reply to this was empty. Reply with the JSON list."
            return [*before, {**last, "content": f"{last['content']}\n{empty}"}]
        complaint = f"This reply cannot be used: {reason}. Reply again, with the JSON list only."
        return [
            *asked,
            {"role": "assistant", "content": answer[:_SHOWN_REPLY]},
            {"role": "user", "content": complaint},
        ]

    def ask_segment(
        self, trajectory: Trajectory, spans: Sequence[SubgoalSpan], segment: tuple[int, int]
    ) -> Messages:
        """Ask for a part of a path whose other sub-goals are known.

        Args:
            trajectory: The path.
            spans: The sub-goals that are known.
            segment: First and last step of the part, both included.
        """
        first, last = segment
        shown = render_task(
            trajectory, max(1, first - _AROUND), last + _AROUND, answer=self._answer
        )
        before = render_pairs([span for span in spans if span.last < first])
        after = render_pairs([span for span in spans if span.first > last])
        steps = f"Steps {first} to {last}" if last > first else f"Step {first}"
        question = (
            f"{shown}\nSub-goals before: {before}\nSub-goals after: {after}\n{steps} have no "
            f"sub-goal yet. Reply with the list of pairs for {steps.lower()} only; the last pair "
            f"ends at {last}. Where a sub-goal before goes on, repeat it."
        )
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": question},
        ]

    def _turns(self, trajectory: Trajectory) -> Messages:
        key = trajectory.task.key
        chosen = [
            one
            for one in self._examples.get(trajectory.task.name, ())
            if one.trajectory.task.key != key  # a path is never shown its own annotation
        ]
        return [
            message
            for one in chosen[: self._count]
            for message in (
                {"role": "user", "content": render_task(one.trajectory, answer=self._answer)},
                {"role": "assistant", "content": render_pairs(one.spans)},
            )
        ]


def _by_type(annotated: Sequence[AnnotatedTrajectory]) -> dict[str, list[AnnotatedTrajectory]]:
    by_type: dict[str, list[AnnotatedTrajectory]] = {}
    ranked = sorted(annotated, key=lambda one: one.trajectory.task.key)
    for one in sorted(ranked, key=lambda one: len(one.trajectory.steps)):
        by_type.setdefault(one.trajectory.task.name, []).append(one)
    return by_type


def system_message(text: str) -> str:
    """Return the system message of a prompt file's text."""
    return text.partition(_SYSTEM)[2].partition(_USER)[0].strip()


def shortened(text: str, length: int) -> str:
    """Return a text on one line, cut to a length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: max(length - 3, 0)] + "..." * (length > 0)
