"""What was written at every turn of a path that an agent was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from subgoal.agents.base import Agent
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.base import Observation, StepResult
from subgoal.environments.language import WorldLanguage
from subgoal.environments.registry import language
from subgoal.errors import TextTooLong
from subgoal.evaluation.offline.teacher_forcing import Reading, WrittenEvent, with_certainty
from subgoal.record import Record
from subgoal.text.events import Event, EventKind, course
from subgoal.text.format import Seen
from subgoal.text.tokenizers.marks import Mark
from subgoal.trajectories.trajectory import Step


class TurnAnswer(Record):
    """What was written at one turn."""

    action: str | None
    """The turn; None where nothing could be written: the text had no room, or the sub-goal was
    ended instead."""
    subgoal: str | None = None
    """The sub-goal that it pursues; None without."""
    certainty: float | None = None
    """Its probability, 0 to 1; None where nobody tells."""


NO_ROOM = TurnAnswer(action=None, certainty=0.0)
"""The answer where a text has no more room."""


class SubgoalAnswer(Record):
    """What a planner wrote where the path sets a sub-goal."""

    turn: int
    """The turn before which it was asked, from 1."""
    truth: str
    """The path's own."""
    written: str
    """The planner's; empty where it said that there is none."""


class PathAnswers(Record):
    """What one agent wrote on one path."""

    key: str
    """Identity of the path."""
    turns: tuple[TurnAnswer, ...]
    """Turn by turn, as the agent would do beside the true history: its sub-goals are its own."""
    guided: tuple[TurnAnswer, ...] = ()
    """The same where it was given the path's sub-goals; empty for agents without."""
    subgoals: tuple[SubgoalAnswer, ...] = ()
    """What its planner wrote where the path sets a sub-goal, the true ones before."""
    shortened: int = 0
    """Texts that were too long for a student and were shortened by the rule of its rendering."""


@dataclass
class _Witness:
    """The world as the path saw it."""

    language: WorldLanguage
    now: Seen = field(default_factory=lambda: Seen("", ""))

    def look(self) -> str:
        return self.now.look()

    def inventory(self) -> str:
        return self.now.inventory()

    def valid_actions(self) -> Sequence[str]:
        return ()


def acted(path: AnnotatedTrajectory, told: DatasetConfig) -> list[Event]:
    """Return the actions of a path, as far as students are told of them.

    Args:
        path: The path.
        told: How paths were told in training: `drop` and `move_limit` hold here too.
    """
    events = course(path, goals=False, move_limit=told.move_limit, drop=told.drop)
    return [event for event in events if event.kind is EventKind.ACT]


def beside(
    path: AnnotatedTrajectory, agent: Agent, told: DatasetConfig
) -> Reading[tuple[TurnAnswer, ...]]:
    """Let an agent say at each turn what it would do; then the path's own turn follows.

    It sets its own sub-goals: beside an agent whose log it reads, nobody tells it any. Where its
    text has no more room it is not asked again.

    Args:
        path: The path.
        agent: The agent, made for it; it is closed at the end.
        told: How paths were told in training.
    """
    task, first = path.trajectory.task, path.trajectory.steps[0]
    witness = _Witness(language(task.environment), Seen(first.look, first.inventory))
    found: list[TurnAnswer] = []
    events = acted(path, told)
    agent.begin(Observation(task=task, look=first.look, inventory=first.inventory), witness)
    for event in events:
        try:
            decided, certainty = yield from with_certainty(agent.act())
        except TextTooLong:
            found += [NO_ROOM] * (len(events) - len(found))
            break
        found.append(TurnAnswer(action=decided.text, subgoal=decided.subgoal, certainty=certainty))
        assert event.step is not None
        witness.now = Seen(event.now.look(), event.now.inventory())
        agent.observe(event.text, _result(event.step))
    agent.close()
    return tuple(found)


def guided(answers: Sequence[WrittenEvent]) -> tuple[TurnAnswer, ...]:
    """Return the turns among the answers to a path with its own sub-goals.

    Args:
        answers: As `teacher_forced` returns them.
    """
    return tuple(
        TurnAnswer(
            action=one.text if one.mark is Mark.ACT else None,
            subgoal=None,
            certainty=one.certainty,
        )
        for one in answers
        if one.event.kind is EventKind.ACT
    )


def planned(answers: Sequence[WrittenEvent]) -> tuple[SubgoalAnswer, ...]:
    """Return what the planner wrote, among the answers to a path with its own sub-goals.

    Args:
        answers: As `teacher_forced` returns them.
    """
    found: list[SubgoalAnswer] = []
    turn = 1
    for one in answers:
        if one.event.kind is EventKind.GOAL:
            written = one.text if one.mark is Mark.GOAL else ""
            found.append(SubgoalAnswer(turn=turn, truth=one.event.text, written=written))
        turn += one.event.kind is EventKind.ACT
    return tuple(found)


def _result(step: Step) -> StepResult:
    return StepResult(
        observation=step.observation,
        score=step.score,
        moves=step.moves,
        accepted=step.accepted,
        entered=step.entered,
    )
