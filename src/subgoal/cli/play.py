"""`subgoal play`: watch one episode in the terminal, or play it yourself."""

from collections.abc import Sequence

from subgoal.agents.load import AgentName, AgentShop
from subgoal.annotation import annotate
from subgoal.cli.options import StageOptions, read_options
from subgoal.cli.output import out
from subgoal.environments.environment import Task
from subgoal.environments.protocol import protocol
from subgoal.environments.registry import make
from subgoal.errors import TaskUnknown, nearest
from subgoal.evaluation.evaluate import EvaluateConfig
from subgoal.evaluation.play import MakeAgent
from subgoal.report.play import play_by_hand, watch
from subgoal.run_folder import RunFolder


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
    """The world, the protocol, how students write, and what they play on."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(PlayOptions, "play", words, ["evaluate"])
    task = _chosen(options)
    if options.by_hand:
        with make(options.evaluate.environment) as world:
            play_by_hand(world, task, out)
    else:
        rules = protocol(options.evaluate.protocol)
        watch(task, _factory(options), options.agent, rules, out, options.delay)


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


def _factory(options: PlayOptions) -> MakeAgent:
    folder = RunFolder(options.run)
    subgoals = (
        sorted({str(span.subgoal) for one in annotate.journal(folder) for span in one.spans})
        if options.agent is AgentName.RANDOM_SUBGOALS
        else ()
    )
    asked = options.evaluate
    shop = AgentShop(folder / "students", subgoals, asked.decoding, asked.engine, asked.threads)
    return shop.factory(options.agent)
