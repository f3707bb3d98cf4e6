"""The flat agent: plain imitation of elementary actions (the paper's Swift-only)."""

from collections.abc import Sequence

from typing_extensions import override

from subgoal.agents.base import Action, Agent, Seat, Spent, Surroundings, Turn
from subgoal.environments.base import Observation, StepResult
from subgoal.text.format import Role, Seen, Text
from subgoal.text.tokenizers.marks import Mark


class FlatAgent(Agent):
    """Picks elementary actions without sub-goals.

    Args:
        seat: The student, or a model behind an endpoint.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.grounded = seat.grounded

    @property
    @override
    def shortened(self) -> int:
        return self._seat.shortened

    @property
    @override
    def spent(self) -> Spent:
        return self._seat.spent

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        self._world = world
        seen = Seen(opening.look, opening.inventory)
        self._seat.context.open(opening.task.description, seen, opening.task.tools)

    @override
    def act(self) -> Turn:
        _, text = yield from self._seat.write((Mark.ACT,))
        return Action(text=text)

    @override
    def choose(self, valid: Sequence[str]) -> Turn | None:
        return self._chosen(valid) if self._seat.chooses else None

    def _chosen(self, valid: Sequence[str]) -> Turn:
        text = yield from self._seat.choose(valid)
        return Action(text=text)

    @override
    def observe(self, action: str, result: StepResult) -> None:
        self._seat.context.act(action)
        self._seat.context.observe(result, self._world)

    @override
    def end(self, action: str) -> None:
        self._seat.context.act(action)

    @override
    def texts(self) -> dict[Role, list[Text]]:
        return {self._seat.role: self._seat.texts()}

    @override
    def close(self) -> None:
        self._seat.close()
