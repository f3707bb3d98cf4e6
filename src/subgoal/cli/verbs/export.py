"""`subgoal export`: agents that are ready, students for other programs, data for other trainers."""

from enum import StrEnum
from pathlib import Path

from subgoal.agents.config import AgentName
from subgoal.cli.options import RunOptions
from subgoal.cli.output import say
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.record import Rare
from subgoal.run_folder import RunFolder
from subgoal.students.export.quantization import Quantization
from subgoal.temporary import temporary_folder
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig


class To(StrEnum):
    """What to write."""

    AGENT = "agent"
    """The run folder's hierarchical agent (with --role flat the flat one), ready to play: its
    students and a model card."""
    FOLDER = "folder"
    """A student's folder, which plain transformers loads."""
    HUB = "hub"
    """The same, uploaded to the Hugging Face hub."""
    GGUF = "gguf"
    """One file for llama.cpp and what is built on it; Llama-type students."""
    CTRANSLATE2 = "ctranslate2"
    """A folder for CTranslate2; Llama-type and T5 students."""
    PARQUET = "parquet"
    """The texts that students are trained on, for other trainers; needs no student."""


class ExportOptions(RunOptions):
    """Write an agent that is ready, a student for other programs, or texts for other trainers.

    The hub's token is read from the environment (HF_TOKEN).
    """

    to: To = To.FOLDER
    """What to write: a student as `folder`, `gguf`, `ctranslate2` or on the `hub`; the training
    texts as `parquet`; or the whole `agent`, for `subgoal play --agent OUT`."""
    out: str = ""
    """The folder or file to write. With --to hub: the repository, OWNER/NAME."""
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
    private: bool = True
    """With --to hub: only the owner sees a new repository."""
    dry_run: bool = False
    """With --to hub: list what would be uploaded, and upload nothing."""
    train: Rare[TrainConfig] = TrainConfig()
    """With --to parquet: which roles, annotations and text format."""
    evaluate: Rare[EvaluateConfig] = EvaluateConfig()
    """With --to agent: its world, protocol and decoding."""


OPTIONS = ExportOptions


def command(options: ExportOptions) -> None:
    """Run the verb."""
    if not options.out:
        raise ConfigInvalid("say with --out where to write (with --to hub: OWNER/NAME)")
    if options.dry_run and options.to is not To.HUB:
        raise ConfigInvalid("--dry-run is for --to hub")
    if options.to is To.PARQUET:
        _write_data(options)
        return
    if options.to is To.AGENT:
        _write_agent(options)
        return
    student = options.student or _student(options)
    if options.to is To.HUB:
        _upload(student, options)
        return
    from subgoal.students.export.export import Form, export_student

    out = Path(options.out)
    export_student(student, Form(options.to), out, options.quantization or Quantization.FLOAT32)
    say(f"{student} lies in {out} ({_size(out):,} bytes)", "bold green")


def _write_agent(options: ExportOptions) -> None:
    from subgoal.release.release import release

    out, numbers = Path(options.out), options.quantization or Quantization.BFLOAT16
    if options.role not in {None, Role.FLAT}:
        raise ConfigInvalid(
            f"--to agent writes whole agents; leave out --role {options.role}, or give --role flat"
        )
    kind = AgentName.FLAT if options.role else AgentName.HIERARCHICAL
    release(RunFolder(options.run), options.name, options.evaluate, out, numbers, kind)
    say(f"the agent lies in {out} ({_size(out):,} bytes)", "bold green")
    say(f"subgoal play --agent {out}", "dim")


def _write_data(options: ExportOptions) -> None:
    from subgoal.training.data_export import export_data

    config, out = options.train, Path(options.out)
    if options.role:
        config = config.model_copy(update={"roles": (options.role,)})
    for name, count in export_data(config, RunFolder(options.run), out).items():
        say(f"  {name:<36} {count:>9,} rows")
    say(f"the texts lie in {out} ({_size(out):,} bytes)", "bold green")


def _student(options: ExportOptions) -> Path:
    from subgoal.training.train import students_folder

    folder = RunFolder(options.run)
    there = [role for role in Role if students_folder(folder, role).is_dir()]
    roles = [options.role] if options.role else there
    if len(roles) != 1:
        found = f"choose one with --role: {', '.join(there)}" if there else "train one first"
        raise ConfigInvalid(f"{options.run} holds {len(there)} students; {found}")
    return students_folder(folder, roles[0])


def _upload(student: Path, options: ExportOptions) -> None:
    from huggingface_hub import HfApi

    from subgoal.students.export.export import Form, export_student
    from subgoal.students.export.hub import check_repository, upload

    check_repository(options.out)
    with temporary_folder("export") as place:
        plain = Path(place) / student.name
        numbers = options.quantization or Quantization.FLOAT32
        export_student(student, Form.FOLDER, plain, numbers)
        for file in sorted(plain.iterdir()):
            say(f"  {file.name:<24} {file.stat().st_size:>12,} bytes")
        whole = f"{student} ({_size(plain):,} bytes)"
        if options.dry_run:
            say(f"dry run: {whole} would go to {options.out}; nothing was sent", "bold")
            return
        address = upload(plain, options.out, options.private, HfApi())
    say(f"{whole} lies in {address}", "bold green")


def _size(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
