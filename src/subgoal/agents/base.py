"""The contract of an agent, and what it returns.

An agent plays one episode. `act` is a generator: where it needs a language model it yields an
`Ask` and is sent the answer. Whoever drives many episodes can so answer all their asks in one
batch; an agent that needs no model just returns.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from subgoal.engines.base import Engine, Generated, Generation
from subgoal.environments.base import Environment, Observation, StepResult
from subgoal.environments.language import WorldLanguage
from subgoal.record import Record
from subgoal.text.format import Role, Text, View
from subgoal.text.tokenizers.marks import Mark


class Action(Record):
    """What an agent decided."""

    text: str
    """The elementary action."""
    subgoal: str | None = None
    """The sub-goal that it pursues; None for agents without sub-goals."""


@dataclass(frozen=True)
class Ask:
    """A request to a language model."""

    engine: Engine
    """Which model."""
    request: Generation
    """What it is asked."""
    marks: tuple[Mark, ...] = ()
    """What the turn that it writes may begin with."""


class Surroundings(View, Protocol):
    """What an agent may see of a world beside its answers; an `Environment` is one."""

    @property
    def language(self) -> WorldLanguage:
        """The words of its actions and answers."""
        ...

    def valid_actions(self) -> Sequence[str]:
        """List the actions that the world accepts now; empty where it lists none."""
        ...


class Unlisted:
    """A world seen without its list of actions.

    Args:
        world: The world.
    """

    def __init__(self, world: Environment) -> None:
        self.language = world.language
        self.look, self.inventory = world.look, world.inventory

    def valid_actions(self) -> Sequence[str]:
        """List nothing."""
        return ()


Turn = Generator[Ask, Generated, Action]
"""One decision: yields asks, is sent answers, returns the action."""


class Spent(Record):
    """What a language model behind an endpoint was asked in an episode, and what that cost.

    A reply from the ledger counts as it did when it was paid for.
    """

    calls: int = 0
    """Requests."""
    input_tokens: int = 0
    """Tokens that the model read."""
    output_tokens: int = 0
    """Tokens that it wrote."""
    cost: float = 0.0
    """Money for both, by the price table."""

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens


class Hearer(Protocol):
    """What is told of an episode as it goes on, and remembers it in its own form."""

    def open(self, description: str, now: View, tools: str = "") -> None:
        """Hear the beginning."""
        ...

    def goal(self, subgoal: str) -> None:
        """Hear that a sub-goal is set."""
        ...

    def act(self, action: str) -> None:
        """Hear what was sent."""
        ...

    def observe(self, answer: StepResult, now: View) -> None:
        """Hear what the world answered."""
        ...

    def done(self, now: View) -> None:
        """Hear that the sub-goal has ended."""
        ...

    def abandon(self, now: View) -> None:
        """Hear that the sub-goal was given up before anything was done for it."""
        self.done(now)


class Seat(ABC):
    """A model in one episode: a student, or one behind an endpoint.

    Attributes:
        role: What it is there for.
        grounded: Whether what the world does not know may be replaced.
        chooses: Whether it chooses among valid actions where its own is not known.
        free: Whether it may end a sub-goal wherever it is asked.
        asked_always: Whether it sets sub-goals before every step.
        draws: Whether it can write another turn in place of one that did not serve.
    """

    role: Role
    grounded: bool = True
    chooses: bool = False
    free: bool = False
    asked_always: bool = False
    draws: bool = False

    @property
    def shortened(self) -> int:
        """How many of its texts were too long and were shortened."""
        return 0

    @property
    def spent(self) -> Spent:
        """What it was paid."""
        return Spent()

    @property
    @abstractmethod
    def context(self) -> Hearer:
        """What it knows of the episode."""

    @abstractmethod
    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        """Write a turn that begins with one of the marks.

        Returns:
            The mark that it chose, and the text after it (empty for `done` and `complete`).
        """

    def draw(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        """Write a turn as `write` does, but drawn at random, where it `draws`."""
        raise NotImplementedError

    def choose(self, valid: Sequence[str]) -> Generator[Ask, Generated, str]:
        """Choose one of some actions, where it `chooses`."""
        raise NotImplementedError

    def texts(self) -> list[Text]:
        """Return the texts of the episode, the last one closed: it has ended."""
        return []

    def close(self) -> None:  # noqa: B027
        """Free what it held."""


class Agent(ABC):
    """Plays one episode: `begin`, then `act` and `observe` in turn, then `close`."""

    grounded: bool = True
    """True where an action that the world does not know may be replaced (`agents/grounding.py`);
    False where all is sent as it was written."""

    @property
    def shortened(self) -> int:
        """How many texts of its students were too long for them and were shortened by a rule."""
        return 0

    @property
    def spent(self) -> Spent:
        """What a model behind an endpoint was asked, and what that cost."""
        return Spent()

    def begin(self, opening: Observation, world: Surroundings) -> None:  # noqa: B027
        """Take the episode's beginning; `world` answers `look`, `inventory`, `valid_actions`."""

    @abstractmethod
    def act(self) -> Turn:
        """Decide on the next action."""

    def choose(self, valid: Sequence[str]) -> Turn | None:
        """Choose among actions that the world accepts, in place of one that it did not know.

        Args:
            valid: The actions to choose from; at least one.

        Returns:
            The turn that decides; None where the agent does not choose: then its action stands.
        """
        del valid
        return None

    def observe(self, action: str, result: StepResult) -> None:  # noqa: B027
        """Take the world's answer to `action`, which may be the decided one grounded."""

    def end(self, action: str) -> None:  # noqa: B027
        """Take note of the last `action`, with which the episode ended; nothing answers it."""

    def texts(self) -> dict[Role, list[Text]]:
        """Return the texts that its students have read and written, by role, once it has played."""
        return {}

    def close(self) -> None:  # noqa: B027
        """The episode has ended: free what it held."""
