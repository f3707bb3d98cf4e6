"""One episode live in the terminal: watched step by step, or played by a person."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from typing_extensions import override

from subgoal.agents.config import AgentName
from subgoal.annotation.teachers.llm.config import OpenAIConfig
from subgoal.environments.base import Ability, Environment, Observation, StopReason, Task, has
from subgoal.environments.config import WorldConfig
from subgoal.environments.pool import Pool
from subgoal.environments.registry import WorldOptions
from subgoal.environments.registry import make as make_world
from subgoal.errors import nearest
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.play import MakeAgent, Play, Spectator, play_alone
from subgoal.evaluation.protocol import Protocol
from subgoal.evaluation.protocol import protocol as named_protocol
from subgoal.evaluation.step_limits import StepLimits
from subgoal.evaluation.tables import label
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.replay import Situation, walk
from subgoal.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from subgoal.agents.released import ReleasedAgent

SUBGOAL_STYLES = ("magenta", "cyan", "yellow", "green", "blue", "bright_red")
"""Colours of sub-goals; one function name keeps its colour within an episode."""

HELP = "Type an action; ? lists the actions that are valid, ? door those with 'door', q leaves."
"""What a person is told."""

BY_HAND = "by hand"
"""Where the path of a person comes from."""

SHOWN_ACTIONS = 60
"""Most valid actions that are listed at once."""


class Screen(Spectator):
    """Shows an episode as it is played.

    Args:
        console: Where to.
        delay: Seconds to wait after every step.
    """

    def __init__(self, console: Console, delay: float = 0.0) -> None:
        self._console, self._delay = console, delay
        self._styles: dict[str, str] = {}
        self._subgoal, self._score, self._count = "", 0, 0

    @override
    def begin(self, opening: Observation) -> None:
        self._subgoal, self._score, self._count = "", 0, 0
        show_opening(self._console, opening)

    @override
    def step(self, step: EpisodeStep) -> None:
        if step.subgoal != self._subgoal:
            self._subgoal = step.subgoal
            self._print(f"\n{step.subgoal or 'no sub-goal'}", f"bold {self._style(step.subgoal)}")
        self._count += 1
        line = Text(f"{self._count:>4} ", style="dim")
        line.append("> ", style=self._style(step.subgoal))
        line.append(step.action, style="bold")
        if step.predicted:
            line.append(
                f"   ({step.replaced or 'sent'} in place of: {step.predicted})", style="yellow"
            )
        if not step.accepted:
            line.append("   (not an action of the world)", style="red")
        self._console.print(line, soft_wrap=True)
        show_answer(self._console, step.observation, step.score, self._score)
        self._score = step.score
        time.sleep(self._delay)

    def _style(self, subgoal: str) -> str:
        name = subgoal.split("(", maxsplit=1)[0]
        return self._styles.setdefault(
            name, SUBGOAL_STYLES[len(self._styles) % len(SUBGOAL_STYLES)] if name else "dim"
        )

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)


def show_opening(console: Console, opening: Observation) -> None:
    """Print the task, the room and the inventory."""
    console.print(Text(opening.task.description, style="bold"), soft_wrap=True)
    console.print(Text(opening.look, style="dim"), soft_wrap=True)
    console.print(Text(opening.inventory, style="dim"), soft_wrap=True)


def show_answer(console: Console, observation: str, score: int, before: int) -> None:
    """Print the world's answer, and the score where it has changed."""
    answer = Text("     ").append(observation.strip().replace("\n", "\n     "), style="dim")
    if score != before:
        answer.append(
            f"  [{score - before:+}, score {score}]", "green" if score > before else "red"
        )
    console.print(answer, soft_wrap=True)


def chosen_task(
    config: EvaluateConfig, name: str = "", variation: int = 0, learned: WorldConfig | None = None
) -> Task:
    """Return a task of the configured protocol, or one to learn from.

    Args:
        config: The world, the protocol and its task types.
        name: The task type; empty: the first one.
        variation: Which of the type's variations in the split, from 0.
        learned: The world as paths are collected in it, where the path is to be learned from:
            then the task is of the training split; None: of the protocol's.

    Raises:
        ConfigInvalid: The protocol or the world does not exist.
        TaskUnknown: The type or the variation does not.
    """
    with make_world(config.environment, **config.options) as world:
        rules = named_protocol(config.protocol, config.environment)
        if learned is not None:
            simple = learned.simplifications
            rules = rules.model_copy(update={"split": "train", "simplifications": simple})
        tasks = world.tasks(rules.split, rules.simplifications)
    return rules.find(tasks, name or rules.select(tasks, config.types)[0].name, variation)


def watch_agent(
    agent: "AgentName | ReleasedAgent",
    config: EvaluateConfig,
    folder: RunFolder,
    task: Task,
    console: Console,
    delay: float = 0.0,
    openai: OpenAIConfig | None = None,
) -> Episode:
    """Let an agent play a task, shown step by step.

    Args:
        agent: One of the run folder, or one that is ready.
        config: The world, the protocol, how students write, and what they play on.
        folder: The run folder with the students.
        task: What is played.
        console: Where to show it.
        delay: Seconds to wait after every step.
        openai: The model behind an endpoint, for an agent that asks one.

    Raises:
        ConfigInvalid: The agent plays another world.
        StudentInvalid: A student is missing or damaged.
    """
    from subgoal.agents.factory import AgentShop
    from subgoal.agents.released import ReleasedAgent

    playing = config.decoding, config.engine
    if isinstance(agent, ReleasedAgent):
        agent.check_world(config.environment)
        name, kind = agent.name, agent.card.kind
        shop = AgentShop(agent.folder, (), *playing)
    else:
        name, kind = str(agent), agent
        shop = AgentShop(folder / "students", _drawn_from(agent, config, folder), *playing)
    with make_world(config.environment, **config.options) as world:
        rules = named_protocol(config.protocol, config.environment)
        rules = StepLimits(folder).filled(rules, [task], world, config.options)
    with ExitStack() as resources:
        if kind.paid:
            from subgoal.agents.llm.model import model_of

            shop.model = resources.enter_context(model_of(openai or OpenAIConfig(), folder))
        make = shop.factory(kind)
        for note in shop.strange(kind, [task]):
            console.print(Text(f"Note: {note}", style="yellow"), soft_wrap=True)
        return watch(task, make, name, rules, console, delay, config.options)


def _drawn_from(agent: AgentName, config: EvaluateConfig, folder: RunFolder) -> Sequence[str]:
    if not agent.needs_subgoals:
        return ()
    from subgoal.evaluation.evaluate import subgoals_of

    return subgoals_of(config, folder)


def watch(
    task: Task,
    make: MakeAgent,
    name: str,
    protocol: Protocol,
    console: Console,
    delay: float = 0.0,
    options: WorldOptions | None = None,
) -> Episode:
    """Let an agent play a task, shown step by step.

    Args:
        task: What is played; its world is started.
        make: Makes the agent.
        name: The agent's name.
        protocol: Limits and score.
        console: Where to show it.
        delay: Seconds to wait after every step.
        options: What the world is made with.
    """
    with Pool(task.environment, 1, options=options) as pool:
        episode = play_alone(Play(task, make, name, protocol, pool, Screen(console, delay)))
    console.print(
        Text(
            f"\n{label(name)}: {label(episode.stop_reason)}, score {episode.score} after "
            f"{len(episode.steps)} steps, {episode.seconds:.1f} s, {episode.tokens:,} tokens",
            style="bold",
        ),
        soft_wrap=True,
    )
    if episode.error:
        console.print(Text(episode.error, style="red"), soft_wrap=True)
    return episode


def play_by_hand(
    world: Environment, task: Task, console: Console, read: Callable[[], str] | None = None
) -> Trajectory:
    """Let a person play a task.

    Args:
        world: The world.
        task: What is played.
        console: Where to show it.
        read: Returns the next line that the person types, or raises EOFError; None: a prompt.

    Returns:
        The path; it ends with `path_end` where the person left.
    """
    person = _Person(world, console, read or (lambda: console.input(Text("> ", "bold cyan"))))
    path = walk(world, task, person.decide, BY_HAND, sys.maxsize)
    if path.stop_reason is not StopReason.PATH_END:
        last = path.steps[-1]
        person.show(last.observation, last.score)
        said = f"{label(path.stop_reason)}: score {last.score} after {last.moves} moves"
        console.print(Text(said, style="bold"))
    return path


class _Person:
    """Asks a person for each action, and shows what it brought."""

    def __init__(self, world: Environment, console: Console, ask: Callable[[], str]) -> None:
        self._world, self._console, self._ask = world, console, ask
        self._score = 0

    def decide(self, now: Situation) -> str | StopReason:
        if now.history:
            self.show(now.observation, now.score)
        else:
            opening = Observation(task=now.task, look=now.look, inventory=now.inventory)
            show_opening(self._console, opening)
            self._console.print(Text(HELP, style="italic"))
        if not now.accepted and has(self._world, Ability.VALID_ACTIONS):
            hint = nearest(now.history[-1][0], now.valid_actions).removeprefix(", ")
            hint = hint or "? lists the actions that are valid"
            self._console.print(Text(f"     {hint}", style="yellow"), soft_wrap=True)
        return self._typed()

    def show(self, observation: str, score: int) -> None:
        show_answer(self._console, observation, score, self._score)
        self._score = score

    def _typed(self) -> str | StopReason:
        while True:
            try:
                action = self._ask().strip()
            except (EOFError, KeyboardInterrupt):
                return StopReason.PATH_END
            if not action.startswith("?"):
                return StopReason.PATH_END if action == "q" else action
            _list_actions(self._console, self._world, action[1:].strip())


def _list_actions(console: Console, world: Environment, words: str) -> None:
    if not has(world, Ability.VALID_ACTIONS):
        said = f"world '{world.name}' has no method {Ability.VALID_ACTIONS}: nothing can be listed"
        console.print(Text(f"     {said}", style="yellow"), soft_wrap=True)
        return
    found = sorted(action for action in world.valid_actions() if words in action)
    for action in found[:SHOWN_ACTIONS]:
        console.print(Text(f"     {action}"), soft_wrap=True)
    if len(found) > SHOWN_ACTIONS:
        more = len(found) - SHOWN_ACTIONS
        console.print(Text(f"     and {more} more; narrow them down: ? door", style="dim"))
