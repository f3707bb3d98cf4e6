"""What is asked about one path until it is annotated: the path, then what is left of it.

A conversation knows nothing of how its questions travel: one by one over a socket, or many in a
batch. A reply that leaves a few segments without a sub-goal is kept, and only those are asked
again; one that is of little use is answered with what is wrong with it. After `rounds` rounds what
is still open is a failure with its reason. A reply that reached its most tokens before an answer
began ends the conversation: asked again, it would cost the same and end the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from subgoal.annotation.replies.read import read_partly
from subgoal.annotation.replies.repair import Reading
from subgoal.annotation.replies.thought import without_thought
from subgoal.annotation.subgoal import AnnotatedTrajectory, SubgoalSpan
from subgoal.annotation.teachers.llm.prompt import Messages, Prompt
from subgoal.errors import AnnotationInvalid
from subgoal.trajectories.trajectory import Trajectory

_MOST_SEGMENTS = 3
_LEAST_COVERED = 0.5
_AT_THE_LIMIT = {"length", "max_tokens", "max_output_tokens"}
_SILENCED = (
    "the reply reached its most tokens before an answer began; raise max_tokens in "
    "annotate.openai.parameters (or the server's own limit), or let the model think less"
)
_TAKEN_UP = (
    "This is attempt {count}: earlier replies could not be used. Check that the pairs are in order "
    "and that the last one ends at {last}."
)


@dataclass(frozen=True)
class Question:
    """One request about a part of a path."""

    segment: tuple[int, int]
    """First and last step that the reply should cover, both included."""
    messages: Messages
    """What is sent."""


class Conversation:
    """Asks a teacher about one path.

    Args:
        trajectory: The path; it has steps.
        prompt: What the teacher reads.
        again: How often the path was taken up after a failure. The questions say so: the same
            ones would get the same replies.

    Attributes:
        rounds: How many more times the path, or what is left of it, may be asked about.
    """

    rounds = 3

    def __init__(self, trajectory: Trajectory, prompt: Prompt, again: int = 0) -> None:
        self.trajectory = trajectory
        self._prompt = prompt
        self._again = again
        self._spans: tuple[SubgoalSpan, ...] = ()
        self._reason = "the path has no steps"
        whole = (1, len(trajectory.steps))
        self._open = [self._question(whole, prompt.ask(trajectory))] if trajectory.steps else []
        self._replies: dict[tuple[int, int], str] = {}
        self._silenced = False

    @property
    def questions(self) -> Sequence[Question]:
        """What to ask next; empty when the conversation is over."""
        return [one for one in self._open if one.segment not in self._replies]

    def answer(self, question: Question, reply: str, finish: str = "") -> None:
        """Take the reply to one of `questions`.

        Args:
            question: What was asked.
            reply: What the teacher wrote.
            finish: Why it stopped, such as `stop` or `length`.
        """
        answer = without_thought(reply)
        self._replies[question.segment] = answer
        self._silenced |= finish in _AT_THE_LIMIT and not answer.strip()
        if not self.questions:
            self._end_round()

    def annotation(self, teacher: str) -> AnnotatedTrajectory:
        """Return the annotation.

        Raises:
            AnnotationInvalid: The rounds were not enough; with the reason and what is left.
        """
        length = len(self.trajectory.steps)
        left = _left_open(self._spans, length)
        if left or not length:
            raise AnnotationInvalid(f"{self.trajectory.key}: {self._reason}", left)
        return AnnotatedTrajectory(
            trajectory=self.trajectory,
            spans=self._spans,
            teacher=teacher,
            prompt_digest=self._prompt.digest(self.trajectory),
        )

    def _end_round(self) -> None:
        asked, replies = self._open, self._replies
        self._open, self._replies = [], {}
        self.rounds = 0 if self._silenced else self.rounds - 1
        unread: dict[tuple[int, int], Question] = {}
        for question in asked:
            reading = self._read(question, replies[question.segment])
            if self._useful(question, reading):
                self._take(question, reading)
            else:
                self._reason = reading.reason
                again = self._prompt.complain(
                    question.messages, replies[question.segment], reading.reason
                )
                unread[question.segment] = Question(question.segment, again)
        if self._silenced:
            self._reason = _SILENCED
        if self.rounds > 0:
            left = _left_open(self._spans, len(self.trajectory.steps))
            self._open = [unread.get(one) or self._ask_segment(one) for one in left]

    def _read(self, question: Question, reply: str) -> Reading:
        first, last = question.segment
        actions = self.trajectory.actions[first - 1 : last]
        return read_partly(reply, actions, first)

    def _useful(self, question: Question, reading: Reading) -> bool:
        """Tell whether to ask about what is left only, not about all of it once more."""
        first, last = question.segment
        enough = reading.covered >= _LEAST_COVERED * (last - first + 1)
        last_chance = self.rounds <= 0 and bool(reading.spans)
        return (enough and len(reading.segments) <= _MOST_SEGMENTS) or last_chance

    def _take(self, question: Question, reading: Reading) -> None:
        if reading.segments:
            self._reason = reading.reason
        spans = sorted((*self._spans, *reading.spans), key=lambda span: span.first)
        self._spans = tuple(_joined(spans, question.segment))

    def _ask_segment(self, segment: tuple[int, int]) -> Question:
        messages = self._prompt.ask_segment(self.trajectory, self._spans, segment)
        return self._question(segment, messages)

    def _question(self, segment: tuple[int, int], messages: Messages) -> Question:
        if not self._again:
            return Question(segment, messages)
        *before, last = messages
        note = _TAKEN_UP.format(count=self._again + 1, last=segment[1])
        return Question(segment, [*before, {**last, "content": f"{last['content']}\n{note}"}])


def _left_open(spans: Sequence[SubgoalSpan], length: int) -> list[tuple[int, int]]:
    starts = [1, *(span.last + 1 for span in spans)]
    stops = [*(span.first - 1 for span in spans), length]
    return [(start, stop) for start, stop in zip(starts, stops, strict=True) if start <= stop]


def _joined(spans: Sequence[SubgoalSpan], segment: tuple[int, int]) -> list[SubgoalSpan]:
    """Make one of two spans of one sub-goal that meet at an end of a segment."""
    joined: list[SubgoalSpan] = []
    for span in spans:
        before = joined[-1] if joined else None
        meet = span.first in (segment[0], segment[1] + 1)
        if before and meet and before.last + 1 == span.first and before.subgoal == span.subgoal:
            repaired = before.repaired or span.repaired
            joined[-1] = before.model_copy(update={"last": span.last, "repaired": repaired})
        else:
            joined.append(span)
    return joined
