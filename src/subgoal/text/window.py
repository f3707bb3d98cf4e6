"""The rendering `window`: a question about now, asked anew for every turn (paper, section 3.2).

A window has a source, which the student reads, and a target, which it writes. The source, part by
part, with the tokenizer's divider (`</s>` for T5) after each:

    Your task is to boil water. ...
    Time: 13; Score: 7;
    Completed subtasks are: navigate_to(kitchen). The current subtask is pick_up(metal pot)
    Action history:
        10. open cupboard (+0) --> The cupboard is now open. |
        9. END_SG() |
    Current environment: This room is called the kitchen. In it, you see: | a sink | ...
    Current inventory: In your inventory, you see: | an orange
    Visited rooms: hallway, kitchen
    What action should you do next?

The planner is asked `What subtask should you do next?`. The generator of the first sub-goal sees
neither sub-goals nor history; the flat agent sees no sub-goals. The history holds the last ten
steps, with the reward of each; `END_SG()` is one of them, so the planner sees it, but it takes no
time. A sub-goal that the executor has ended stays the current one until the planner has named
another; with `planner_asked = every_step` the same one named again goes on.

`shorten`, the rule where a source does not fit, the same in training and in play: the oldest steps
are left out first, then the oldest completed sub-goals, then the middle of the room. Long answers
are cut as in every rendering (`cut`).
"""

import re
from collections.abc import Sequence

from typing_extensions import override

from subgoal.environments.language import WorldLanguage
from subgoal.text.format import (
    ANSWER_LIMIT,
    KEPT_STEPS,
    LEARNED,
    ActionForm,
    Asked,
    Context,
    GivenAnswer,
    Role,
    Target,
    Text,
    TextFormat,
    View,
)
from subgoal.text.functional_actions import functional_action
from subgoal.text.tokenizers.marks import Mark, Speaker, StudentTokenizer

END_SUBGOAL = "END_SG()"
"""What the executor writes where a sub-goal has ended, in words."""
COMPLETE_TASK = "complete_task()"
"""What the planner writes after the last sub-goal, in words."""

_BREAKS = re.compile(r"\s*[\n\t]\s*")
_QUESTIONS = {
    Role.PLANNER: "What subtask should you do next?",
    Role.EXECUTOR: "What action should you do next?",
    Role.FIRST: (
        "You have just started this task and done nothing yet. What is the first subtask that you "
        "should do?"
    ),
}
PHRASES = (
    "Time: 1; Score: 0;",
    "No completed subtasks.",
    f"Completed subtasks are: ..., {COMPLETE_TASK}. The current subtask is",
    f"Action history: {END_SUBGOAL} | (+0) --> |",
    "Current environment:",
    "Current inventory:",
    "Visited rooms:",
    *_QUESTIONS.values(),
)
"""What every window says, for tokenizers to know."""


def window_line(text: str, language: WorldLanguage, limit: int = ANSWER_LIMIT) -> str:
    """Put what the world said on one line as windows have it: breaks become ` | `.

    Args:
        text: What the world said.
        language: The world's words; what goes without saying in them is left out.
        limit: Most characters, the middle left out of more; 0: all.
    """
    line = _BREAKS.sub(" | ", text.strip())
    line = re.sub(language.unsaid, "", line) if language.unsaid else line
    half = limit // 2
    return line if not limit or len(line) <= limit else f"{line[:half]} ... {line[-half:]}"


def room_name(look: str, language: WorldLanguage) -> str:
    """Return a room's name: what it says it is called, else what stands before its first stop.

    Args:
        look: The room, as the world describes it.
        language: The world's words.
    """
    named = re.search(language.room, look) if language.room else None
    return named[1] if named else re.split(r"[.\n]", look.strip(), maxsplit=1)[0]


class Window(Context):
    """The questions to one student in one episode, and its answers.

    Args:
        tokenizer: Gives ids to words.
        form: How the episode becomes text.
        role: Who is asked.
        language: The world's words.
    """

    def __init__(
        self, tokenizer: StudentTokenizer, form: TextFormat, role: Role, language: WorldLanguage
    ) -> None:
        self._tokenizer, self._form, self._role = tokenizer, form, role
        self._language = language
        self.has_goals = role is not Role.FLAT
        self.finished: list[Text] = []
        self._sources: dict[Role, list[int]] = {}
        self._description = self._action = self._goal = ""
        self._completed: list[str] = []
        self._history: list[str] = []
        self._visited: list[str] = []
        self._time, self._score, self._actions = 1, 0, 0
        self._ended = False

    @override
    def open(self, description: str, now: View, tools: str = "") -> None:
        self._description = description if self._form.describe else ""
        self._see(now)
        self._visit()

    @override
    def prompt(self, first: Sequence[Mark]) -> list[int]:
        plans = Mark.GOAL in first or (not first and self._role in {Role.PLANNER, Role.FIRST})
        return self._source(Target.GOAL if plans else Target.ACT)

    @override
    def goal(self, subgoal: str, learned: bool = True) -> None:
        if learned:
            self._write(Mark.GOAL, subgoal, Target.GOAL)
        every = self._form.planner_asked is Asked.EVERY_STEP
        if self._goal and (subgoal != self._goal or (self._ended and not every)):
            self._completed.append(self._goal)
        self._goal, self._ended = subgoal, False
        self._sources.clear()

    @override
    def act(self, action: str, learned: bool = True) -> None:
        functional = self._form.actions is ActionForm.FUNCTIONAL
        self._action = functional_action(action, self._language) if functional else action
        if learned:
            self._write(Mark.ACT, self._action, Target.ACT)
        self._actions += 1

    @override
    def observe(self, answer: GivenAnswer, now: View) -> None:
        reward = answer.score - self._score
        self._remember(f"{self._action} ({reward:+d}) --> {self._line(answer.observation)} |")
        self._time, self._score = self._time + 1, answer.score
        self._see(now)
        if answer.entered:
            self._visit()

    @override
    def done(self, now: View) -> None:
        self._write(Mark.DONE, None, Target.ACT)
        self._remember(f"{END_SUBGOAL} |")
        self._ended = True
        self._see(now)

    @override
    def complete(self) -> None:
        self.done(self._now)
        self._write(Mark.COMPLETE, None, Target.GOAL)

    @override
    def close(self) -> None:
        """Every text is closed as it is written."""

    def _line(self, text: str) -> str:
        return window_line(text, self._language, self._form.answer)

    def _see(self, now: View) -> None:
        self._now = now
        self._sources.clear()

    def _visit(self) -> None:
        name = room_name(self._now.look(), self._language)
        if name not in self._visited:
            self._visited.append(name)

    def _remember(self, step: str) -> None:
        self._history = [*self._history, step][-KEPT_STEPS:]

    def _write(self, mark: Mark, text: str | None, target: Target) -> None:
        if target not in LEARNED[self._role] or (self._role is Role.FIRST and self._goal):
            return
        source = self._source(target)
        written = self._tokenizer.segment(mark, text, ended=True)
        ids = (*source, *written)
        targets = (Target.CONTEXT,) * len(source) + (target,) * len(written)
        acted = (self._actions,) * len(ids)
        self.finished.append(Text(ids, targets, reopened=False, acted=acted))

    def _source(self, target: Target) -> list[int]:
        asked = Role.EXECUTOR
        if target is Target.GOAL:
            asked = Role.FIRST if self._role is Role.FIRST else Role.PLANNER
        if asked not in self._sources:
            self._sources[asked] = self._compose(asked)
        return self._sources[asked]

    def _compose(self, asked: Role) -> list[int]:
        """Compose a source, and shorten it where it does not fit (`shorten`)."""
        opening = self._tokenizer.turn(None, Speaker.WORLD)
        to_student = self._tokenizer.turn(Speaker.WORLD, Speaker.STUDENT)
        words, divider = self._tokenizer.words, self._tokenizer.divider
        head = [*opening, *words(self._description), *divider()]
        head += [*words(f"Time: {self._time}; Score: {self._score};"), *divider()]
        label = words("Current environment:")
        room = words(self._line(self._now.look()))
        tail = [*divider(), *words(f"Current inventory: {self._line(self._now.inventory())}")]
        tail += [*divider(), *words(f"Visited rooms: {', '.join(self._visited)}"), *divider()]
        tail += [*words(_QUESTIONS[asked]), *divider(), *to_student]
        free = self._form.context - self._form.turn - sum(map(len, (head, label, tail)))
        past, left_out = ([], False) if asked is Role.FIRST else self._past(free - len(room))
        shown = self._without_middle(room, free - len(past))
        self.shortened += left_out or len(shown) < len(room)
        return [*head, *past, *label, *shown, *tail]

    def _past(self, limit: int) -> tuple[list[int], bool]:
        """The sub-goals and the latest steps, as many as fit; and whether some did not."""
        steps, completed = list(self._history), list(self._completed)
        past = [*self._subgoals(completed), *self._steps(steps)]
        while len(past) > limit and (steps or completed):
            del (steps or completed)[0]
            past = [*self._subgoals(completed), *self._steps(steps)]
        return past, len(steps) < len(self._history) or len(completed) < len(self._completed)

    def _subgoals(self, completed: Sequence[str]) -> list[int]:
        if not self.has_goals:
            return []
        shown = list(completed) if len(completed) == len(self._completed) else ["...", *completed]
        text = f"Completed subtasks are: {', '.join(shown)}." if shown else "No completed subtasks."
        if self._goal:
            text += f" The current subtask is {self._goal}"
        return [*self._tokenizer.words(text), *self._tokenizer.divider()]

    def _steps(self, history: Sequence[str]) -> list[int]:
        ids = self._tokenizer.words("Action history:")
        for number, step in zip(range(KEPT_STEPS, 0, -1), history, strict=False):
            ids = [*ids, *self._tokenizer.divider(number), *self._tokenizer.words(step)]
        return [*ids, *self._tokenizer.divider()]

    def _without_middle(self, ids: list[int], limit: int) -> list[int]:
        gap = self._tokenizer.words("...")
        if len(ids) <= limit:
            return ids
        half = max(0, limit - len(gap)) // 2
        return [*ids[:half], *gap, *ids[len(ids) - half :]]
