"""`subgoal evaluate`: play a protocol's tasks with the agents."""

from pathlib import Path
from typing import Any, ClassVar

from subgoal.agents.config import AgentName, Decoding
from subgoal.annotation.config import AnnotateConfig
from subgoal.cli.agent import playing
from subgoal.cli.options import WorldOptions
from subgoal.cli.output import say, show
from subgoal.engines.config import EngineConfig
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Rare
from subgoal.summary import files


class EvaluateOptions(WorldOptions):
    """Let agents play the tasks of a protocol; every finished episode is kept.

    Tune on `dev`; `test` (of ScienceWorld: `paper`, `plain`, `swiftsage`, `unseen`) is for what is
    reported.
    Example: subgoal evaluate --run runs/mine --evaluate.protocol dev
    """

    once: ClassVar[bool] = True
    agent: str = ""
    """Play with a ready agent instead of the run folder's students. One that ships with subgoal, by
    name (`scienceworld`), or an agent's folder. Its world, protocol and decoding are used unless
    they are given here or in `config`."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Which agents play which tasks."""
    annotate: Rare[AnnotateConfig] = AnnotateConfig()
    """The model of `react`, `llm_planner` and `asks_when_stuck`, in `annotate.openai`."""
    decoding: Decoding = Decoding()
    """How students write when they play."""
    engine: EngineConfig = EngineConfig()
    """What computes students when they play."""
    annotations: Rare[Path | None] = None
    """File of annotated trajectories, from whose sub-goals `random_subgoals` draws; left out: the
    run folder's own."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = EvaluateOptions


def command(options: EvaluateOptions) -> None:
    """Run the verb."""
    ready = playing(options.agent, options.world.environment) if options.agent else None
    job = options.job()
    changes: dict[str, Any] = {}
    if isinstance(ready, AgentName):
        ready, changes = None, {"agents": (ready,)}
    with options.cluster() as cluster:
        summary = job.evaluate(**options.where(), cluster=cluster, agent=ready, **changes)
    show(summary)
    students = ready.folder if ready else job.folder / "students"
    for line in files(students, job.folder / "evaluation" / summary.protocol):
        say(line.text, "dim")
