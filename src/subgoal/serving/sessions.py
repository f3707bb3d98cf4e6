"""Sessions: an agent in a loop elsewhere, its episode held here between observations."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from subgoal.agents.base import Ask
from subgoal.agents.session import Session, SessionStep
from subgoal.engines.base import Generated, never
from subgoal.errors import EngineFailed, TextTooLong
from subgoal.evaluation.player import Player
from subgoal.serving.batcher import Batcher
from subgoal.serving.records import SessionRequest, SessionSeen, fresh_id
from subgoal.serving.refusals import ClientLeft, Refused


@dataclass
class _Open:
    """An open session."""

    session: Session
    used: float
    busy: threading.Lock = field(default_factory=threading.Lock)
    gone: Callable[[], bool] = never


class SessionDesk:
    """Opens sessions, goes on with them, and closes those that nobody uses; from any thread.

    Args:
        player: The agent.
        batcher: Computes; what many sessions ask at once is one batch.
        most: Largest number of open sessions.
        idle: Seconds after which one is closed that nobody uses.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        player: Player,
        batcher: Batcher,
        most: int,
        idle: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._player, self._batcher = player, batcher
        self._most, self._idle, self._clock = most, idle, clock
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def create(self, asked: SessionRequest) -> str:
        """Open a session; return its id.

        Raises:
            Refused: As many are open as may be.
        """
        self.sweep()

        def answer(ask: Ask) -> Generated:
            return self._batcher.ask(ask, opened.gone)

        opened = _Open(self._player.session(asked.task, answerer=answer), self._clock())
        number = fresh_id("session_")
        with self._lock:
            full = len(self._open) >= self._most
            if not full:
                self._open[number] = opened
        if full:
            opened.session.close()
            raise Refused(
                429,
                f"{self._most} sessions are open, and no more may be; close some",
                "too_many_sessions",
                headers={"retry-after": "10"},
            )
        return number

    def step(self, number: str, seen: SessionSeen, gone: Callable[[], bool]) -> SessionStep:
        """Tell a session what is seen; return what to do.

        Args:
            number: Its id.
            seen: What is seen.
            gone: Whether the client has left; then the session is closed.

        Raises:
            Refused: There is no such session, it is busy, or its text has become too long.
            ClientLeft: The client has left.
        """
        opened = self._taken(number)
        try:
            opened.gone = gone
            return opened.session.act(**seen.model_dump())
        except TextTooLong as error:
            self._drop(number)
            raise Refused(
                400, f"{error}; the session is closed", "context_length_exceeded"
            ) from None
        except (EngineFailed, ClientLeft):  # its agent was left in the middle of a turn
            self._drop(number)
            raise
        finally:
            opened.used = self._clock()
            opened.busy.release()

    def close(self, number: str) -> None:
        """Close a session.

        Raises:
            Refused: There is no such session, or it is busy.
        """
        opened = self._taken(number)
        self._drop(number)
        opened.busy.release()

    def sweep(self) -> None:
        """Close the sessions that nobody uses."""
        old = self._clock() - self._idle
        for number, opened in list(self._open.items()):
            if opened.used < old and opened.busy.acquire(blocking=False):
                self._drop(number)
                opened.busy.release()

    def clear(self) -> None:
        """Close all of them; nobody works on any."""
        for number in list(self._open):
            self._drop(number)

    def _taken(self, number: str) -> _Open:
        """Return a session that nobody else works on until `busy` is released."""
        opened = self._open.get(number)
        if opened is not None:
            if not opened.busy.acquire(blocking=False):
                raise Refused(409, f"{number} works on another step", "session_busy")
            if self._open.get(number) is opened:
                return opened
            opened.busy.release()  # it was closed between the two
        said = f"there is no session '{number[:80]}': it was closed, or nobody used it for long"
        raise Refused(404, said, "no_session")

    def _drop(self, number: str) -> None:
        with self._lock:
            opened = self._open.pop(number, None)
        if opened is not None:
            opened.session.close()
