"""Keeping within an endpoint's limits of requests and tokens a minute."""

import asyncio
import time
from collections.abc import Callable


class Pace:
    """Lets requests go so that no minute holds more of them, or of their tokens, than allowed.

    Requests are spread evenly instead of sent in bursts. A server that says "wait" makes all wait.

    Args:
        requests: Requests a minute, or None.
        tokens: Tokens a minute, or None.
        clock: Seconds, from any zero.
    """

    def __init__(
        self,
        requests: float | None,
        tokens: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._seconds = (60 / requests if requests else 0.0, 60 / tokens if tokens else 0.0)
        self._free_at = [clock(), clock()]
        self._held_until = clock()

    def hold(self, seconds: float) -> None:
        """Let nothing go for so many seconds."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def reserve(self, tokens: int) -> float:
        """Take a place for one request; return how many seconds it has to wait."""
        now = self._clock()
        start = max(now, self._held_until, *self._free_at)
        requests, each = self._seconds
        self._free_at = [start + requests, start + tokens * each]
        return start - now

    async def wait(self, tokens: int) -> None:
        """Wait for a place for one request that needs so many tokens."""
        delay = self.reserve(tokens)
        while delay > 0:
            await asyncio.sleep(delay)
            delay = self._held_until - self._clock()
