"""Keeping within an endpoint's limits: of requests and tokens a minute, and when it is busy."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

_MOST_DOUBLINGS = 30


class Pace:
    """Lets requests go so that no minute holds more of them, or of their tokens, than allowed.

    Requests are spread evenly instead of sent in bursts. A server that is busy makes all wait: as
    long as it says, and longer each time it is still busy after a pause.

    Args:
        requests: Requests a minute, or None.
        tokens: Tokens a minute, or None.
        clock: Seconds, from any zero.
        sleep: Waits for so many of them.

    Attributes:
        backoff: Seconds of the first pause where the server is busy; doubled each time.
        longest: Most seconds of a pause, whatever the server says.
    """

    backoff = 1.0
    longest = 60.0

    def __init__(
        self,
        requests: float | None,
        tokens: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.clock, self.sleep = clock, sleep
        self._seconds = (60 / requests if requests else 0.0, 60 / tokens if tokens else 0.0)
        self._free_at = [clock(), clock()]
        self._held_until = clock()
        self._busy_since: float | None = None
        self._pauses = 0
        self._last_pause = clock()

    def growing(self, times: int) -> float:
        """Return the seconds of a pause after so many others: doubled each time, up to a limit."""
        return min(self.backoff * 2 ** min(times, _MOST_DOUBLINGS), self.longest)

    def busy(self, sent_at: float, wait: float | None) -> float:
        """Take that the endpoint was busy: all requests pause.

        Requests that were under way together are refused together, and make one pause.

        Args:
            sent_at: The clock when the request went out.
            wait: Seconds that the server wants us to wait, where it says so.

        Returns:
            Seconds for which it has answered nothing.
        """
        now = self.clock()
        if self._busy_since is None:
            self._busy_since = now
        if not self._pauses or sent_at >= self._last_pause:
            self._pauses, self._last_pause = self._pauses + 1, now
        pause = self.growing(self._pauses - 1)
        if wait is None:
            pause *= random.uniform(0.5, 1.0)
        elif wait > pause:  # never true of what is no number
            pause = min(wait, self.longest)
        self._held_until = max(self._held_until, now + pause)
        return now - self._busy_since

    def answered(self) -> None:
        """Take that the endpoint has answered: it is busy no more."""
        self._busy_since, self._pauses = None, 0

    def reserve(self, tokens: int) -> float:
        """Take a place for one request; return how many seconds it has to wait."""
        now = self.clock()
        start = max(now, self._held_until, *self._free_at)
        requests, each = self._seconds
        self._free_at = [start + requests, start + tokens * each]
        return start - now

    async def wait(self, tokens: int) -> None:
        """Wait for a place for one request that needs so many tokens."""
        delay = self.reserve(tokens)
        while delay > 0:
            await self.sleep(delay)
            delay = self._held_until - self.clock()
