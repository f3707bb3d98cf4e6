"""`subgoal play`: watch one episode in the terminal, or play it yourself."""

from typing import TYPE_CHECKING

from subgoal.agents.config import AgentName
from subgoal.cli.options import StageOptions
from subgoal.cli.output import out, say
from subgoal.environments.base import Task
from subgoal.environments.registry import make
from subgoal.evaluation.config import EvaluateConfig
from subgoal.evaluation.protocol import protocol
from subgoal.run_folder import RunFolder

if TYPE_CHECKING:
    from subgoal.agents.factory import AgentShop


class PlayOptions(StageOptions):
    """Watch one episode in the terminal, sub-goals and actions coloured, or play it yourself."""

    task: str = ""
    """Task type; empty: the first one of the protocol."""
    variation: int = 0
    """Number of the task variation within the protocol's split, from 0."""
    agent: str = AgentName.HIERARCHICAL
    """Who plays. With the run folder's students: `hierarchical`, `flat`, `random_subgoals`,
    `semi_random_subgoals`, `random_action` or `oracle`. Without a run folder: the name of an agent
    that ships with subgoal (`scienceworld`), or an agent's folder."""
    by_hand: bool = False
    """Play yourself, on the keyboard."""
    delay: float = 0.0
    """Seconds to wait after every step."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """The world, the protocol, how students write, and on which engine."""


OPTIONS = PlayOptions


def command(options: PlayOptions) -> None:
    """Run the verb."""
    from subgoal.report.play import play_by_hand, watch

    task = _chosen(options)
    if options.by_hand:
        with make(options.evaluate.environment) as world:
            play_by_hand(world, task, out)
    else:
        rules = protocol(options.evaluate.protocol)
        name, kind, shop = _player(options)
        make_agent = shop.factory(kind)
        for note in shop.strange(kind, [task]):
            say(f"Note: {note}", "yellow")
        watch(task, make_agent, name, rules, out, options.delay)


def _chosen(options: PlayOptions) -> Task:
    rules = protocol(options.evaluate.protocol)
    with make(options.evaluate.environment) as world:
        tasks = world.tasks(rules.split, rules.simplifications)
    name = options.task or rules.select(tasks, options.evaluate.types)[0].name
    return rules.find(tasks, name, options.variation)


def _player(options: PlayOptions) -> "tuple[str, AgentName, AgentShop]":
    """Return the agent's name, its kind, and what makes it."""
    from subgoal.agents.factory import AgentShop
    from subgoal.agents.released import ReleasedAgent
    from subgoal.cli.agent import named
    from subgoal.evaluation.evaluate import subgoals_of

    agent, asked = named(options.agent), options.evaluate
    playing = asked.decoding, asked.engine, asked.threads
    if isinstance(agent, ReleasedAgent):
        agent.check_world(asked.environment)
        return agent.name, agent.card.kind, AgentShop(agent.folder, (), *playing)
    folder = RunFolder(options.run)
    subgoals = subgoals_of(asked, folder) if agent is AgentName.RANDOM_SUBGOALS else ()
    return agent, agent, AgentShop(folder / "students", subgoals, *playing)
