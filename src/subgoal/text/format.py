"""The only text format: what a student reads and writes, in training and in play.

Three renderings of an episode (paper, section 3.2, has the third):

- `transcript`: one growing text; the room is shown on entering it.
- `folded`: a completed sub-goal is folded into its name, its number of steps and its last
  observation; each sub-goal begins a text of its own.
- `window`: the last ten steps and a question, encoded again at every step (`window.py`).

A `Context` builds the text step by step. The datasets drive it with what was done, the agents with
what the student decides: the token ids are the same by construction.

A transcript is a row of segments, each introduced by a mark (one special token):

    <|task|>Your task is to boil water. ...
    <|completed|>navigate_to(kitchen) (2 steps): You move to the kitchen.
    <|inventory|>In your inventory, you see: an orange
    <|room|>This room is called the kitchen. ...
    <|goal|>pick_up( thermometer)<|end|>           written by the planner
    <|act|>pick up thermometer<|end|>              written by the executor
    <|observe|>You move the thermometer to the inventory.
    <|done|>                                       the executor: the sub-goal has ended (END_SG())
    <|complete|>                                   the planner: it was the last (complete_task())

Rules that shorten a text, the same in training and in play:

- `cut`: what lies in the middle of a very long answer or room is left out; a room ends with its
  doors, so its end is kept.
- `same`: an answer that only repeats the room as it was last shown (`look around`) is `SAME`.
- `reopen`: where the next turn would not fit, the text ends and a new one begins: task, completed
  sub-goals, inventory and room as they are now, the current sub-goal, and its last steps. So an
  action always stands in one text with its task and its sub-goal.

The score is not in a transcript: its students need no world that gives partial scores. Windows show
it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from pydantic import Field

from subgoal.record import Rare, Record
from subgoal.text.tokenizers.marks import Mark

KEPT_STEPS = 10
"""Most steps of the current sub-goal that a reopened text keeps, as far as they fit (`reopen`)."""
TURN_LIMIT = 48
"""Most tokens of a sub-goal or an action that a student writes, where nothing else is said."""
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
    FIRST = "first"
    """Sets the first sub-goal alone; needs the rendering `window`. Without it the planner does."""
    FLAT = "flat"
    """Picks elementary actions without sub-goals: plain imitation learning."""


class RenderingName(StrEnum):
    """How an episode becomes text."""

    TRANSCRIPT = "transcript"
    """One growing text."""
    FOLDED = "folded"
    """Completed sub-goals are folded; the flat agent, which cannot fold, gets a transcript."""
    WINDOW = "window"
    """The last ten steps and a question, anew at every step (the paper's); the flat agent's too."""


class Asked(StrEnum):
    """When the planner is asked for a sub-goal."""

    AT_END = "at_end"
    """Where there is none: at the beginning, and where the executor has ended one."""
    EVERY_STEP = "every_step"
    """Before every turn of the executor (the paper's): another sub-goal than the current one
    completes that; the same one goes on."""


class ActionForm(StrEnum):
    """How actions are written."""

    ELEMENTARY = "elementary"
    """As the world takes them: `pick up thermometer`."""
    FUNCTIONAL = "functional"
    """As functions: `PICK(thermometer)` (the paper's)."""


class Turns(StrEnum):
    """How turns are told apart."""

    MARKS = "marks"
    """By marks, one special token each; a pretrained tokenizer gets them added."""
    CHAT = "chat"
    """By the model's own chat template: the world is the user."""
    MESSAGES = "messages"
    """A log's conversation in the model's own chat template: its system prompt, tools, calls and
    results."""
    WORDS = "words"
    """A question and its answer, in words: encoder-decoder students."""


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
    Role.FIRST: {Target.GOAL},
    Role.FLAT: {Target.ACT},
}
"""The loss classes that each role learns."""


def reserve(turn: int) -> int:
    """Return how many tokens are kept free for what is written between two answers of the world.

    That is the end of a sub-goal, the next one, and an action.

    Args:
        turn: Most tokens of one of them.
    """
    return 2 * turn + 8


def plain(text: str, limit: int = ANSWER_LIMIT) -> str:
    """Put text on one line, and leave its middle out beyond `limit` characters (`cut`); 0: none."""
    return cut(_BREAKS.sub("; ", text.strip()), limit)


def cut(text: str, limit: int) -> str:
    """Leave the middle of a text out beyond `limit` characters; 0: never."""
    half = limit // 2
    return text if not limit or len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


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
        acted: Number of actions that had been sent when each token was written.
    """

    ids: tuple[int, ...]
    targets: tuple[Target, ...]
    reopened: bool
    acted: tuple[int, ...]


class TextFormat(Record):
    """All that decides the text of an episode; a student's card holds it."""

    rendering: RenderingName = RenderingName.FOLDED
    """How an episode becomes text: `folded`, `transcript` or `window`. With `folded` the flat agent
    reads transcripts."""
    turns: Rare[Turns] = Turns.MARKS
    """How turns are told apart: `marks`, `chat` (pretrained students with a chat template),
    `messages` (the same on logs, with the rendering `transcript`) or `words` (encoder-decoder
    students, with the rendering `window`)."""
    context: int = Field(default=1024, ge=1)
    """Context length in tokens. A longer text is shortened as the rendering says."""
    turn: Rare[int] = Field(default=TURN_LIMIT, ge=1)
    """Largest number of tokens of a sub-goal or an action that a student writes. The context keeps
    room for them. Actions in logs need more: `train` says how many are longer."""
    answer: Rare[int] = Field(default=ANSWER_LIMIT, ge=0)
    """Number of characters of an answer that are shown, the middle of longer ones left out; 0: all.
    Calls of tools need what stands in the answers before."""
    folded_answer: Rare[int] = Field(default=FOLDED_LIMIT, ge=0)
    """The same of the last answer of a completed sub-goal, with `folded`."""
    describe: Rare[bool] = True
    """Show the task's description. Of logs it is the system prompt and the tools, which may be
    long; a student that knows nothing else need not read them in every text."""
    planner_asked: Rare[Asked] = Asked.AT_END
    """When the planner is asked: `at_end` of a sub-goal, or `every_step` (with `window` only)."""
    actions: Rare[ActionForm] = ActionForm.ELEMENTARY
    """How actions are written: `elementary` or `functional` (with `window` only)."""


class GivenAnswer(Protocol):
    """The world's answer to an action; a `Step` and a `StepResult` are ones."""

    @property
    def observation(self) -> str:
        """What the world said."""
        ...

    @property
    def entered(self) -> bool:
        """True where the action led into another place."""
        ...

    @property
    def score(self) -> int:
        """Score after the action."""
        ...


class Context(ABC):
    """The text of one student in one episode, step by step.

    Attributes:
        has_goals: False for the flat agent's.
        finished: The texts that are closed, in order.
        shortened: How many texts the rendering's rule has shortened because they were too long:
            `reopen` and the budget of completed sub-goals of transcripts, `shorten` of windows.
    """

    has_goals: bool
    finished: list[Text]
    shortened: int = 0

    @abstractmethod
    def open(self, description: str, now: View, tools: str = "") -> None:
        """Begin the episode.

        Args:
            description: That of the task.
            now: What can be seen.
            tools: The task's (`Task.tools`).
        """

    @abstractmethod
    def prompt(self, first: Sequence[Mark]) -> Sequence[int]:
        """Return the ids that the student reads before it writes a turn.

        Args:
            first: The marks that the turn may begin with.
        """

    @abstractmethod
    def goal(self, subgoal: str, learned: bool = True) -> None:
        """The planner has set a sub-goal.

        Args:
            subgoal: The sub-goal.
            learned: False for a wrong one that is read and not learned.
        """

    @abstractmethod
    def act(self, action: str, learned: bool = True) -> None:
        """The executor has picked an action.

        Args:
            action: The action.
            learned: False for a mistake that is read and not learned.
        """

    @abstractmethod
    def observe(self, answer: GivenAnswer, now: View) -> None:
        """The world has answered the last action.

        Args:
            answer: What it said.
            now: What can be seen after the action.
        """

    @abstractmethod
    def done(self, now: View) -> None:
        """The current sub-goal has ended."""

    def abandon(self, now: View) -> None:
        """The current sub-goal was given up before anything was done for it."""
        self.done(now)

    @abstractmethod
    def complete(self) -> None:
        """The current sub-goal has ended and was the last one; the text is finished."""

    @abstractmethod
    def close(self) -> None:
        """The episode, or its current text, has ended."""
