"""The renderings `transcript` and `folded`: a text that grows with the episode."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from typing_extensions import override

from subgoal.text.format import (
    KEPT_STEPS,
    SAME,
    Context,
    GivenAnswer,
    RenderingName,
    Role,
    Target,
    Text,
    TextFormat,
    View,
    plain,
    reserve,
    spelled,
)
from subgoal.text.tokenizers.marks import Mark, Speaker, StudentTokenizer

Part = tuple[Speaker, list[int]]
"""What somebody says, without what stands between it and what comes before."""


class Transcript(Context):
    """A growing text of one student in one episode.

    Args:
        tokenizer: Gives ids to marks and text.
        form: How the episode becomes text. Only a task, room, inventory and sub-goal that are
            together longer than its context can exceed it (`reopen`).
        role: Whose text it is.
    """

    def __init__(self, tokenizer: StudentTokenizer, form: TextFormat, role: Role) -> None:
        self._tokenizer = tokenizer
        self._role, self._form = role, form
        self._limit = form.context - reserve(form.turn)
        self.folds = form.rendering is RenderingName.FOLDED and role is not Role.FLAT
        self.has_goals = role is not Role.FLAT
        self.ids: list[int] = []
        self.targets: list[Target] = []
        self._acted: list[int] = []
        self._actions = 0
        self.finished: list[Text] = []
        self._speaker: Speaker | None = None
        self._joint = tokenizer.turn(Speaker.WORLD, Speaker.WORLD)
        there = tokenizer.turn(Speaker.WORLD, Speaker.STUDENT)
        back = tokenizer.turn(Speaker.STUDENT, Speaker.WORLD)
        self._turns = len(there) + len(back)
        self._reopened = False
        self._description = self._room = self._goal = ""
        self._completed: list[tuple[str, str]] = []
        self._steps: list[tuple[str, str]] = []
        self._count = 0

    @override
    def open(self, description: str, now: View, tools: str = "") -> None:
        self._description = description if self._form.describe else ""
        self._opening(now)

    @override
    def prompt(self, first: Sequence[Mark]) -> list[int]:
        return [*self.ids, *self._tokenizer.turn(self._speaker, Speaker.STUDENT)]

    @override
    def goal(self, subgoal: str, learned: bool = True) -> None:
        self._goal, self._steps, self._count = spelled(subgoal), [], 0
        self._add(Mark.GOAL, self._goal, Target.GOAL, learned)

    @override
    def act(self, action: str, learned: bool = True) -> None:
        self._steps.append((action, ""))
        self._count += 1
        if not self._plans_only:
            self._add(Mark.ACT, action, Target.ACT, learned)
        self._actions += 1

    @override
    def observe(self, answer: GivenAnswer, now: View) -> None:
        self._steps[-1] = (self._steps[-1][0], answer.observation)
        del self._steps[:-KEPT_STEPS]
        if self._plans_only:
            return
        heard = self._heard(*self._steps[-1])
        if answer.entered:
            heard.append((Speaker.WORLD, self._show_room(now)))
        if self._size(heard) > self._free():
            self._reopen(now)
        else:
            self._extend_all(heard)

    @override
    def done(self, now: View) -> None:
        self._add(Mark.DONE, None, Target.ACT)
        last = plain(self._steps[-1][1], self._form.folded_answer) if self._steps else ""
        self._completed.append((self._goal, f"{self._goal} ({self._count} steps): {last}"))
        self._goal, self._steps = "", []
        if self.folds:  # what comes next begins anew, with what is seen now
            self.close()
            self._opening(now)

    @override
    def abandon(self, now: View) -> None:
        if not self.folds:
            self.done(now)
            return
        self._goal, self._steps = "", []
        self.close()
        self._opening(now)

    @override
    def complete(self) -> None:
        self._add(Mark.DONE, None, Target.ACT)
        self._add(Mark.COMPLETE, None, Target.GOAL)
        self.close()

    @override
    def close(self) -> None:
        if self.ids:
            whole = tuple(self.ids), tuple(self.targets), self._reopened, tuple(self._acted)
            self.finished.append(Text(*whole))
        self.ids, self.targets, self._acted = [], [], []
        self._reopened, self._speaker = False, None

    def _reopen(self, now: View) -> None:
        self.close()
        self._reopened = True
        self._opening(now)
        if self._goal:
            self._extend(self._segment(Mark.GOAL, self._goal, True), Speaker.STUDENT)
        self._extend_all(part for step in self._latest_steps() for part in step)

    def _opening(self, now: View) -> None:
        self._add(Mark.TASK, self._description)
        seen = self._segment(Mark.INVENTORY, self._shown(now.inventory()))
        seen += self._joint + self._show_room(now)
        left_out = False
        if self.folds or self._reopened:
            lines = self._completed_lines(self._free(len(seen)) // 2)
            left_out = len(lines) < len(self._completed)
            for line in lines:
                self._extend(line, Speaker.WORLD)
        self.shortened += self._reopened or left_out
        self._extend(seen, Speaker.WORLD)

    def _free(self, more: int = 0) -> int:
        return self._limit - self._turns - len(self.ids) - more

    def _completed_lines(self, budget: int) -> list[list[int]]:
        """The completed sub-goals, as far as the budget goes: older ones by name only, or not."""
        lines = list[list[int]]()
        for name, line in reversed(self._completed):
            whole, bare = (self._segment(Mark.COMPLETED, text) for text in (line, name))
            shown = whole if len(whole) <= budget // 2 else bare
            budget -= len(self._joint) + len(shown)
            if budget < 0:
                break
            lines.insert(0, shown)
        return lines

    def _latest_steps(self) -> list[list[Part]]:
        """The latest steps, in at most half of the free tokens; the last is cut to fit."""
        budget, kept = self._free() // 2, list[list[Part]]()
        for action, observation in reversed(self._steps):
            act = (Speaker.STUDENT, self._segment(Mark.ACT, action, ended=True))
            step = [act, *self._heard(action, observation)]
            if not kept and len(step) > 1:
                speaker, ids = step.pop()
                room = self._free(self._size(step) + self._turns)
                step.append((speaker, ids[: max(1, room)]))
            budget -= self._size(step) + self._turns
            if kept and budget < 0:
                break
            kept.insert(0, step)
        return kept

    def _size(self, parts: Iterable[Part]) -> int:
        """Tokens of parts that follow each other, and of what stands between those of the world."""
        said = list(parts)
        between = (
            len(self._tokenizer.turn(one, other))
            for (one, _), (other, _) in pairwise(said)
            if Speaker.STUDENT not in {one, other}
        )
        return sum(len(ids) for _, ids in said) + sum(between)

    def _shown(self, text: str) -> str:
        return plain(text, self._form.answer)

    def _show_room(self, now: View) -> list[int]:
        self._room = self._shown(now.look())
        return self._segment(Mark.ROOM, self._room)

    def _heard(self, action: str, observation: str) -> list[Part]:
        """Return what an answer to an action consists of."""
        del action
        answer = self._shown(observation)
        ids = self._segment(Mark.OBSERVE, SAME if answer == self._room else answer)
        return [(Speaker.WORLD, ids)]

    @property
    def _plans_only(self) -> bool:
        """A planner whose text folds never sees the steps: they come back folded."""
        return self.folds and self._role is Role.PLANNER

    def _segment(self, mark: Mark, text: str | None, ended: bool = False) -> list[int]:
        return self._tokenizer.segment(mark, text, ended)

    def _add(
        self,
        mark: Mark,
        text: str | None,
        target: Target = Target.CONTEXT,
        learned: bool = True,
    ) -> None:
        written = target is not Target.CONTEXT
        speaker = Speaker.STUDENT if written else Speaker.WORLD
        ids = self._segment(mark, text, ended=written)
        self._extend(ids, speaker, target if learned else Target.CONTEXT)

    def _extend_all(self, parts: Iterable[Part]) -> None:
        for speaker, ids in parts:
            self._extend(ids, speaker)

    def _extend(self, ids: list[int], speaker: Speaker, target: Target = Target.CONTEXT) -> None:
        between = self._tokenizer.turn(self._speaker, speaker)
        self._speaker = speaker
        self.ids += [*between, *ids]
        self.targets += [Target.CONTEXT] * len(between) + [target] * len(ids)
        self._acted += [self._actions] * (len(between) + len(ids))
