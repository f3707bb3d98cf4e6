"""`subgoal play`: watch one episode in the terminal, or play it yourself."""

from subgoal.agents.config import AgentName
from subgoal.cli.options import RunOptions
from subgoal.cli.output import out
from subgoal.environments.registry import make
from subgoal.evaluation.config import EvaluateConfig
from subgoal.run_folder import RunFolder


class PlayOptions(RunOptions):
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
    from subgoal.cli.agent import named
    from subgoal.report.play import chosen_task, play_by_hand, watch_agent

    task = chosen_task(options.evaluate, options.task, options.variation)
    if options.by_hand:
        with make(task.environment) as world:
            play_by_hand(world, task, out)
    else:
        agent, folder = named(options.agent), RunFolder(options.run)
        watch_agent(agent, options.evaluate, folder, task, out, options.delay)
