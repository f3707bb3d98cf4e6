"""`subgoal evaluate`: play a protocol's tasks with the agents."""

from collections.abc import Sequence

from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import files, out, say
from subgoal.evaluation.evaluate import EvaluateConfig, evaluate
from subgoal.report.terminal import rendered
from subgoal.run_folder import RunFolder


class EvaluateOptions(WorldOptions):
    """Play a protocol's tasks with the agents; every finished episode is kept.

    Tune on `dev`; `paper`, `plain`, `swiftsage` and `unseen` are test protocols.
    """

    evaluate: EvaluateConfig = EvaluateConfig()
    """Which agents play which tasks."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(EvaluateOptions, "evaluate", words, ["evaluate"])
    folder = RunFolder(options.run)
    config = options.evaluate
    if options.restart:
        for agent in config.agents:
            folder.remove_stage(f"evaluate-{config.protocol}-{agent}")
    with options.cluster() as cluster:
        summary = evaluate(config, folder, options.worlds, options.limits, cluster)
    out.print(rendered(summary))
    say("")
    files(f"{folder / 'students'}", f"{folder / 'evaluation' / config.protocol}")
