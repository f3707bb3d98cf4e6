"""The hierarchical agent: a planner sets sub-goals, an executor pursues them (paper, section 3).

The planner is asked where there is no current sub-goal; the executor picks actions until it says
that the sub-goal has ended, which costs no world step. Planner and executor may be one student.
"""

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from typing_extensions import override

from subgoal.agents.agent import Action, Agent, Turn
from subgoal.agents.student_seat import StudentSeat
from subgoal.annotation.action import take_apart
from subgoal.annotation.subgoal import Subgoal
from subgoal.datasets.rendering import Seen, functional
from subgoal.datasets.tokenizer import Mark
from subgoal.environments.environment import Environment, Observation, StepResult
from subgoal.errors import AnnotationInvalid

_DOOR = re.compile(r"door to the ([a-z ]+?) \(")


class Disturbance(ABC):
    """Replaces sub-goals: what are the planner's worth? (paper, ablations)."""

    every: int = 10
    """A new sub-goal is set every so many steps."""

    @abstractmethod
    def replace(self, planned: str, world: Environment) -> str:
        """Return the sub-goal to pursue instead of the planned one."""


class RandomSubgoals(Disturbance):
    """One drawn from all sub-goals of the training set.

    Args:
        pool: The sub-goals to draw from.
        seed: Seed of the draw.
    """

    def __init__(self, pool: Sequence[str], seed: int) -> None:
        self._pool, self._chance = list(pool), random.Random(seed)

    @override
    def replace(self, planned: str, world: Environment) -> str:
        return self._chance.choice(self._pool) if self._pool else planned


class SemiRandomSubgoals(Disturbance):
    """The planned one, with its arguments replaced by random objects or rooms of the world."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    @override
    def replace(self, planned: str, world: Environment) -> str:
        try:
            subgoal = Subgoal.parse(planned)
        except AnnotationInvalid:
            return planned
        actions = map(take_apart, world.valid_actions())
        names = {name for action in actions for name in action.arguments}
        names |= set(_DOOR.findall(world.look()))
        if not names:
            return planned
        drawn = tuple(self._chance.choice(sorted(names)) for _ in subgoal.arguments)
        return str(Subgoal(name=subgoal.name, arguments=drawn))


class HierarchicalAgent(Agent):
    """Planner and executor at play.

    Args:
        planner: The student that sets sub-goals.
        executor: The student that picks actions; the same object for one model in both roles.
        disturbance: Replaces the planner's sub-goals; None: they stand.
    """

    def __init__(
        self, planner: StudentSeat, executor: StudentSeat, disturbance: Disturbance | None = None
    ) -> None:
        self._planner, self._executor = planner, executor
        self._seats = [planner] if planner is executor else [planner, executor]
        self._disturbance = disturbance
        self._goal: str | None = None
        self._steps = 0

    @override
    def begin(self, opening: Observation, world: Environment) -> None:
        self._world = world
        seen = Seen(opening.look, opening.inventory)
        for seat in self._seats:
            seat.context.open(opening.task.description, seen)

    @override
    def act(self) -> Turn:
        while True:
            if self._goal is None:
                yield from self._plan()
            # A sub-goal has at least one step, so it cannot end before the first.
            marks = (Mark.ACT, Mark.DONE) if self._steps and not self._overdue else (Mark.ACT,)
            mark, text = (
                (Mark.DONE, "") if self._overdue else (yield from self._executor.write(marks))
            )
            if mark is Mark.ACT:
                return Action(text=text, subgoal=self._goal)
            self._end_subgoal()

    @override
    def observe(self, action: str, result: StepResult) -> None:
        self._steps += 1
        for seat in self._seats:
            seat.context.act(action)
            seat.context.observe(result, self._world)

    @override
    def close(self) -> None:
        for seat in self._seats:
            seat.close()

    @property
    def _overdue(self) -> bool:
        return self._disturbance is not None and self._steps >= self._disturbance.every

    def _plan(self) -> Turn:
        # The world says when the task is complete, so the planner always has a next sub-goal.
        _, written = yield from self._planner.write((Mark.GOAL,))
        planned = functional(written)
        if self._disturbance is not None:
            planned = self._disturbance.replace(planned, self._world)
        self._goal, self._steps = planned, 0
        for seat in self._seats:
            seat.context.goal(planned)
        return Action(text="", subgoal=planned)

    def _end_subgoal(self) -> None:
        self._goal = None
        for seat in self._seats:
            seat.context.done(self._world)
