"""`subgoal play`: watch one episode in the terminal, or play it yourself."""

from pathlib import Path
from typing import TYPE_CHECKING

from subgoal.agents.config import AgentName, Decoding
from subgoal.annotation.config import AnnotateConfig
from subgoal.cli.options import RunOptions
from subgoal.cli.output import out, say
from subgoal.engines.config import EngineConfig
from subgoal.environments.config import WorldConfig
from subgoal.environments.registry import make
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Rare
from subgoal.storage.run_folder import RunFolder
from subgoal.trajectories.storage import add_path, check_list

if TYPE_CHECKING:
    from subgoal.evaluation.episode import Episode
    from subgoal.trajectories.trajectory import Trajectory


class PlayOptions(RunOptions):
    """Watch an agent play one episode in the terminal, or play it yourself.

    Example: subgoal play --agent scienceworld --task find-plant
    """

    task: str = ""
    """Task type; empty: the first one of the protocol."""
    variation: int = 0
    """Number of the task variation within the protocol's split, or the training split where the
    path is recorded; from 0."""
    agent: str = AgentName.HIERARCHICAL
    """Who plays: an agent of the run folder, or a ready one, by name (`scienceworld`) or folder. Of
    the run folder: `hierarchical`, `flat`, `random_subgoals`, `semi_random_subgoals`,
    `random_action`, `oracle`, `react`, `llm_planner` or `asks_when_stuck`."""
    by_hand: bool = False
    """Play yourself, on the keyboard."""
    record: Path | None = None
    """File (.jsonl) to which the path is added, for `collect --collect.paths`. The task is of the
    training split then; actions that the world did not know are left out."""
    delay: float = 0.0
    """Seconds to wait after every step."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """The world, the protocol, how students write, and on which engine."""
    annotate: Rare[AnnotateConfig] = AnnotateConfig()
    """The model of an agent that asks one, in `annotate.openai`."""
    world: WorldConfig = WorldConfig()
    """The world of all stages."""
    decoding: Decoding = Decoding()
    """How students write when they play."""
    engine: EngineConfig = EngineConfig()
    """What computes students when they play."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = PlayOptions


def command(options: PlayOptions) -> None:
    """Run the verb."""
    from subgoal.cli.agent import playing
    from subgoal.report.play import chosen_task, play_by_hand, watch_agent

    agent = playing(options.agent, options.world.environment)
    config = options.job().config
    learned = None
    if options.record is not None:
        check_list(options.record)
        learned = config.world
    task = chosen_task(config.evaluate, options.task, options.variation, learned)
    if options.by_hand:
        with make(task.environment, **config.world.options) as world:
            path = play_by_hand(world, task, out)
    else:
        folder = RunFolder(options.run)
        openai = config.annotate.openai
        path = watch_agent(agent, config.evaluate, folder, task, out, options.delay, openai)
    if options.record is not None:
        _record(options.record, path)


def _record(file: Path, path: "Trajectory | Episode") -> None:
    """Add what was played to a list of paths."""
    actions = [step.action for step in path.steps if step.accepted]
    if not actions:
        say("nothing was done, and nothing is recorded")
        return
    add_path(file, path.task, actions)
    say(f"{len(actions)} actions ({path.stop_reason}) added to {file}", "bold")
    say(f"collect them: subgoal collect --collect.paths {file}")
