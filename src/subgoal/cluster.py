"""Work spread over the processes of a Ray cluster: of this machine, or of many.

Ray places the tasks, starts processes, and does a task again whose process or machine was lost.
What decides the result stays with the one that asks: it makes the groups of items, and it alone
writes journals. A group gives the same outcome wherever, and however often, it is worked on.
"""

import os
import secrets
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from itertools import islice
from types import TracebackType
from typing import Any, Self

from subgoal.errors import ClusterFailed, SubgoalError, install, said_by
from subgoal.machine import cores

RETRIES = 3
"""How often Ray does a group again that was lost with its process or machine."""
_KNOCK_SECONDS = 10
_AHEAD = 2
"""So many groups for each core wait or are worked on: enough that none idles, and few in memory."""


class Backend(StrEnum):
    """Where the work of a stage is done; the result is the same."""

    LOCAL = "local"
    """In this process and its worlds."""
    RAY = "ray"
    """In the processes of a Ray cluster (pip install 'subgoal[ray]')."""


class Worker(ABC):
    """Does a stage's work in a process of the cluster; a process makes it once and keeps it.

    Args:
        shared: What all workers share, sent to each machine once.
    """

    @abstractmethod
    def __init__(self, shared: Mapping[str, bytes]) -> None: ...

    @abstractmethod
    def work(self, items: Sequence[str]) -> list[str]:
        """Work on a group of items; return one outcome for each, in any order."""

    def close(self) -> None:  # noqa: B027 - may be left out
        """Another stage begins: free what was held."""


class Cluster:
    """A Ray cluster, connected to when it is first used; a context manager.

    Args:
        address: Of a running cluster, such as `10.0.0.1:6379` or `auto`; empty: one is started on
            this machine, and ended with this object. Who connects to that one needs a token that
            only its processes have (Ray 2.52 or later; before, Ray asks nobody).
    """

    def __init__(self, address: str = "") -> None:
        self._address = address
        self._ours = False
        self._ray: Any = None
        self._lock: dict[str, str] = {}

    def spread(
        self,
        kind: type[Worker],
        shared: Mapping[str, bytes],
        groups: Sequence[Sequence[str]],
        memory: int = 0,
    ) -> Generator[tuple[Sequence[str], list[str] | ClusterFailed]]:
        """Let workers, of one core each, work on groups of items.

        Args:
            kind: What does the work; a class of an installed module.
            shared: What all workers are made from.
            groups: Items that are worked on together.
            memory: Bytes that a worker may need; a machine gets no more workers than fit.

        Yields:
            A group and its outcomes, or why it has none, in the order in which they are done.

        Raises:
            ClusterFailed: Ray is not installed, the cluster does not answer, or no machine of it
                has the memory.
            SubgoalError: As the worker raised it.
        """
        if not groups:
            return
        ray = self._connected()
        self._check_memory(memory)
        held = ray.put(dict(shared))
        task = ray.remote(num_cpus=1, memory=memory, max_retries=RETRIES)(_carry_out)
        waiting: dict[Any, Sequence[str]] = {}
        left = iter(groups)
        try:
            while True:
                room = _AHEAD * self._cores() - len(waiting)
                for group in islice(left, max(room, 0)):
                    waiting[task.remote(kind, held.hex(), [held], list(group))] = group
                if not waiting:
                    return
                (done, *_), _ = ray.wait(list(waiting), num_returns=1)
                yield waiting.pop(done), self._outcome(done)
        finally:
            for reference in waiting:
                with suppress(Exception):  # the cluster may be gone
                    ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster; end it where it was started here."""
        if self._ours:
            self._ray.shutdown()
        self._ours, self._ray = False, None
        for name in self._lock:
            os.environ.pop(name, None)
        self._lock = {}

    def _outcome(self, reference: Any) -> list[str] | ClusterFailed:
        errors = self._ray.exceptions
        try:
            outcomes: list[str] = self._ray.get(reference)
        except errors.RayTaskError as error:  # raised by the worker's own code
            if isinstance(error.cause, SubgoalError):
                raise error.cause from None
            raise
        except errors.RayError as error:
            said = said_by(error)
            return ClusterFailed(f"its process was lost {RETRIES + 1} times; the last time: {said}")
        return outcomes

    def _connected(self) -> Any:
        if self._ray is not None:
            return self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if not (self._address or "RAY_AUTH_MODE" in os.environ or "ray" in sys.modules):
            # Ray listens on all addresses: let nobody else in. It reads this once.
            self._lock = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
            os.environ.update(self._lock)
        try:
            ray: Any = import_module("ray")
        except ModuleNotFoundError as error:
            raise ClusterFailed(install("ray", "ray")) from error
        if not ray.is_initialized():
            here: dict[str, Any] = {"num_cpus": cores(), "include_dashboard": False}
            try:
                self._knock()
                ray.init(
                    address=self._address or "local",
                    log_to_driver=False,
                    logging_level="ERROR",
                    **({} if self._address else here),
                )
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                said = said_by(error)
                where = f"at {self._address}" if self._address else "on this machine"
                raise ClusterFailed(f"no Ray cluster {where} can be used ({said})") from error
            self._ours = True
        self._ray = ray
        return ray

    def _knock(self) -> None:
        """Find out at once that nobody is there; Ray would try for minutes."""
        host, _, port = self._address.removeprefix("ray://").rpartition(":")
        if host and port.isdigit():
            socket.create_connection((host, int(port)), _KNOCK_SECONDS).close()

    def _cores(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _check_memory(self, memory: int) -> None:
        """Refuse what Ray would wait for without end."""
        most = max(
            (node["Resources"].get("memory", 0) for node in self._ray.nodes() if node["Alive"]),
            default=0,
        )
        if memory > most:
            raise ClusterFailed(
                f"a worker needs {memory / 2**20:,.0f} MB, but no machine of the Ray cluster has "
                f"more than {most / 2**20:,.0f} MB for workers; lower --worlds or "
                "--limits.megabytes"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def grouped(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut items into groups of a size, in order."""
    return [items[start : start + size] for start in range(0, len(items), size)]


_at_work: dict[str, Worker] = {}
"""The worker of this process, by what it was made from."""


def _carry_out(kind: type[Worker], key: str, held: Sequence[Any], items: list[str]) -> list[str]:
    """Run in a process of the cluster: make the worker where it is not made, and let it work."""
    if key not in _at_work:
        ray: Any = import_module("ray")
        while _at_work:
            _at_work.popitem()[1].close()
        _at_work[key] = kind(ray.get(held[0]))
    return _at_work[key].work(items)
