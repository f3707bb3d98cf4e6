"""Exporting: what a run folder holds, written for other programs, and a summary of what lies where.

An agent that is ready, a student in another form, or the training texts.
"""

from pathlib import Path

from subgoal.agents.config import AgentName
from subgoal.errors import ConfigInvalid
from subgoal.evaluation.config import EvaluateConfig
from subgoal.release.release import release
from subgoal.release.summary import ExportSummary, size_of
from subgoal.storage.run_folder import RunFolder
from subgoal.students.export.export import Form, export_student
from subgoal.students.export.quantization import Quantization
from subgoal.text.format import Role
from subgoal.training.config import TrainConfig
from subgoal.training.data_export import export_data
from subgoal.training.train import students_folder


def export_agent(
    folder: RunFolder,
    out: Path,
    config: EvaluateConfig,
    name: str = "",
    role: Role | None = None,
    numbers: Quantization | None = None,
) -> ExportSummary:
    """Write an agent of a run folder as one that is ready.

    Args:
        folder: The run folder.
        out: The agent's folder; nothing may lie there yet.
        config: The world, the protocol and the decoding that it is for.
        name: What it is called; empty: as its folder.
        role: `flat` for the flat agent; None: the hierarchical one.
        numbers: Those of its weights; None: bfloat16.

    Raises:
        ConfigInvalid: The role is not an agent's.
        SubgoalError: As `subgoal.release.release.release` says.
    """
    if role not in {None, Role.FLAT}:
        raise ConfigInvalid(
            f"--to agent writes whole agents; leave out --role {role}, or give --role flat"
        )
    kind = AgentName.FLAT if role else AgentName.HIERARCHICAL
    release(folder, name, config, out, numbers or Quantization.BFLOAT16, kind)
    after = f"subgoal play --agent {out}"
    return ExportSummary(what="the agent", where=str(out), size=size_of(out), next=after)


def export_texts(
    folder: RunFolder, out: Path, config: TrainConfig, role: Role | None = None
) -> ExportSummary:
    """Write the texts that students are trained on as Parquet files.

    Args:
        folder: The run folder.
        out: The folder to write; nothing may lie there yet.
        config: Which roles, annotations and text format.
        role: Whose texts; None: those of all configured roles.

    Raises:
        SubgoalError: As `subgoal.training.data_export.export_data` says.
    """
    if role:
        config = config.model_copy(update={"roles": (role,)})
    rows = {name: f"{count:,} rows" for name, count in export_data(config, folder, out).items()}
    return ExportSummary(what="the folder of texts", where=str(out), size=size_of(out), files=rows)


def export_form(
    student: Path, form: Form, out: Path, numbers: Quantization | None = None
) -> ExportSummary:
    """Write a student in another form.

    Args:
        student: The student's folder.
        form: What to write.
        out: Where; nothing may lie there yet.
        numbers: Those of its weights; None: float32.

    Raises:
        SubgoalError: As `subgoal.students.export.export.export_student` says.
    """
    export_student(student, form, out, numbers or Quantization.FLOAT32)
    return ExportSummary(what=str(student), where=str(out), size=size_of(out))


def student_of(folder: RunFolder, role: Role | None = None) -> Path:
    """Return the folder of a run folder's student.

    Args:
        folder: The run folder.
        role: Which; None: the only one that there is.

    Raises:
        ConfigInvalid: There is none, or more than one.
    """
    there = [one for one in Role if students_folder(folder, one).is_dir()]
    roles = [role] if role else there
    if len(roles) != 1:
        found = f"choose one with --role: {', '.join(there)}" if there else "train one first"
        raise ConfigInvalid(f"{folder.path} holds {len(there)} students; {found}")
    return students_folder(folder, roles[0])
