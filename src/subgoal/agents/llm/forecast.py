"""What a collection by a language model is expected to need, before anything is sent.

One task of each type is played by a stand-in that acts as a known path or the world's oracle does,
so that each request is counted as it would be sent.
"""

from collections import Counter
from collections.abc import Sequence

from typing_extensions import override

from subgoal.agents.llm.expert import MOST_ACTIONS, ModelExpert
from subgoal.agents.llm.model import question, spoken_to
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.annotation.teachers.llm.cost import money
from subgoal.annotation.teachers.llm.ledger import Reply
from subgoal.annotation.teachers.llm.prompt import Messages
from subgoal.annotation.teachers.llm.sender import Requests
from subgoal.environments.base import Ability, Environment, Task, has
from subgoal.environments.registry import make
from subgoal.errors import ConfigInvalid
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.trajectories.collect import planned
from subgoal.trajectories.config import CollectConfig, PathSource
from subgoal.trajectories.replay import Order
from subgoal.trajectories.storage import shipped_paths

_THOUGHT = (
    "The last answer shows where I am and what I have. What is left is to reach the thing that the "
    "task names, so the next action is the one that leads there."
)
_GUESS = 30
"""Actions of a path where nobody knows one."""


class CollectForecast(Summary):
    """What a collection by a language model is expected to need; nothing was sent."""

    model: str
    """Who would act."""
    episodes: dict[str, int]
    """Episodes by task type."""
    guessed: tuple[str, ...]
    """Task types of which no path is known: their episodes are taken to have 30 actions."""
    calls: int
    """Requests."""
    input_tokens: int
    """Tokens that the model reads."""
    output_tokens: int
    """Tokens that it writes, a thought of two sentences a turn."""
    cost: float | None
    """Money for both; None where the price table does not have the model."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return what would be sent, and what it costs."""
        unpriced = f"unknown: '{self.model}' is not in [annotate.openai.prices]"
        count = sum(self.episodes.values())
        head = f"dry run: {count} episodes of '{self.model}', {self.calls} calls; nothing was sent"
        wandering = f"one that wanders may take {MOST_ACTIONS} actions an episode"
        lines = [
            f"  input   {self.input_tokens:,} tokens",
            f"  output  about {self.output_tokens:,} tokens, two sentences and an action a turn",
            f"  cost    {unpriced if self.cost is None else f'{self.cost:.4g} by the price table'}",
            f"  counted as if the model acted as the oracle does; {wandering}",
            "  --annotate.openai.budget sets limits",
        ]
        if self.guessed:
            lines.append(f"  no path is known of {', '.join(self.guessed)}: {_GUESS} actions each")
        return [TextLine(text=head, tone=Tone.STRONG), *(TextLine(text=line) for line in lines)]


class _StandIn:
    """Answers as a model would that knows a path; counts what it is asked."""

    def __init__(self, requests: Requests, actions: Sequence[str], idle: str) -> None:
        self._requests, self._actions, self._idle = requests, iter(actions), idle
        self.calls = self.read = self.written = 0

    def ask(self, task: str, messages: Messages) -> Reply:
        text = f"Thought: {_THOUGHT}\nAction: {next(self._actions, self._idle)}"
        self.calls += 1
        self.read += self._requests.of(task, question(messages)).expected.input_tokens
        self.written += self._requests.counter.count(text)
        return Reply(text=text)


def forecast(config: CollectConfig, openai: OpenAIConfig) -> CollectForecast:
    """Estimate what a collection needs, without sending anything; no API key is needed.

    Args:
        config: What is collected.
        openai: The model that acts, and its prices.

    Raises:
        ConfigInvalid: Nobody is paid for it, or no model is named, or there is nothing to collect.
        EnvironmentFailed: The world died.
    """
    if config.source != PathSource.REACT:
        raise ConfigInvalid(f"collect.source = '{config.source}' is free: nothing would be sent")
    requests = Requests(spoken_to(openai))
    tasks = [plan.task for plan in planned(config)[0]]
    episodes = Counter(task.name for task in tasks)
    first = {task.name: task for task in reversed(tasks)}
    guessed: list[str] = []
    calls = read = written = 0
    with make(config.environment, **config.options) as world:
        for name, task in first.items():
            path = _path(world, task)
            guessed += [] if path else [name]
            asked = _StandIn(requests, path, world.language.looking or "look")
            limit = min(MOST_ACTIONS, len(path) or _GUESS)
            order = Order(task=task, source="react", actions=None, max_moves=config.max_moves)
            ModelExpert(asked, openai, limit).path(world, order)
            calls += asked.calls * episodes[name]
            read += asked.read * episodes[name]
            written += asked.written * episodes[name]
    return CollectForecast(
        model=openai.model,
        episodes=dict(episodes),
        guessed=tuple(guessed),
        calls=calls,
        input_tokens=read,
        output_tokens=written,
        cost=money(requests.prices, openai.model, read, written),
    )


def _path(world: Environment, task: Task) -> Sequence[str]:
    """Return actions that solve a task; none where nobody knows them."""
    known = shipped_paths(task.environment).get((task.name, task.variation))
    if known is not None:
        return known.actions
    return world.oracle_path(task) if has(world, Ability.ORACLE_PATH) else ()
