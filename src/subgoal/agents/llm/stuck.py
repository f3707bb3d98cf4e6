"""A student that asks a language model only where it is stuck (after SwiftSage's fast and slow)."""

from collections.abc import Sequence

from typing_extensions import override

from subgoal.agents.base import Action, Agent, Seat, Spent, Surroundings, Turn
from subgoal.agents.stopping import Endings
from subgoal.environments.base import Observation, StepResult, StopReason
from subgoal.text.format import Role, Seen, Text
from subgoal.text.tokenizers.marks import Mark

STUCK_STEPS, STUCK_STREAK = 10, 3
"""A student is stuck after so many steps of few kinds without a change of score, or so many actions
in a row that the world does not know: long before the episode would be ended for it."""
HELPED_STEPS = 5
"""So many actions of the model follow at most, fewer where the score changes; then the student goes
on."""


class AsksWhenStuck(Agent):
    """A student acts; where it is stuck, a language model that has read along does.

    Args:
        student: The agent that acts by itself.
        helper: The model, which picks actions.
    """

    def __init__(self, student: Agent, helper: Seat) -> None:
        self._student, self._helper = student, helper
        self._watch = Endings(STUCK_STEPS, STUCK_STREAK)
        self._left = 0
        self._score = 0
        self.grounded = student.grounded

    @property
    @override
    def shortened(self) -> int:
        return self._student.shortened

    @property
    @override
    def spent(self) -> Spent:
        return self._helper.spent

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        self._world = world
        self._student.begin(opening, world)
        seen = Seen(opening.look, opening.inventory)
        self._helper.context.open(opening.task.description, seen, opening.task.tools)

    @override
    def act(self) -> Turn:
        if not self._left:
            return (yield from self._student.act())
        self._left -= 1
        _, text = yield from self._helper.write((Mark.ACT,))
        return Action(text=text)

    @override
    def choose(self, valid: Sequence[str]) -> Turn | None:
        return self._student.choose(valid)

    @override
    def observe(self, action: str, result: StepResult) -> None:
        self._student.observe(action, result)
        self._helper.context.act(action)
        self._helper.context.observe(result, self._world)
        ended = self._watch.after(action, result)
        if result.score != self._score:
            self._score, self._left = result.score, 0
        elif ended in {StopReason.LOOP, StopReason.INVALID_STREAK} and not self._left:
            self._left = HELPED_STEPS
            self._watch = Endings(STUCK_STEPS, STUCK_STREAK)

    @override
    def end(self, action: str) -> None:
        self._student.end(action)

    @override
    def texts(self) -> dict[Role, list[Text]]:
        return self._student.texts()

    @override
    def close(self) -> None:
        self._student.close()
