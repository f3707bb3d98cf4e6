"""`subgoal train`: train the students."""

from collections.abc import Sequence

from subgoal.cli.options import StageOptions, read_options
from subgoal.cli.output import show_trained
from subgoal.evaluation.dev_score import RolloutConfig, dev_scores
from subgoal.run_folder import RunFolder
from subgoal.training.train import TrainConfig, train


class TrainOptions(StageOptions):
    """Train the students on the annotated trajectories.

    It needs no world, but where `rollout` asks for one.

    A killed training goes on from its last checkpoint.
    """

    train: TrainConfig = TrainConfig()
    """Which students, on what, for how long."""
    rollout: RolloutConfig = RolloutConfig()
    """Which dev tasks students play while they are trained."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(TrainOptions, "train", words, ["train", "rollout"])
    folder = RunFolder(options.run)
    if options.restart:
        for role in options.train.roles:
            folder.remove_stage(f"train-{role}")
    show_trained(train(options.train, folder, dev_scores(options.rollout, folder)))
