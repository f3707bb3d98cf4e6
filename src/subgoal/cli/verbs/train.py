"""`subgoal train`: train the students."""

from pathlib import Path

from subgoal.cli.options import StageOptions
from subgoal.cli.output import say, show
from subgoal.environments.config import WorldConfig
from subgoal.evaluation.config import RolloutConfig
from subgoal.record import Rare
from subgoal.storage.run_folder import RunFolder
from subgoal.training.config import TrainConfig


class TrainOptions(StageOptions):
    """Train the students on the annotated trajectories.

    No world is needed, unless `rollout` asks for one. A killed training goes on from its last
    checkpoint.
    Example: subgoal train --run runs/mine --train.training.minutes 30
    """

    train: TrainConfig = TrainConfig()
    """Which students, on what, for how long."""
    prepare: bool = False
    """Only make the training texts. They are kept in the run folder: a training there, on a machine
    with a GPU, begins at once."""
    rollout: RolloutConfig = RolloutConfig()
    """Which dev tasks students play while they are trained."""
    world: WorldConfig = WorldConfig()
    """The world of all stages."""
    annotations: Path | None = None
    """Train on this file of annotated trajectories (.jsonl or .jsonl.zst); left out: the run
    folder's own."""
    seed: Rare[int] = 0
    """Seed of all that is drawn or sampled."""


OPTIONS = TrainOptions


def command(options: TrainOptions) -> None:
    """Run the verb."""
    if options.prepare:
        from subgoal.config import save_config
        from subgoal.training.texts import prepare

        folder, config = RunFolder(options.run, options.restart), options.job().config
        texts = prepare(config.train, folder)
        save_config(config, folder)
        for role, place in texts.items():
            say(f"texts for {role}: {place}")
        return
    show(options.job().train(restart=options.restart))
