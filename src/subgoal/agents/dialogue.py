"""What passes between an agent and a world, turn by turn, whoever holds the world.

An agent decides on an action. Where the world does not know it, and the agent is grounded, what
says the same is sent instead, or the student is asked to choose (`grounding.py`). A `Dialogue`
works that out, and stops wherever a model or the world has to answer.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from subgoal.agents.base import Action, Agent, Ask, Surroundings, Turn
from subgoal.agents.grounding import numbered, replaceable, same_action
from subgoal.engines.base import Generated
from subgoal.environments.base import StepResult


class Replacement(StrEnum):
    """Why something else was sent than the agent wrote; the world did not know what it wrote."""

    REPAIRED = "repaired"
    """It says the same, word for word (`agents/grounding.py`)."""
    CHOSEN = "chosen"
    """The student was asked again and chose it among what the world knows (`decoding.choose`)."""
    OVERRULED = "overruled"
    """Whoever holds the world did something else."""


@dataclass(frozen=True)
class Sent:
    """An action that is on its way to the world, or was answered.

    Attributes:
        decided: What the agent decided.
        text: What is sent.
        replaced: Why it is sent in place of what was decided; None: it is what was decided.
    """

    decided: Action
    text: str
    replaced: Replacement | None = None


class Dialogue:
    """One agent in one episode, which it has begun.

    `go_on` until it returns an action, send that to the world, `answer` with the result; where that
    returns something, the step is taken: then `observe` it, or `end` the episode.

    Args:
        agent: Who plays; its `begin` was called.
        world: What is seen of the world beside its answers.
    """

    def __init__(self, agent: Agent, world: Surroundings) -> None:
        self._agent, self._world = agent, world
        self._turn: Turn = agent.act()
        self._queue: deque[Sent] = deque()  # decided, to be sent without asking anybody
        self._sent: Sent | None = None  # waits for the world's answer
        self._refused: Action | None = None  # something is being chosen in its place
        self._asked: Sequence[str] = ()  # the numbers of which the world wants to hear one
        self._spurned: set[str] = set()  # what the world has refused since it last did something

    def go_on(self, answer: Generated | None = None) -> Ask | Sent:
        """Go on until a model is asked, or an action is to be sent.

        Args:
            answer: The model's answer to what was asked last; None where nothing was.
        """
        while not self._queue:
            try:
                return next(self._turn) if answer is None else self._turn.send(answer)
            except StopIteration as decided:
                self._decided(decided.value)
                answer = None
        self._sent = self._queue.popleft()
        return self._sent

    def _decided(self, action: Action) -> None:
        refused, self._refused = self._refused, None
        if refused is not None:
            self._queue.append(Sent(refused, action.text, Replacement.CHOSEN))
            return
        unasked = bool(self._asked) and action.text not in self._asked
        if unasked and self._may_replace(action.text) and self._chooses(action, self._asked):
            return
        self._queue.append(Sent(action, action.text))

    def overrule(self, text: str) -> None:
        """Take note that something else was sent to the world than `go_on` returned."""
        if self._sent is None:
            raise RuntimeError("nothing was decided that could be overruled")
        if text != self._sent.text:
            self._sent = Sent(self._sent.decided, text, Replacement.OVERRULED)

    def answer(self, result: StepResult) -> Sent | None:
        """Take the world's answer to what was sent.

        Returns:
            What was sent, where the step is taken with it; None where something else is to be sent
            in its place: go on.
        """
        sent = self._sent
        if sent is None:
            raise RuntimeError("the world answered before anything was sent to it")
        self._sent = None
        if result.accepted:
            self._spurned.clear()
        else:
            self._spurned.add(sent.text)
            if sent.replaced is None and self._replaces(sent.decided):
                return None
        self._asked = numbered(result.observation, self._world.language)
        return sent

    def observe(self, sent: Sent, result: StepResult) -> None:
        """Show the agent what the step that was taken brought; its next turn begins."""
        self._agent.observe(sent.text, result)
        self._turn = self._agent.act()

    def end(self, sent: Sent) -> None:
        """Tell the agent that the step that was taken was the last one."""
        self._agent.end(sent.text)

    def _replaces(self, action: Action) -> bool:
        """Find something for the place of an action that the world does not know, if it may."""
        if not self._may_replace(action.text):
            return False
        language = self._world.language
        valid = [
            one
            for one in self._world.valid_actions()
            if one not in self._spurned and replaceable(one, language)
        ]
        same = same_action(action.text, valid)
        if same is not None:
            self._queue.append(Sent(action, same, Replacement.REPAIRED))
            return True
        return bool(valid) and self._chooses(action, valid)

    def _may_replace(self, written: str) -> bool:
        return self._agent.grounded and replaceable(written, self._world.language)

    def _chooses(self, action: Action, valid: Sequence[str]) -> bool:
        """Let the agent choose something for the place of an action, if it does such a thing."""
        choice = self._agent.choose(valid)
        if choice is None:
            return False
        self._refused, self._turn = action, choice
        return True
