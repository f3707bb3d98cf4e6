"""`subgoal evaluate`: play a protocol's tasks with the agents."""

from collections.abc import Sequence

from subgoal.agents.released import ReleasedAgent
from subgoal.cli.agent import named
from subgoal.cli.options import WorldOptions, read_options
from subgoal.cli.output import files, out, say
from subgoal.evaluation.evaluate import EvaluateConfig, evaluate
from subgoal.report.terminal import rendered
from subgoal.run_folder import RunFolder


class EvaluateOptions(WorldOptions):
    """Play a protocol's tasks with the agents; every finished episode is kept.

    Tune on `dev`; `paper`, `plain`, `swiftsage` and `unseen` are test protocols.
    """

    agent: str = ""
    """An agent that is ready plays instead of `evaluate.agents`: one that ships with subgoal, by
    name (`scienceworld`), or the folder of one. It brings its own world, protocol and decoding,
    unless they are given here or in `config`."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Which agents play which tasks."""


def command(words: Sequence[str]) -> None:
    """Run the verb."""
    options = read_options(EvaluateOptions, "evaluate", words, ["evaluate"])
    folder = RunFolder(options.run, options.restart)
    config, released = _who(options)
    with options.cluster() as cluster:
        summary = evaluate(config, folder, options.worlds, options.limits, cluster, released)
    out.print(rendered(summary))
    say("")
    students = released.folder if released else folder / "students"
    files(f"{students}", f"{folder / 'evaluation' / config.protocol}")


def _who(options: EvaluateOptions) -> tuple[EvaluateConfig, ReleasedAgent | None]:
    agent = named(options.agent) if options.agent else None
    if agent is None or isinstance(agent, ReleasedAgent):
        return options.evaluate, agent
    return options.evaluate.model_copy(update={"agents": (agent,)}), None
