"""The only text format: what a student reads and writes, in training and in play.

A text is a row of segments, each introduced by a mark (one special token):

    <|task|>Your task is to boil water. ...
    <|completed|>navigate_to(kitchen) (2 steps): You move to the kitchen.
    <|inventory|>In your inventory, you see: an orange
    <|room|>This room is called the kitchen. ...
    <|goal|>pick_up( thermometer)<|end|>           written by the planner
    <|act|>pick up thermometer<|end|>              written by the executor
    <|observe|>You move the thermometer to the inventory.
    <|done|>                                       the executor: the sub-goal has ended (END_SG())
    <|complete|>                                   the planner: it was the last (complete_task())

Three renderings of an episode (paper, section 3.2, has the third):

- `transcript`: one growing text; the room is shown on entering it.
- `folded`: a completed sub-goal is folded into its name, its number of steps and its last
  observation; each sub-goal begins a text of its own.
- `window`: the last ten steps, encoded again at every step (for encoder-decoder students).

Rules that shorten a text, the same in training and in play:

- `cut`: what lies in the middle of a very long answer or room is left out; a room ends with its
  doors, so its end is kept.
- `same`: an answer that only repeats the room as it was last shown (`look around`) is `SAME`.
- `reopen`: where the next turn would not fit, the text ends and a new one begins: task, completed
  sub-goals, inventory and room as they are now, the current sub-goal, and its last steps. So an
  action always stands in one text with its task and its sub-goal.

The score is not in the text: students need no world that gives partial scores.

`Context` builds the text step by step. The datasets drive it with what was done, the agents with
what the student decides: the token ids are the same by construction.
"""

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from subgoal.datasets.tokenizer import Mark, StudentTokenizer

KEPT_STEPS = 10
"""Most steps of the current sub-goal that a reopened text keeps, as far as they fit (`reopen`)."""
TURN_LIMIT = 48
"""Most tokens of a sub-goal or an action that a student writes."""
RESERVE = 2 * TURN_LIMIT + 8
"""Tokens kept free for what is written between two answers of the world: the end of a sub-goal,
the next one, and an action."""
ANSWER_LIMIT = 1500
"""Characters of an answer or a room that are shown (`cut`)."""
FOLDED_LIMIT = 120
"""Characters of a completed sub-goal's last observation that are shown."""
SAME = "Nothing has changed."
"""Stands for an answer that repeats the room (`same`)."""

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


def plain(text: str, limit: int = ANSWER_LIMIT) -> str:
    """Put text on one line, and leave its middle out beyond `limit` characters (`cut`)."""
    line = _BREAKS.sub("; ", text.strip())
    half = limit // 2
    return line if len(line) <= limit else f"{line[:half]} ... {line[-half:]}"


def spelled(subgoal: str) -> str:
    """Write a sub-goal as texts have it: a space before its first argument.

    So the tokens of a name are the same in a sub-goal as anywhere else, and can be copied.
    """
    return subgoal.replace("(", "( ", 1)


def functional(text: str) -> str:
    """Return the sub-goal of a text: what `spelled` was given."""
    return text.replace("( ", "(", 1)


class View(Protocol):
    """What can be seen now; a world is one. Asked only when a text needs it."""

    def look(self) -> str:
        """Describe the room."""
        ...

    def inventory(self) -> str:
        """Describe what the agent carries."""
        ...


@dataclass(frozen=True)
class Seen:
    """A view that was taken before.

    Attributes:
        room: The room.
        carried: What the agent carried.
    """

    room: str
    carried: str

    def look(self) -> str:
        """Return the room."""
        return self.room

    def inventory(self) -> str:
        """Return what the agent carried."""
        return self.carried


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
        limit: Most tokens of a text (`reopen`). Only a task, room, inventory and sub-goal that
            are together longer than that can exceed it.
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
        self._description = self._room = self._goal = ""
        self._completed: list[tuple[str, str]] = []
        self._steps: list[tuple[str, str]] = []
        self._count = 0

    def open(self, description: str, now: View) -> None:
        """Begin the episode."""
        self._description = description
        self._opening(now)

    def goal(self, subgoal: str) -> None:
        """The planner has set a sub-goal."""
        self._goal, self._steps, self._count = spelled(subgoal), [], 0
        self._add(Mark.GOAL, self._goal, Target.GOAL)

    def act(self, action: str) -> None:
        """The executor has picked an action."""
        self._steps.append((action, ""))
        self._count += 1
        if not self._plans_only:
            self._add(Mark.ACT, action, Target.ACT)

    def observe(self, observation: str, entered: bool, now: View) -> None:
        """The world has answered the last action.

        Args:
            observation: The answer.
            entered: True where the action led into another place, whose room is then shown.
            now: What can be seen after the action.
        """
        self._steps[-1] = (self._steps[-1][0], observation)
        del self._steps[:-KEPT_STEPS]
        if self._plans_only:
            return
        answer = self._answer(observation)
        if entered:
            answer += self._show_room(now)
        if len(self.ids) + len(answer) + RESERVE > self._limit:
            self._reopen(now)
        else:
            self._extend(answer)

    def done(self, now: View) -> None:
        """The current sub-goal has ended; a text that folds begins anew with what is seen now."""
        self._add(Mark.DONE, None, Target.ACT)
        last = plain(self._steps[-1][1], FOLDED_LIMIT) if self._steps else ""
        self._completed.append((self._goal, f"{self._goal} ({self._count} steps): {last}"))
        self._goal, self._steps = "", []
        if self.folds:
            self.close()
            self._opening(now)

    def complete(self) -> None:
        """The current sub-goal has ended and was the last one; the text is finished."""
        self._add(Mark.DONE, None, Target.ACT)
        self._add(Mark.COMPLETE, None, Target.GOAL)
        self.close()

    def close(self) -> None:
        """The episode, or its current text, has ended."""
        if self.ids:
            self.finished.append(Text(tuple(self.ids), tuple(self.targets), self._reopened))
        self.ids, self.targets, self._reopened = [], [], False

    def _reopen(self, now: View) -> None:
        self.close()
        self._reopened = True
        self._opening(now)
        if self._goal:
            self._add(Mark.GOAL, self._goal)
        for segments in self._latest_steps():
            self._extend(segments)

    def _opening(self, now: View) -> None:
        self._add(Mark.TASK, self._description)
        seen = self._segment(Mark.INVENTORY, plain(now.inventory())) + self._show_room(now)
        if self.folds or self._reopened:
            self._extend(self._completed_lines(self._free(len(seen)) // 2))
        self._extend(seen)

    def _free(self, more: int = 0) -> int:
        return self._limit - RESERVE - len(self.ids) - more

    def _completed_lines(self, budget: int) -> list[int]:
        """The completed sub-goals, as far as the budget goes: older ones by name only, or not."""
        lines = list[list[int]]()
        for name, line in reversed(self._completed):
            whole, bare = (self._segment(Mark.COMPLETED, text) for text in (line, name))
            shown = whole if len(whole) <= budget // 2 else bare
            budget -= len(shown)
            if budget < 0:
                break
            lines.insert(0, shown)
        return [number for line in lines for number in line]

    def _latest_steps(self) -> list[list[int]]:
        """The latest steps, in at most half of the free tokens; the last is cut to fit."""
        budget, kept = self._free() // 2, list[list[int]]()
        for action, observation in reversed(self._steps):
            act = self._segment(Mark.ACT, action, ended=True)
            step = act + self._answer(observation)
            if not kept:
                step = step[: max(len(act) + 1, self._free())]
            budget -= len(step)
            if kept and budget < 0:
                break
            kept.insert(0, step)
        return kept

    def _show_room(self, now: View) -> list[int]:
        self._room = plain(now.look())
        return self._segment(Mark.ROOM, self._room)

    def _answer(self, observation: str) -> list[int]:
        answer = plain(observation)
        return self._segment(Mark.OBSERVE, SAME if answer == self._room else answer)

    @property
    def _plans_only(self) -> bool:
        """A planner whose text folds never sees the steps: they come back folded."""
        return self.folds and self._role is Role.PLANNER

    def _segment(self, mark: Mark, text: str | None, ended: bool = False) -> list[int]:
        return self._tokenizer.segment(mark, text, ended)

    def _add(self, mark: Mark, text: str | None, target: Target = Target.CONTEXT) -> None:
        written = target is not Target.CONTEXT or mark is Mark.GOAL
        self._extend(self._segment(mark, text, ended=written), target)

    def _extend(self, ids: list[int], target: Target = Target.CONTEXT) -> None:
        self.ids += ids
        self.targets += [target] * len(ids)
