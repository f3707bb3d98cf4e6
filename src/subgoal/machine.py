"""What this process may use: cores and memory, of the machine or of the container around it.

A container gets a share of its machine by a quota of processor time, a set of cores and a limit of
memory, which neither Python nor torch reads. Linux keeps them in files of control groups: version 2
in one tree, version 1 in a tree for each kind; a group may lie below the root, and every group
above it holds too. Elsewhere the machine itself is all there is, and psutil, which is installed
there alone, asks it.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from pathlib import Path

_ROOT = Path("/")
"""Where the system's files begin."""
_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "ctranslate2")
"""What decides the bits of a result beside the package itself."""
_VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")
"""Instructions of a processor by which sums are rounded one way or another."""
_NO_LIMIT = 2**60
"""More bytes than a machine has: so version 1 says that there is no limit."""


def cores() -> int:
    """Return how many cores this process may use; a part of one counts as one."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))  # a container's set of cores included
    else:
        found = os.cpu_count() or 1
    return max(1, min([found, *map(ceil, _quotas())]))


def free_memory() -> int:
    """Return the bytes that are free, here and in the containers around.

    What a container has read from files counts as free: it is given up when room is needed.
    """
    return max(0, min([_available(), *_free_in_groups()]))


def used_memory(pid: int) -> int:
    """Return the bytes that a process holds in memory; 0 where it is gone, or not to be asked."""
    if not _linux():
        import psutil

        with suppress(psutil.Error):
            return psutil.Process(pid).memory_info().rss
        return 0
    with suppress(OSError):
        held = (_ROOT / f"proc/{pid}/statm").read_text().split()[1]
        return int(held) * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_alive(pid: int) -> bool:
    """Return whether a process is there, a user's own or another's."""
    if os.name == "nt":  # where signal 0 would end it
        import psutil

        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def made_with() -> dict[str, str]:
    """Return what decides the bits of a result beside its configuration: versions, processor.

    A GPU is named where torch is loaded and uses one.
    """
    own = f"{sys.modules['subgoal'].__version__} (source {_source_digest()})"
    found = {"subgoal": own, "python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return {**found, "processor": processor()}


@lru_cache(1)
def _source_digest() -> str:
    """Return a digest of the package's own code: between releases one version has many."""
    package, found = Path(__file__).parent, hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        found.update(f"{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return found.hexdigest()[:12]


@lru_cache(1)
def processor() -> str:
    """Return the kind of processor, with the vector instructions that it has."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    with suppress(OSError):
        for line in (_ROOT / "proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip().lower() in {"flags", "features"}:
                flags |= set(value.split())
    told = [one for one in _VECTORS if one in flags]
    return f"{name} ({', '.join(told)})" if told else name


def _linux() -> bool:
    return sys.platform == "linux"


def _available() -> int:
    """Return the bytes that the machine has free, what it holds of files counted."""
    if not _linux():
        import psutil

        return psutil.virtual_memory().available
    lines = (_ROOT / "proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def _quotas() -> Iterator[float]:
    """Yield the cores' worth of time of each control group that limits it."""
    for group in _groups(""):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (group / "cpu.max").read_text().split()
            yield int(quota) / int(period)
    for group in _groups("cpu"):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota = int((group / "cpu.cfs_quota_us").read_text())
            if quota > 0:
                yield quota / int((group / "cpu.cfs_period_us").read_text())


def _free_in_groups() -> Iterator[int]:
    """Yield the bytes that are free in each control group that limits them."""
    names = {
        "": ("memory.max", "memory.current", "inactive_file"),
        "memory": (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    }
    for kind, (limit_file, used_file, cache) in names.items():
        for group in _groups(kind):
            with suppress(OSError, ValueError):
                limit = int((group / limit_file).read_text())
                used = int((group / used_file).read_text())
                lines = (group / "memory.stat").read_text().splitlines()
                kept = dict(line.split() for line in lines)
                if limit < _NO_LIMIT:
                    yield limit - used + int(kept.get(cache, 0))


def _groups(kind: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, from its own up to the root.

    Args:
        kind: Of version 1, such as `cpu`; empty: version 2.
    """
    trees = _ROOT / "sys/fs/cgroup"
    with suppress(OSError, ValueError, StopIteration):
        for line in (_ROOT / "proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kind not in kinds.split(","):
                continue
            # both versions may be there at once, each in a tree of its own
            names = (kinds, kind) if kind else ("unified", ".")
            tree = next(trees / name for name in names if (trees / name).is_dir())
            own = Path(path.lstrip("/"))
            # inside a container the path is often the machine's, and the root is the own group
            yield from (tree / part for part in (own, *own.parents) if (tree / part).is_dir())
            return
