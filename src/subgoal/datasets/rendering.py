"""The only text format: what a student reads and writes, in training and in play.

A text is a row of segments, each introduced by a mark (one special token):

    <|task|>Your task is to boil water. ...
    <|completed|>navigate_to(kitchen) (2 steps): You move to the kitchen.
    <|inventory|>In your inventory, you see: an orange
    <|room|>This room is called the kitchen. ...
    <|goal|>pick_up(thermometer)<|end|>            written by the planner
    <|act|>pick up thermometer<|end|>              written by the executor
    <|observe|>You move the thermometer to the inventory.
    <|done|>                                       the executor: the sub-goal has ended (END_SG())
    <|complete|>                                   the planner: nothing is left (complete_task())

Three renderings of an episode (paper, section 3.2, has the third):

- `transcript`: one growing text; the room is shown on entering it.
- `folded`: a completed sub-goal is folded into its name, its number of steps and its last
  observation; each sub-goal begins a text of its own.
- `window`: the last ten steps, encoded again at every step (for encoder-decoder students).

`Context` builds the text step by step. The datasets drive it with what was done, the agents with
what the student decides: the token ids are the same by construction.
"""

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from subgoal.datasets.tokenizer import Mark, StudentTokenizer

KEPT_STEPS = 8
"""Most steps of the current sub-goal that a reopened text keeps, as far as they fit (`reopen`)."""
RESERVE = 256
"""Tokens kept free for the next turn and its answer, so that a text stays within the limit."""
OBSERVATION_LIMIT = 600
"""Characters of an observation or room that are shown; the rest is cut off (rule `cut`)."""
FOLDED_LIMIT = 120
"""Characters of a completed sub-goal's last observation that are shown."""

_BREAKS = re.compile(r"\s*[\n\t]\s*")


class Role(StrEnum):
    """What a student does."""

    PLANNER = "planner"
    """Sets the next sub-goal."""
    EXECUTOR = "executor"
    """Picks elementary actions, and says when the sub-goal has ended."""
    BOTH = "both"
    """One model for planner and executor."""
    FLAT = "flat"
    """Picks elementary actions without sub-goals: plain imitation learning."""


class RenderingName(StrEnum):
    """How an episode becomes text."""

    TRANSCRIPT = "transcript"
    """One growing text."""
    FOLDED = "folded"
    """Completed sub-goals are folded; the flat agent, which cannot fold, gets a transcript."""


class Target(IntEnum):
    """Which loss class a token belongs to."""

    CONTEXT = 0
    """Read, not learned."""
    GOAL = 1
    """Written by a planner."""
    ACT = 2
    """Written by an executor or a flat agent."""


LEARNED = {
    Role.PLANNER: {Target.GOAL},
    Role.EXECUTOR: {Target.ACT},
    Role.BOTH: {Target.GOAL, Target.ACT},
    Role.FLAT: {Target.ACT},
}
"""The loss classes that each role learns."""


def plain(text: str, limit: int = OBSERVATION_LIMIT) -> str:
    """Put text on one line and cut it to `limit` characters."""
    line = _BREAKS.sub("; ", text.strip())
    return line if len(line) <= limit else line[:limit] + "..."


@dataclass(frozen=True)
class Text:
    """A finished text of an episode.

    Attributes:
        ids: Token ids.
        targets: Loss class of each token.
        reopened: True where the text goes on from one that had become too long.
    """

    ids: tuple[int, ...]
    targets: tuple[Target, ...]
    reopened: bool


class Context:
    """The text of one student in one episode, step by step.

    Args:
        tokenizer: Gives ids to marks and text.
        rendering: How the episode becomes text.
        role: Whose text it is.
        limit: Most tokens of a text; one that would grow longer is reopened: task, completed
            sub-goals, inventory, room, current sub-goal and its last steps begin a new text.
    """

    def __init__(
        self, tokenizer: StudentTokenizer, rendering: RenderingName, role: Role, limit: int
    ) -> None:
        self._tokenizer = tokenizer
        self._role, self._limit = role, limit
        self.folds = rendering is RenderingName.FOLDED and role is not Role.FLAT
        self.has_goals = role is not Role.FLAT
        self.ids: list[int] = []
        self.targets: list[Target] = []
        self.finished: list[Text] = []
        self._reopened = False
        self._description = self._look = self._inventory = self._goal = ""
        self._completed: list[str] = []
        self._steps: list[tuple[str, str, str]] = []
        self._count = 0

    def open(self, description: str, look: str, inventory: str) -> None:
        """Begin the episode."""
        self._description, self._look, self._inventory = description, look, inventory
        self._opening()

    def goal(self, subgoal: str) -> None:
        """The planner has set a sub-goal."""
        self._goal, self._steps, self._count = subgoal, [], 0
        self._add(Mark.GOAL, subgoal, Target.GOAL)

    def act(self, action: str) -> None:
        """The executor has picked an action."""
        self._steps.append((action, "", ""))
        self._count += 1
        self._write_act(action, Target.ACT)

    def observe(self, observation: str, look: str | None = None) -> None:
        """The world has answered the last action; `look` where another room was entered."""
        action, _, _ = self._steps[-1]
        self._steps[-1] = (action, observation, look or "")
        del self._steps[:-KEPT_STEPS]
        self._look = look or self._look
        self._write_answer(observation, look or "")
        if len(self.ids) + RESERVE > self._limit:
            self._close()
            self._reopened = True
            self._opening()
            if self._goal:
                self._add(Mark.GOAL, self._goal, Target.CONTEXT)
            for old, answer, room in self._fitting_steps():
                self._write_act(old, Target.CONTEXT)
                self._write_answer(answer, room)

    def done(self, look: str | None = None, inventory: str | None = None) -> None:
        """The current sub-goal has ended; a text that folds begins anew with what is seen now."""
        self._add(Mark.DONE, None, Target.ACT)
        last = plain(self._steps[-1][1], FOLDED_LIMIT) if self._steps else ""
        self._completed.append(f"{self._goal} ({self._count} steps): {last}")
        self._goal, self._steps = "", []
        if self.folds:
            self._look, self._inventory = look or self._look, inventory or self._inventory
            self._close()
            self._opening()

    def complete(self) -> None:
        """The planner says that nothing is left; the text is finished."""
        self._add(Mark.COMPLETE, None, Target.GOAL)
        self.close()

    def close(self) -> None:
        """The episode has ended."""
        self._close()

    def _opening(self) -> None:
        self._add(Mark.TASK, self._description)
        if self.folds or self._reopened:
            for line in self._shown_completed():
                self._add(Mark.COMPLETED, line)
        self._add(Mark.INVENTORY, plain(self._inventory))
        self._add(Mark.ROOM, plain(self._look))

    def _shown_completed(self) -> list[str]:
        """The latest completed sub-goals that fit into half of the text."""
        budget, shown = self._limit // 2, list[str]()
        for line in reversed(self._completed):
            budget -= len(self._tokenizer.encode(line)) + 1
            if budget < 0:
                break
            shown.insert(0, line)
        return shown

    def _fitting_steps(self) -> list[tuple[str, str, str]]:
        """The latest steps that leave room for as much again; at least the last one."""
        budget = (self._limit - len(self.ids)) // 2
        kept = list[tuple[str, str, str]]()
        for step in reversed(self._steps):
            budget -= sum(len(self._tokenizer.encode(plain(part))) + 2 for part in step)
            if kept and budget < 0:
                break
            kept.insert(0, step)
        return kept

    def _write_act(self, action: str, target: Target) -> None:
        if not self._plans_only:
            self._add(Mark.ACT, action, target)

    def _write_answer(self, observation: str, look: str) -> None:
        if not self._plans_only:
            self._add(Mark.OBSERVE, plain(observation))
            if look:
                self._add(Mark.ROOM, plain(look))

    @property
    def _plans_only(self) -> bool:
        """A planner whose text folds never sees the steps: they come back folded."""
        return self.folds and self._role is Role.PLANNER

    def _add(self, mark: Mark, text: str | None, target: Target | None = None) -> None:
        ids = self._tokenizer.segment(mark, text, ended=target is not None)
        self.ids += ids
        self.targets += [target or Target.CONTEXT] * len(ids)

    def _close(self) -> None:
        if self.ids:
            self.finished.append(Text(tuple(self.ids), tuple(self.targets), self._reopened))
        self.ids, self.targets, self._reopened = [], [], False
