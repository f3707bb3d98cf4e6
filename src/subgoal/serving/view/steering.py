"""A person beside an agent: what was recorded is played again, then both decide by turns.

The helm stands around the seats of the agent's students. Before a student writes, it looks at the
helm: where something recorded is still to be repeated, or the person has said what is to be done,
that stands in place of what the student would write; and there the agent waits while it is paused.
So students know all that happened as if they had decided it, and go on from there.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from enum import StrEnum
from threading import Condition
from typing import Any

from typing_extensions import override

from subgoal.agents.base import Ask, Seat
from subgoal.agents.student_seat import StudentSeat
from subgoal.engines.base import Generated
from subgoal.errors import EngineFailed, ExpertFailed
from subgoal.evaluation.episode import EpisodeStep
from subgoal.text.format import Context, Text, functional
from subgoal.text.tokenizers.marks import Mark

ALTERNATIVES = 5
"""So many of the planner's alternatives are shown."""
_NAP = 1.0
"""Seconds after which who waits looks whether anybody is still there."""


class Deciding(StrEnum):
    """Who decides."""

    RUNNING = "running"
    """The agent, turn after turn."""
    PAUSED = "paused"
    """Nobody: it waits."""
    PERSON = "person"
    """The person types each action; the planner sets sub-goals unless the person does."""


class Actor(StrEnum):
    """Whose a sub-goal or an action is."""

    AGENT = "agent"
    """The agent's own."""
    PERSON = "person"
    """A person's."""
    RECORD = "record"
    """Repeated from an episode."""


class ViewerLeft(ExpertFailed):
    """Nobody watches any more, so that the episode ends."""


Turned = tuple[str, str]
"""A recorded turn: `goal` or `act`, and its text."""


def turns_of(steps: Sequence[EpisodeStep]) -> list[Turned]:
    """Return the turns of recorded steps: a sub-goal where it changes, then its actions."""
    turns: list[Turned] = []
    before = ""
    for step in steps:
        if step.subgoal and step.subgoal != before:
            turns.append(("goal", step.subgoal))
        before = step.subgoal
        turns.append(("act", step.action))
    return turns


class Helm:
    """What is to be done in place of what students write.

    Args:
        recorded: Turns that are repeated first.
        tell: Is told what happens, as the page takes it.
        gone: Whether nobody watches any more.
        mode: Who decides after them.
        subgoal: The sub-goal that is set then; empty: the planner sets one where it is asked.
        examines: Whether the planner's alternatives are told at recorded sub-goals, too.
    """

    def __init__(
        self,
        recorded: Sequence[Turned],
        tell: Callable[[dict[str, Any]], None],
        gone: Callable[[], bool] = lambda: False,
        mode: Deciding = Deciding.RUNNING,
        subgoal: str = "",
        examines: bool = False,
    ) -> None:
        self._recorded, self._wanted = list(recorded), (mode, subgoal)
        self._tell, self._gone, self._examines = tell, gone, examines
        self._changed = Condition()
        self.again()

    def again(self) -> None:
        """Begin the episode from its beginning, as after its world broke off."""
        self._script = deque(self._recorded)
        self._mode, self._subgoal = self._wanted
        self._goal = self._action = ""
        self._turns = 0
        self.actor, self._planner = Actor.AGENT, Actor.AGENT

    def steer(self, do: str, text: str = "") -> None:
        """Take what a person says.

        Args:
            do: `pause`, `resume`, `step` (one turn, then pause), `take over` (the person decides),
                `action` or `subgoal` (with its text).
            text: The action, or the sub-goal.
        """
        with self._changed:
            match do:
                case "pause":
                    self._mode, self._turns = Deciding.PAUSED, 0
                case "resume":
                    self._mode, self._action = Deciding.RUNNING, ""
                case "step":
                    self._mode, self._turns = Deciding.PAUSED, 1
                case "take over":
                    self._mode = Deciding.PERSON
                case "action" if text:
                    self._mode, self._action = Deciding.PERSON, text
                case "subgoal" if text:
                    self._subgoal = text
                case _:
                    return
            self._changed.notify_all()
        self._tell({"is": "mode", "mode": self._mode})

    def planned(self, ask: Callable[[], list[tuple[str, float]]]) -> str | None:
        """Return the sub-goal to set in place of the planner's; None: the planner sets it.

        Args:
            ask: Returns the planner's alternatives.
        """
        if not self._script:
            self._wait(planning=True)
            self._alternatives(ask)
            wanted, self._subgoal = self._subgoal, ""
            self._planner = Actor.PERSON if wanted else Actor.AGENT
            return wanted or None
        if self._script[0][0] == "goal":
            if self._examines:
                self._alternatives(ask)
            self._goal = self._script.popleft()[1]
        self._planner = Actor.RECORD if self._goal else Actor.AGENT
        return self._goal or None

    @property
    def told(self) -> str:
        """The sub-goal that was set in place of the planner's; empty where the planner set it."""
        return "" if self._planner is Actor.AGENT else self._goal

    def heard(self, goal: str) -> None:
        """Hear the sub-goal that is set now."""
        self._goal = goal
        self._tell({"is": "goal", "subgoal": goal, "by": self._planner})

    def acted(self, may_end: bool) -> tuple[Mark, str] | None:
        """Return the turn to take in place of the executor's; None: the executor takes it.

        Args:
            may_end: Whether there are sub-goals, which can be ended.
        """
        while self._script:
            kind, text = self._script[0]
            if kind == "goal" and may_end:
                return Mark.DONE, ""
            self._script.popleft()
            if kind == "act":
                self.actor = Actor.RECORD
                return Mark.ACT, text
        if not (self._subgoal and may_end):
            self._wait(planning=False)
        if self._subgoal and may_end:
            return Mark.DONE, ""
        action, self._action = self._action, ""
        self.actor = Actor.PERSON if action else Actor.AGENT
        return (Mark.ACT, action) if action else None

    def _alternatives(self, ask: Callable[[], list[tuple[str, float]]]) -> None:
        try:
            self._tell({"is": "alternatives", "of": ask()})
        except EngineFailed as error:
            self._tell({"is": "note", "text": str(error)})

    def _wait(self, planning: bool) -> None:
        """Wait until the agent, or the person, is to go on."""
        if self._held(planning):
            self._tell({"is": "waiting", "planning": planning})
        with self._changed:
            while not self._gone() and self._held(planning):
                self._changed.wait(_NAP)
            if self._gone():
                raise ViewerLeft("nobody watched any more")
            self._turns -= bool(self._turns and not planning)

    def _held(self, planning: bool) -> bool:
        if self._subgoal:
            return False
        if self._mode is Deciding.PERSON:
            return not planning and not self._action
        return self._mode is Deciding.PAUSED and not self._turns


class SteeredSeat(Seat):
    """A student's seat with a helm around it.

    Args:
        seat: The student's.
        helm: What stands in place of what it writes.
        alone: Runs what computes, one at a time.
    """

    def __init__(
        self,
        seat: StudentSeat,
        helm: Helm,
        alone: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._seat, self._helm, self._alone = seat, helm, alone
        self.role, self.grounded, self.chooses = seat.role, seat.grounded, seat.chooses
        self.free, self.asked_always = seat.free, seat.asked_always
        self.draws = seat.draws

    @property
    @override
    def context(self) -> Context:
        return self._seat.context

    @property
    @override
    def shortened(self) -> int:
        return self._seat.shortened

    @override
    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        if Mark.GOAL not in first:
            turn = self._helm.acted(self._seat.context.has_goals)
            self.chooses = self._seat.chooses and turn is None  # what others say is sent as it is
            return turn or (yield from self._seat.write(first))
        goal = self._helm.planned(lambda: self._alternatives(first))
        mark, text = (Mark.GOAL, goal) if goal else (yield from self._seat.write(first))
        if mark is Mark.GOAL:
            self._helm.heard(functional(text))
        return mark, text

    @override
    def draw(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        told = self._helm.told  # what others set is pursued, given up before or not
        mark, text = (Mark.GOAL, told) if told else (yield from self._seat.draw(first))
        if mark is Mark.GOAL and not told:
            self._helm.heard(functional(text))
        return mark, text

    def _alternatives(self, first: Sequence[Mark]) -> list[tuple[str, float]]:
        found = self._alone(lambda: self._seat.likeliest(first, ALTERNATIVES))
        return [(functional(text), chance) for text, chance in found]

    @override
    def choose(self, valid: Sequence[str]) -> Generator[Ask, Generated, str]:
        return (yield from self._seat.choose(valid))

    @override
    def texts(self) -> list[Text]:
        return self._seat.texts()

    @override
    def close(self) -> None:
        self._seat.close()
