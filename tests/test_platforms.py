"""Every module can be imported where the system has no Unix: the verbs' first line is no traceback.

What other packages import is theirs: they are imported before.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import subgoal

UNIX = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
"""Modules of the standard library that Windows has not."""

IMPORT_ALL = """
import builtins, importlib, os, pkgutil, signal, sys
import subgoal

def import_all():
    for module in pkgutil.walk_packages(subgoal.__path__, "subgoal."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

import_all()
known = [name for name in sys.modules if name.partition(".")[0] == "subgoal"]
for name in known:
    del sys.modules[name]
plain, missing = builtins.__import__, set(sys.argv[1:])

def without(name, scope=None, *rest, **more):
    importer = (scope or {}).get("__name__", "")
    if name.partition(".")[0] in missing and importer.startswith("subgoal"):
        raise ModuleNotFoundError(f"{importer} imports {name}", name=name)
    return plain(name, scope, *rest, **more)

builtins.__import__ = without
for name in ("fork", "getuid", "killpg", "nice", "sched_getaffinity", "setsid", "uname"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGALRM", "sigtimedwait", "alarm"):
    delattr(signal, name)
import_all()
print(sum(name.partition(".")[0] == "subgoal" for name in sys.modules), len(known))
"""


def test_no_module_imports_what_only_unix_has() -> None:
    for file in Path(subgoal.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not UNIX & {name.partition(".")[0] for name in names}, file


@pytest.mark.slow
def test_every_module_can_be_imported_without_unix() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, *UNIX],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    again, before = map(int, done.stdout.split())
    assert again == before > 100
