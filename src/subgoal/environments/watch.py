"""A watch over the worlds in this process: one that does not answer costs an episode, no more.

A world with a process of its own can be killed; one in the program's own cannot. After
`answer_seconds` the watch raises `Hanging` within the call, which ends any loop of Python. A call
that waits in code which Python cannot interrupt is named, and a command then ends with exit code 2.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable

from subgoal.progress import console

_TICK = 0.1
_AT_ONCE = 1.0
"""More is not counted between two looks: the program was stopped, not the world."""


class Hanging(BaseException):
    """A call took too long; no `Exception`, since a world's code may catch all of those."""


class _Call:
    """A call under way: what it is, how long it may take, its age, and whether it was struck."""

    __slots__ = ("age", "seconds", "struck", "told")

    def __init__(self, told: Callable[[], str], seconds: float) -> None:
        self.told, self.seconds = told, seconds
        self.age, self.struck = 0.0, False


class Watch:
    """Looks every now and then at the calls of worlds that are under way, one per thread.

    Attributes:
        ends_program: A call that cannot be interrupted ends the program. Only a command may set
            it: in a notebook more than a stage would be lost.
    """

    def __init__(self) -> None:
        self.ends_program = False
        self._calls: dict[int, _Call] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def enter(self, told: Callable[[], str], seconds: float) -> bool:
        """Begin a call in this thread.

        Args:
            told: Says what is called, in which task.
            seconds: How long it may take.

        Returns:
            Whether it is the outermost: only that one is watched, and must `leave`.
        """
        thread = threading.get_ident()
        if thread in self._calls:
            return False
        self._calls[thread] = _Call(told, seconds)
        if self._thread is None:
            self._begin()
        return True

    def leave(self) -> None:
        """End the outermost call in this thread; from now on nothing is raised in it."""
        thread = threading.get_ident()
        call = self._calls.pop(thread, None)
        if call is not None and call.struck:
            with self._lock:  # not between the watch's last look at the call and its strike
                _raise_in(thread, None)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(_TICK)
            last, elapsed = time.monotonic(), min(time.monotonic() - last, _AT_ONCE)
            for thread, call in list(self._calls.items()):
                call.age += elapsed
                if call.age > call.seconds:
                    self._give_up(call) if call.struck else self._strike(thread, call)

    def _strike(self, thread: int, call: _Call) -> None:
        call.age = 0.0
        with self._lock:
            call.struck = True
            if self._calls.get(thread) is call:
                _raise_in(thread, Hanging)

    def _give_up(self, call: _Call) -> None:
        console.print(
            f"{call.told()} hangs in code that cannot be interrupted; give that code a time limit "
            "of its own",
            soft_wrap=True,
        )
        call.age = 0.0
        if self.ends_program:
            os._exit(2)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    raised = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


WATCH = Watch()
"""The watch over all worlds of this process."""
if hasattr(os, "register_at_fork"):  # the thread stays behind in the parent
    os.register_at_fork(after_in_child=WATCH.__init__)
