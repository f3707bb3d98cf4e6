"""Java starts whatever the environment says to other Java programs, or says why it does not."""

import os
import stat
from pathlib import Path

import pytest

from subgoal.environments import java
from subgoal.environments.base import Task
from subgoal.environments.java import JavaProcess
from subgoal.environments.java_program import JAVA_READS, find_java, java_environment
from subgoal.environments.java_world import REPEATABLE_FLAGS
from subgoal.environments.scienceworld.world import ScienceWorld
from subgoal.errors import EnvironmentFailed

QUICK = Task(environment="scienceworld", name="find-non-living-thing", variation=0, split="train")
HOSTILE = {
    "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC",
    "JDK_JAVA_OPTIONS": "-verbose:gc",
    "_JAVA_OPTIONS": "-Xmx1k",
    "CLASSPATH": "/nowhere",
    "JAVA_HOME": "/nowhere",
    "LANG": "C",
    "LC_ALL": "tr_TR.UTF-8",
}


def program(place: Path, *lines: str) -> str:
    """Write a shell script and return its path."""
    place.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return str(place)


def test_options_for_other_java_programs_do_not_reach_a_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    assert not set(java_environment(os.environ)) & set(JAVA_READS)
    with ScienceWorld() as world:
        assert world.reset(QUICK).look
        assert world.step("LOOK IN INVENTORY I").observation  # no Turkish lower case


def test_what_java_printed_is_in_the_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="Multiple garbage collectors"):
        JavaProcess("it", tmp_path / "no.jar", (*REPEATABLE_FLAGS, "-XX:+UseG1GC"))
    said = program(tmp_path / "java", "echo to stdout", "echo to stderr >&2", "exit 3")
    monkeypatch.setattr(java, "find_java", lambda: said)
    with pytest.raises(EnvironmentFailed, match=r"exit code 3.*to stdout \| to stderr"):
        JavaProcess("it", tmp_path / "no.jar", ())
    monkeypatch.setattr(java, "find_java", lambda: str(tmp_path / "none"))
    with pytest.raises(EnvironmentFailed, match="none"):
        JavaProcess("it", tmp_path / "no.jar", ())


def test_a_java_that_prints_before_its_gateway_does_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chatty = program(tmp_path / "java", "echo Using Java 25", f'exec {find_java()} "$@"')
    monkeypatch.setattr(java, "find_java", lambda: chatty)
    with ScienceWorld() as world:
        assert world.reset(QUICK).look
