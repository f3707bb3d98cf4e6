"""`subgoal export`: agents that are ready, students for other programs, data for other tools."""

from enum import StrEnum
from pathlib import Path

from subgoal.agents.config import Decoding
from subgoal.cli.options import RunOptions
from subgoal.cli.output import show
from subgoal.environments.config import WorldConfig
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Rare
from subgoal.storage.run_folder import RunFolder
from subgoal.students.export.quantization import Quantization
from subgoal.summary import Summary
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig


class To(StrEnum):
    """What to write."""

    AGENT = "agent"
    """The run folder's hierarchical agent (with --role flat the flat one), ready to play: its
    students and a model card."""
    FOLDER = "folder"
    """A student's folder, which plain transformers loads."""
    GGUF = "gguf"
    """One file for llama.cpp and what is built on it; Llama-type students."""
    CTRANSLATE2 = "ctranslate2"
    """A folder for CTranslate2; Llama-type and T5 students."""
    PARQUET = "parquet"
    """The texts that students are trained on, for other trainers; needs no student."""
    MESSAGES = "messages"
    """The trajectories with their sub-goals as OpenAI's messages, one a line."""
    ATIF = "atif"
    """The trajectories with their sub-goals as documents of Harbor's trajectory format."""


class ExportOptions(RunOptions):
    """Write an agent that is ready, a student for other programs, training texts, trajectories.

    `subgoal share` puts a run's agent and data on the Hugging Face hub.
    Example: subgoal export --run runs/mine --to agent --out my-agent
    """

    to: To = To.FOLDER
    """What to write: a student as `folder`, `gguf` or `ctranslate2`; the training texts as
    `parquet`; the trajectories as `messages` or `atif`; or the whole `agent`, for
    `subgoal play --agent OUT`."""
    out: str = ""
    """The folder or file to write."""
    role: Role | None = None
    """Which student of the run folder, if there are several. With --to parquet: whose texts,
    instead of train.roles. With --to agent: `flat` for the flat agent."""
    student: Path | None = None
    """A student's folder, instead of the run folder's."""
    name: str = ""
    """With --to agent: its name in reports; empty: the name of its folder."""
    quantization: Rare[Quantization | None] = None
    """Number format of the weights: `float32`, `float16`, `bfloat16`, or `int8` (gguf and
    ctranslate2). Left out: `bfloat16` for an agent, else `float32`."""
    train: Rare[TrainConfig] = TrainConfig()
    """With --to parquet: which roles, annotations and text format."""
    evaluate: Rare[EvaluateConfig] = EvaluateConfig()
    """With --to agent: its protocol."""
    world: Rare[WorldConfig] = WorldConfig()
    """With --to agent: its world."""
    decoding: Rare[Decoding] = Decoding()
    """With --to agent: how its students write."""


OPTIONS = ExportOptions


def command(options: ExportOptions) -> None:
    """Run the verb."""
    if not options.out:
        raise ConfigInvalid("say with --out where to write")
    show(_exported(options))


def _exported(options: ExportOptions) -> Summary:
    folder, out, role = RunFolder(options.run), Path(options.out), options.role
    if options.to in {To.MESSAGES, To.ATIF}:
        from subgoal.release import log_export

        return log_export.export_trajectories(folder, out, log_export.LogForm(options.to))
    from subgoal.release import export

    config = options.job().config
    numbers = options.quantization
    if options.to is To.PARQUET:
        return export.export_texts(folder, out, config.train, role)
    if options.to is To.AGENT:
        return export.export_agent(folder, out, config.evaluate, options.name, role, numbers)
    student = options.student or export.student_of(folder, role)
    return export.export_form(student, export.Form(options.to), out, numbers)
