"""The hierarchical agent: a planner sets sub-goals, an executor pursues them (paper, section 3).

The planner is asked where there is no current sub-goal, or before every turn of the executor
(`planner_asked`); the executor picks actions until it says that the sub-goal has ended, which costs
no world step. Planner and executor may be one student; the first sub-goal may come from a student
of its own.

A planner that writes `complete_task()` while the world goes on is mistaken: the sub-goal before
goes on. Students whose tokenizer has marks can neither do that nor end a sub-goal before its first
step. Others can; `EMPTY_ENDS` bounds it.

A sub-goal that names what is not there would be pursued until the episode is ended for it. So it is
given up where the world does not know two actions in a row (`REFUSALS`), and drawn anew.
"""

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from typing_extensions import override

from subgoal.agents.base import Action, Agent, Seat, Spent, Surroundings, Turn
from subgoal.annotation.subgoal import Subgoal
from subgoal.environments.base import Observation, StepResult
from subgoal.errors import AnnotationInvalid
from subgoal.text.format import Role, Seen, Text, functional
from subgoal.text.tokenizers.marks import Mark
from subgoal.text.window import COMPLETE_TASK
from subgoal.trajectories.action_grammar import take_apart

EMPTY_ENDS = 3
"""So often in a row a sub-goal may end without a step since the last end; then `END_SG()` is sent
to the world, which does not know it: a streak of that ends the episode (`endings.py`)."""

REFUSALS = 2
"""So many actions in a row that the world did not know end a sub-goal: it is given up."""
DRAWS = 10
"""So often at most another sub-goal is drawn in place of one that was given up before."""


class Disturbance(ABC):
    """Replaces sub-goals: what are the planner's worth? (paper, ablations)."""

    every: int = 10
    """A new sub-goal is set every so many steps."""

    @abstractmethod
    def replace(self, planned: str, world: Surroundings) -> str:
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
    def replace(self, planned: str, world: Surroundings) -> str:
        return self._chance.choice(self._pool) if self._pool else planned


class SemiRandomSubgoals(Disturbance):
    """The planned one, with its arguments replaced by random objects or rooms of the world."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    @override
    def replace(self, planned: str, world: Surroundings) -> str:
        try:
            subgoal = Subgoal.parse(planned)
        except AnnotationInvalid:
            return planned
        spoken = world.language
        actions = [take_apart(action, spoken) for action in world.valid_actions()]
        names = {name for action in actions for name in action.arguments}
        if spoken.door:
            names |= {match[1] for match in re.finditer(spoken.door, world.look())}
        if not names:
            return planned
        drawn = tuple(self._chance.choice(sorted(names)) for _ in subgoal.arguments)
        return str(Subgoal(name=subgoal.name, arguments=drawn))


class HierarchicalAgent(Agent):
    """Planner and executor at play.

    Args:
        planner: The student that sets sub-goals, or a model behind an endpoint.
        executor: The student that picks actions; the same object for one model in both roles.
        disturbance: Replaces the planner's sub-goals; None: they stand.
        first: The student that sets the first sub-goal; None: the planner does.
    """

    def __init__(
        self,
        planner: Seat,
        executor: Seat,
        disturbance: Disturbance | None = None,
        first: Seat | None = None,
    ) -> None:
        self._planner, self._executor, self._first = planner, executor, first
        self._seats = [planner] if planner is executor else [planner, executor]
        self._readers = self._seats if first is None else [*self._seats, first]
        self._disturbance = disturbance
        # A sub-goal that was put in the planner's place stands until it ends.
        self._asked_always = planner.asked_always and disturbance is None
        self._goal = ""
        self._open = False
        self._steps = 0
        self._empty_ends = 0
        self._gives_up = planner.draws and disturbance is None and not self._asked_always
        self._refused = 0
        self._accepted = False
        self._given_up: set[str] = set()
        self.grounded = executor.grounded

    @property
    @override
    def shortened(self) -> int:
        return sum(seat.shortened for seat in self._readers)

    @property
    @override
    def spent(self) -> Spent:
        return self._planner.spent

    @override
    def begin(self, opening: Observation, world: Surroundings) -> None:
        self._world = world
        seen = Seen(opening.look, opening.inventory)
        for seat in self._readers:
            seat.context.open(opening.task.description, seen, opening.task.tools)

    @override
    def act(self) -> Turn:
        while True:
            if self._asked_always or not self._open:
                yield from self._plan()
            if self._overdue:
                self._end_subgoal()
                continue
            if self._gives_up and self._refused >= REFUSALS:
                self._give_up()
                continue
            marks = (Mark.ACT, Mark.DONE) if self._may_end else (Mark.ACT,)
            mark, text = yield from self._executor.write(marks)
            if mark is Mark.ACT:
                return self._decided(text)
            self._end_subgoal()

    @override
    def choose(self, valid: Sequence[str]) -> Turn | None:
        return self._chosen(valid) if self._executor.chooses else None

    def _chosen(self, valid: Sequence[str]) -> Turn:
        return self._decided((yield from self._executor.choose(valid)))

    def _decided(self, text: str) -> Action:
        return Action(text=text, subgoal=self._goal)

    @override
    def observe(self, action: str, result: StepResult) -> None:
        self._steps += 1
        self._empty_ends = 0
        self._refused = 0 if result.accepted else self._refused + 1
        self._accepted = self._accepted or result.accepted
        for seat in self._seats:
            seat.context.act(action)
            seat.context.observe(result, self._world)

    @override
    def end(self, action: str) -> None:
        for seat in self._seats:
            seat.context.act(action)

    @override
    def texts(self) -> dict[Role, list[Text]]:
        return {seat.role: seat.texts() for seat in self._readers}

    @override
    def close(self) -> None:
        for seat in self._readers:
            seat.close()

    @property
    def _overdue(self) -> bool:
        return self._disturbance is not None and self._steps >= self._disturbance.every

    @property
    def _may_end(self) -> bool:
        if self._steps:
            return True
        return self._executor.free and self._empty_ends < EMPTY_ENDS

    def _plan(self) -> Turn:
        asked = self._first or self._planner
        marks = (Mark.GOAL, Mark.COMPLETE) if asked.free else (Mark.GOAL,)
        mark, written = yield from asked.write(marks)
        for _ in range(DRAWS):
            if functional(written) not in self._given_up:
                break
            mark, written = yield from self._planner.draw(marks)
        if self._first is not None:
            self._first.close()
            self._first = None
        if mark is Mark.GOAL:
            self._pursue(functional(written))
        elif not self._goal or self._disturbance is not None:
            self._pursue(self._goal or COMPLETE_TASK)
        self._open = True
        return Action(text="", subgoal=self._goal)

    def _pursue(self, planned: str) -> None:
        if self._disturbance is not None:
            planned = self._disturbance.replace(planned, self._world)
        if planned != self._goal or not self._asked_always:
            self._steps = 0
        self._goal = planned
        self._refused, self._accepted = 0, False
        for seat in self._seats:
            seat.context.goal(planned)

    def _end_subgoal(self) -> None:
        self._empty_ends += not self._steps
        self._open, self._steps = False, 0
        for seat in self._seats:
            seat.context.done(self._world)

    def _give_up(self) -> None:
        """End a sub-goal whose actions the world does not know; another one is set.

        Where nothing was done for it, it leaves no trace in the texts: the planner reads again what
        it read when it set it.
        """
        self._given_up.add(self._goal)
        if self._accepted:
            self._end_subgoal()
            return
        self._open, self._steps = False, 0
        for seat in self._seats:
            seat.context.abandon(self._world)
