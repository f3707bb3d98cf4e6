"""`subgoal assess`: are the students good enough? Asked on held-out paths, without a world."""

from pathlib import Path
from typing import ClassVar

from subgoal.agents.config import Decoding
from subgoal.cli.options import StageOptions
from subgoal.cli.output import show
from subgoal.engines.config import EngineConfig
from subgoal.evaluation.config import AssessConfig
from subgoal.record import Own, Rare


class AssessOptions(StageOptions):
    """Ask students what they would do at every turn of paths that they were not trained on.

    The true turn follows, whatever they say. Told is how often a turn is exactly right, or its
    tool, its arguments, and the choice to speak or to call; beside students stand the most frequent
    turn and the turn of the nearest neighbour among the paths learned from. A curve tells which
    share of turns a student could take over if it asked for help where it is not certain. The page
    `assessment.html` shows every turn beside what was written.
    Example: subgoal assess --run runs/airline
    """

    once: ClassVar[bool] = True
    assess: Own[AssessConfig] = AssessConfig()
    """Which agents are asked."""
    decoding: Rare[Decoding] = Decoding()
    """How students write."""
    engine: Rare[EngineConfig] = EngineConfig()
    """What computes students."""
    annotations: Rare[Path | None] = None
    """File of annotated trajectories that the students learned from; left out: the run folder's
    own."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = AssessOptions


def command(options: AssessOptions) -> None:
    """Run the verb."""
    show(options.job().assess(restart=options.restart))
