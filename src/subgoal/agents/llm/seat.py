"""A language model behind an endpoint in an agent's seat, and the chat that it reads.

The chat is one growing conversation: the task and what is seen, then in turn what the model wrote
and what came of it, so that an endpoint can keep what it has read.
"""

import re
from abc import ABC
from collections.abc import Generator, Iterable, Sequence
from typing import Protocol

from typing_extensions import override

from subgoal.agents.base import Ask, Hearer, Seat, Spent
from subgoal.annotation.replies.thought import without_thought
from subgoal.annotation.teachers.llm.ledger import Reply
from subgoal.annotation.teachers.llm.prompt import PROMPTS, Messages, shortened, system_message
from subgoal.engines.base import Generated
from subgoal.environments.base import StepResult
from subgoal.environments.language import WorldLanguage
from subgoal.plain_text import read_text
from subgoal.text.format import Role, View
from subgoal.text.tokenizers.marks import Mark

_ANSWER = 200
"""Characters of each of the world's answers that a planner reads."""
NOTHING_SAID = "(nothing)"
"""What is taken for a reply without a word; no world knows it."""


class Model(Protocol):
    """Whoever answers a chat."""

    def ask(self, task: str, messages: Messages) -> Reply:
        """Return the reply to a question of an episode."""
        ...


class EpisodeChat(Hearer, ABC):
    """What a model reads of an episode, as chat messages.

    Args:
        system: The system message.
    """

    label: str
    """How the line begins in which the model says what counts."""

    def __init__(self, system: str) -> None:
        self.messages: Messages = [{"role": "system", "content": system}]
        self._reply = ""

    def read(self, reply: str) -> str:
        """Take the model's reply; return what counts of it: the text of its last such line.

        Args:
            reply: What it wrote.
        """
        said = without_thought(reply).strip()
        lines = [line.strip() for line in said.splitlines() if line.strip()] or [NOTHING_SAID]
        labelled = re.compile(rf"\W*{self.label}\W*:\W*?(\w.*?)[\s*`\"']*", re.IGNORECASE)
        found = [match[1] for match in map(labelled.fullmatch, lines) if match]
        text = found[-1] if found else lines[-1]
        self._reply = said or NOTHING_SAID
        return text

    @override
    def open(self, description: str, now: View, tools: str = "") -> None:
        self._hear(f"Task: {' '.join(description.split())}", now.look(), now.inventory())

    def _wrote(self, text: str) -> None:
        """Put down what the model wrote, or what was decided without it."""
        said, self._reply = self._reply, ""
        self.messages.append({"role": "assistant", "content": said or f"{self.label}: {text}"})

    def _hear(self, *parts: str) -> None:
        told = "\n".join(part.strip() for part in parts if part.strip())
        self.messages.append({"role": "user", "content": told})


class ActingChat(EpisodeChat):
    """The chat of a model that picks each action."""

    label = "Action"

    @override
    def goal(self, subgoal: str) -> None:
        """Sub-goals are not for it."""

    @override
    def act(self, action: str) -> None:
        self._wrote(action)
        self._sent = action

    @override
    def observe(self, answer: StepResult, now: View) -> None:
        known = "" if answer.accepted else f"The world does not know the action '{self._sent}'."
        self._hear(known, answer.observation)

    @override
    def done(self, now: View) -> None:
        """Sub-goals are not for it."""


class PlanningChat(EpisodeChat):
    """The chat of a model that sets sub-goals."""

    label = "Sub-goal"

    def __init__(self, system: str) -> None:
        super().__init__(system)
        self._lines: list[str] = []

    @override
    def goal(self, subgoal: str) -> None:
        self._wrote(subgoal)

    @override
    def act(self, action: str) -> None:
        self._lines.append(action)

    @override
    def observe(self, answer: StepResult, now: View) -> None:
        self._lines[-1] += f" => {shortened(answer.observation, _ANSWER)}"

    @override
    def done(self, now: View) -> None:
        lines, self._lines = self._lines, []
        self._hear("The agent has ended the sub-goal:", *lines, now.look(), now.inventory())


class ModelSeat(Seat):
    """A model behind an endpoint in one episode.

    Args:
        model: The model.
        task: Key of the task that is played.
        chat: What it reads.
        role: What it is there for.
    """

    def __init__(self, model: Model, task: str, chat: EpisodeChat, role: Role) -> None:
        self._model, self._task, self._chat, self.role = model, task, chat, role
        self._spent = Spent()

    @property
    @override
    def context(self) -> EpisodeChat:
        return self._chat

    @property
    @override
    def spent(self) -> Spent:
        return self._spent

    @override
    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        reply = self._model.ask(self._task, self._chat.messages)
        before = self._spent
        self._spent = Spent(
            calls=before.calls + 1,
            input_tokens=before.input_tokens + reply.input_tokens,
            output_tokens=before.output_tokens + reply.output_tokens,
            cost=before.cost + reply.cost,
        )
        return first[0], self._chat.read(reply.text)
        yield


def acting(model: Model, task: str, language: WorldLanguage) -> ModelSeat:
    """Return a seat from which a model picks each action, thinking aloud before it (ReAct).

    Args:
        model: The model.
        task: Key of the task.
        language: The words of the world.
    """
    known = _listed("Actions of this world look like these", language.actions)
    return ModelSeat(model, task, ActingChat(_system("react.md") + known), Role.FLAT)


def planning(model: Model, task: str, subgoals: Iterable[str]) -> ModelSeat:
    """Return a seat from which a model sets sub-goals.

    Args:
        model: The model.
        task: Key of the task.
        subgoals: Sub-goals that the executor has learned; one of each name is shown.
    """
    by_name: dict[str, str] = {}
    for one in sorted(subgoals):
        by_name.setdefault(one.partition("(")[0], one)
    known = _listed("Sub-goals that the agent knows, one of each name", by_name.values())
    return ModelSeat(model, task, PlanningChat(_system("planner.md") + known), Role.PLANNER)


def _listed(head: str, names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"\n\n{head}: {listed}." if listed else ""


def _system(name: str) -> str:
    return system_message(read_text(PROMPTS / name))
