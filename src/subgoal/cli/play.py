"""`subgoal play`: watch one episode in the terminal, or play it yourself."""

import sys
import time
from collections.abc import Sequence

from rich.text import Text

from subgoal.agents.load import AgentName, AgentShop
from subgoal.agents.watched import WatchedAgent
from subgoal.annotation import annotate
from subgoal.cli.options import StageOptions, read_options
from subgoal.cli.output import out, say
from subgoal.environments.environment import Environment, Observation, StepResult, Task
from subgoal.environments.pool import Pool
from subgoal.environments.protocol import protocol
from subgoal.environments.registry import make
from subgoal.errors import TaskUnknown, nearest
from subgoal.evaluation.evaluate import EvaluateConfig
from subgoal.evaluation.rollout import rollout
from subgoal.run_folder import RunFolder

_HELP = "an action, or ? for the actions that are valid, or q to leave"


class PlayOptions(StageOptions):
    """Watch one episode in the terminal, sub-goals and actions coloured, or play it yourself."""

    task: str = ""
    """Task type; empty: the first of the protocol's."""
    variation: int = 0
    """Which of the type's variations in the protocol's split, from 0."""
    agent: AgentName = AgentName.HIERARCHICAL
    """Who plays."""
    by_hand: bool = False
    """You play."""
    delay: float = 0.0
    """Seconds to wait after every step."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """The world, the protocol and how students write."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(PlayOptions, "play", words, ["evaluate"])
    task = _chosen(options)
    if options.by_hand:
        with make(options.evaluate.environment) as world:
            play_by_hand(world, task)
    else:
        watch(options, task)


def _chosen(options: PlayOptions) -> Task:
    rules = protocol(options.evaluate.protocol)
    with make(options.evaluate.environment) as world:
        tasks = world.tasks(rules.split, rules.simplifications)
    names = list(dict.fromkeys(task.name for task in tasks))
    name = options.task or (options.evaluate.types or tuple(names))[0]
    mine = [task for task in tasks if task.name == name]
    if not mine:
        raise TaskUnknown(f"there is no task type '{name}'{nearest(name, names)}")
    if not 0 <= options.variation < len(mine):
        raise TaskUnknown(f"'{name}' has variations 0 to {len(mine) - 1} in split {rules.split}")
    return mine[options.variation]


def watch(options: PlayOptions, task: Task) -> None:
    """Let an agent play a task, and show every step."""
    folder, config = RunFolder(options.run), options.evaluate
    pool_of_subgoals = (
        sorted({str(span.subgoal) for one in annotate.journal(folder) for span in one.spans})
        if options.agent is AgentName.RANDOM_SUBGOALS
        else ()
    )
    factory = AgentShop(folder / "students", pool_of_subgoals, config.decoding).factory(
        options.agent
    )
    shown = _Screen(options.delay)
    with Pool(config.environment, 1) as pool:
        (episode,) = rollout(
            [task],
            lambda task, world: WatchedAgent(
                factory(task, world), shown.opened, shown.decided, shown.answered
            ),
            options.agent,
            protocol(config.protocol),
            pool,
        )
    if episode.steps:
        last = episode.steps[-1]
        shown.answer(last.action, last.observation, last.score)
    say(
        f"\n{episode.stop_reason}: score {episode.score} after {len(episode.steps)} steps, "
        f"{episode.seconds:.1f} s, {episode.tokens:,} tokens",
        "bold",
    )


class _Screen:
    """Shows an episode line by line."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._goal = self._said = ""

    def opened(self, opening: Observation) -> None:
        say(opening.task.description, "bold")
        say(opening.look, "dim")

    def decided(self, goal: str, action: str) -> None:
        if goal and goal != self._goal:
            say(f"\n{goal}", "bold magenta")
        self._goal, self._said = goal, action
        say(f"  > {action}", "cyan")

    def answered(self, action: str, result: StepResult) -> None:
        self.answer(action, result.observation, result.score)
        time.sleep(self._delay)

    def answer(self, action: str, observation: str, score: int) -> None:
        if action != self._said:
            say(f"  > {action} (in its place: the world did not know that)", "yellow")
        out.print(Text(f"    {observation}  ").append(f"[{score}]", "green"), soft_wrap=True)


def play_by_hand(world: Environment, task: Task) -> None:
    """Let a person play a task; actions are read from standard input."""
    opening = world.reset(task)
    say(opening.task.description, "bold")
    say(opening.look, "dim")
    say(opening.inventory, "dim")
    say(_HELP, "italic")
    for line in sys.stdin:
        action = line.strip()
        if action == "q":
            return
        if action == "?":
            say("\n".join(world.valid_actions()))
            continue
        result = world.step(action)
        out.print(Text(result.observation + "  ").append(f"[{result.score}]", "green"))
        if result.stop_reason is not None:
            say(f"{result.stop_reason}: score {result.score}", "bold")
            return
