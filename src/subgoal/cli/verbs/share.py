"""`subgoal share`: a run's agent and data as repositories of the Hugging Face hub."""

from pathlib import Path

from subgoal.agents.config import AgentName, Decoding
from subgoal.cli.options import DEFAULT_RUN, RunOptions
from subgoal.cli.output import say, show
from subgoal.environments.config import WorldConfig
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Rare, Words
from subgoal.storage.run_folder import RunFolder
from subgoal.students.export.quantization import Quantization


class ShareOptions(RunOptions):
    """Upload a run to the Hugging Face hub: its agent as OWNER/NAME, its data as OWNER/NAME-data.

    Both have a card and a file by which `subgoal reproduce` makes the run again. What is uploaded
    lies in RUN/share, and is listed before. The token is HF_TOKEN's, or that of `hf auth login`.
    Example: subgoal share runs/mine --to OWNER/NAME --dry-run
    """

    run: Words[Path] = DEFAULT_RUN
    """The run folder."""
    to: str = ""
    """The agent's repository, OWNER/NAME."""
    agent: AgentName | None = None
    """Which agent: `hierarchical` or `flat`; left out: the hierarchical one, if trained."""
    data: bool = True
    """Share the data, too."""
    private: bool = True
    """Only the owner sees the repositories; one that everybody sees is refused."""
    dry_run: bool = False
    """Write the folders and list them, and upload nothing."""
    quantization: Rare[Quantization] = Quantization.BFLOAT16
    """Number format of the weights: `float32`, `float16` or `bfloat16`."""
    evaluate: Rare[EvaluateConfig] = EvaluateConfig()
    """The agent's protocol."""
    world: Rare[WorldConfig] = WorldConfig()
    """Its world."""
    decoding: Rare[Decoding] = Decoding()
    """How its students write."""


OPTIONS = ShareOptions


def command(options: ShareOptions) -> None:
    """Run the verb."""
    if not options.to:
        raise ConfigInvalid("say with --to where to share it: OWNER/NAME")
    if options.agent not in {None, AgentName.HIERARCHICAL, AgentName.FLAT}:
        raise ConfigInvalid(f"--agent {options.agent} has no students of its own to share")
    from subgoal.release.share import shared_folders

    config, folder = options.job().config.evaluate, RunFolder(options.run)
    made = shared_folders(
        folder, options.to, config, options.agent, options.data, options.quantization
    )
    for one in made:
        show(one)
    if options.dry_run:
        say("dry run: nothing was sent", "bold")
        return
    from huggingface_hub import HfApi

    from subgoal.release.hub import make_repository, upload

    api = HfApi()
    addresses = [make_repository(one.kind, one.repository, options.private, api) for one in made]
    for one, address in zip(made, addresses, strict=True):
        upload(one.folder, one.kind, one.repository, api)
        say(f"{one.repository} lies in {address}", "bold")
